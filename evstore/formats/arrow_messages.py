"""Arrow IPC messages, one at a time: their lengths are checked before pyarrow sees a byte.

https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format. A message's
metadata is a FlatBuffer, https://flatbuffers.dev/internals/, of which only what gives lengths
is read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from evstore.errors import CorruptError, TruncatedError, UnsupportedError
from evstore.formats.records import fill

MAGIC = b"ARROW1"
FOOTER_END = 4 + len(MAGIC)
CONTINUATION = 0xFFFFFFFF
SCHEMA, DICTIONARY, RECORDS = 1, 2, 3
LAST_VERSION = 4  # of metadata, 4 being V5

#: Bytes of a message's metadata, at most.
METADATA_LIMIT = 16_777_216

#: Bytes that a record batch may grow by when its buffers are decompressed, and how many times
#: its length on top of that.
GROWTH_BYTES = 67_108_864
GROWTH = 4

READ_AT_ONCE = 1 << 20

#: Bytes of a record batch that are read as one; of a longer one in a file that seeks, the rows
#: are read a piece at a time where the columns let that be.
WHOLE_BYTES = 16_777_216


@dataclass(frozen=True)
class Message:
    """One message as pyarrow reads it; ``data`` begins with its lengths.

    Of a long record batch ``data`` ends with the metadata: its body is at ``body_at``.
    """

    kind: int
    data: bytearray
    metadata: bytes
    at: int
    body_at: int | None = None
    body_bytes: int = 0


class FlatTable:
    """A table of a FlatBuffer. Raises CorruptError for a place outside ``data``."""

    def __init__(self, data: bytes | bytearray | memoryview, at: int) -> None:
        self.data, self.at = data, at
        self._vtable = at - self._get("<i", at)
        self._length = self._get("<H", self._vtable)

    @classmethod
    def root(cls, data: bytes | bytearray | memoryview) -> FlatTable:
        """The table that a FlatBuffer is."""
        return cls(data, FlatTable._unpack(data, "<I", 0))

    def place(self, slot: int) -> int | None:
        """Where a field is; None where it has its default."""
        entry = 4 + 2 * slot
        if entry + 2 > self._length:
            return None
        offset = self._get("<H", self._vtable + entry)
        return self.at + offset if offset else None

    def number(self, slot: int, code: str) -> int:
        """A field of a struct code, 0 by default."""
        at = self.place(slot)
        return 0 if at is None else self._get(code, at)

    def table(self, slot: int) -> FlatTable | None:
        """A field that is a table."""
        at = self.place(slot)
        return None if at is None else FlatTable(self.data, at + self._get("<I", at))

    def structs(self, slot: int, code: str) -> list[tuple[int, ...]]:
        """A field that is a vector of structs."""
        at = self.place(slot)
        if at is None:
            return []
        at += self._get("<I", at)
        size, count = struct.calcsize(code), self._get("<I", at)
        if at + 4 + count * size > len(self.data):
            raise _damaged()
        return list(struct.iter_unpack(code, self.data[at + 4 : at + 4 + count * size]))

    def _get(self, code: str, at: int) -> int:
        return self._unpack(self.data, code, at)

    @staticmethod
    def _unpack(data: bytes | bytearray | memoryview, code: str, at: int) -> int:
        if at < 0 or at + struct.calcsize(code) > len(data):
            raise _damaged()
        value: int = struct.unpack_from(code, data, at)[0]
        return value


def kind_of(metadata: bytes | bytearray | memoryview) -> int:
    """What a message holds, by its metadata."""
    return FlatTable.root(metadata).number(1, "<B")


def is_big_endian(metadata: bytes | bytearray | memoryview) -> bool:
    """Whether a schema says that the values are."""
    schema = FlatTable.root(metadata).table(2)
    return schema is not None and schema.number(0, "<h") == 1


def begins_with_schema(head: bytes) -> bool:
    """Whether a stream's first message is a schema: one with columns, and without a body."""
    prefix = 8 if head.startswith(struct.pack("<I", CONTINUATION)) else 4
    length = int.from_bytes(head[prefix - 4 : prefix], "little")
    if not 8 <= length <= METADATA_LIMIT or (prefix + length) % 8:
        return False
    try:
        # A long schema may go on behind the head; what is looked at stands in front.
        message = FlatTable.root(head[prefix : prefix + length])
        schema = message.table(2)
        columns = None if schema is None else schema.place(1)
        version, body = message.number(0, "<h"), message.number(3, "<q")
    except CorruptError:
        return False
    kind = message.number(1, "<B")
    return kind == SCHEMA and columns is not None and 0 <= version <= LAST_VERSION and body == 0


def read_footer(stream: BinaryIO) -> bytes | None:
    """The footer of an IPC file, None where the file does not end with one.

    The stream must seek, and comes back to where it was.
    """
    here, size = stream.tell(), stream.seek(0, 2)
    stream.seek(max(0, size - FOOTER_END))
    end = stream.read(FOOTER_END)
    length = int.from_bytes(end[:4], "little")
    footer = None
    if end[4:] == MAGIC and 0 < length <= min(size - FOOTER_END, METADATA_LIMIT):
        stream.seek(size - FOOTER_END - length)
        footer = stream.read(length)
    stream.seek(here)
    return footer


def footer_is_big_endian(footer: bytes) -> bool:
    """Whether a footer's schema says that the values are."""
    schema = FlatTable.root(footer).table(1)
    return schema is not None and schema.number(0, "<h") == 1


class Placed:
    """The record batches of a file, in the order and at the places that its footer says."""

    def __init__(self, stream: BinaryIO, footer: bytes) -> None:
        self.stream = stream
        self.by_rows = False  # as of `Messages`
        self._blocks = FlatTable.root(footer).structs(3, "<qi4xq")
        size = stream.seek(0, 2)
        good = all(at >= 0 and head > 0 and body >= 0 for at, head, body in self._blocks)
        # Each byte belongs to one batch: else a small file could hold any number of events.
        if not good or sum(head + body for _, head, body in self._blocks) > size:
            raise CorruptError("the footer's record batches cannot be in the file", got=size)

    def __iter__(self) -> Iterator[Message]:
        """Raises CorruptError where there is no message."""
        for at, head, body in self._blocks:
            self.stream.seek(at)
            there = Messages(self.stream, b"", at)
            there.by_rows = self.by_rows
            message = next(iter(there), None)
            size = 0 if message is None else len(message.data) + message.body_bytes
            if message is None or size != head + body:
                raise CorruptError(
                    "a message has not the length that the footer says",
                    offset=at,
                    expected=f"{head + body:,} bytes",
                    got=f"{size:,}",
                )
            yield message


class Messages:
    """The messages of a stream from ``at`` on, in order; ``ended`` says if it has its mark.

    ``by_rows``: long record batches stay where they are, for `arrow_rows` to read.
    """

    def __init__(self, stream: BinaryIO, start: bytes, at: int) -> None:
        self.at = at
        self.ended = False
        self.by_rows = False
        self.stream = stream
        self._start = start
        self._left: int | None = None  # bytes from the end of ``start`` to that of the stream
        if stream.seekable():
            here = stream.tell()
            self._left = max(0, stream.seek(0, 2) - here)
            stream.seek(here)

    def __iter__(self) -> Iterator[Message]:
        """Raises TruncatedError where the stream ends inside a message."""
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        begin, data = self.at, bytearray()
        if not self._need(data, 4, begin):
            return None
        if data == struct.pack("<I", CONTINUATION):
            self._need(data, 4, begin)
        length = struct.unpack_from("<I", data, len(data) - 4)[0]
        if length == 0:
            self.ended = True
            return None
        if length > METADATA_LIMIT:
            raise CorruptError(
                "a message's metadata is too long",
                offset=begin,
                expected=f"<= {METADATA_LIMIT}",
                got=length,
            )
        prefix = len(data)
        self._need(data, length, begin)
        metadata = bytes(data[prefix:])
        try:
            kind = kind_of(metadata)
            if kind == RECORDS and (place := self._stays(metadata)) is not None:
                return Message(kind, data, metadata, begin, place, _body_length(metadata))
            self._need(data, _body_length(metadata), begin)
            if kind == RECORDS:
                _require_bounded(metadata, memoryview(data)[prefix + length :])
        except CorruptError as error:
            error.offset = begin
            raise
        return Message(kind, data, metadata, begin)

    def _stays(self, metadata: bytes) -> int | None:
        """Where the body of a long, plain record batch is, which is not read; None for others."""
        size = _body_length(metadata)
        batch = FlatTable.root(metadata).table(2)
        if not self.by_rows or size <= WHOLE_BYTES:
            return None
        if self._left is None or size > len(self._start) + self._left:
            return None
        # Compressed columns have no rows apart.
        if batch is None or batch.place(3) is not None:
            return None
        place = self.stream.tell() - len(self._start)
        self._left -= size - len(self._start)
        self._start = b""
        self.stream.seek(place + size)
        self.at += size
        return place

    def rest(self) -> tuple[int, bytes]:
        """How many bytes stand behind the last message, and the last few of them."""
        count, last = 0, b""
        while data := self._start or self.stream.read(READ_AT_ONCE):
            self._start = b""
            count += len(data)
            last = (last + data)[-16:]
        return count, last

    def _need(self, data: bytearray, count: int, begin: int) -> bool:
        """Append ``count`` bytes; False where the stream ends before a message's first."""
        got = self._take(data, count)
        if got < count and (data or got):
            raise TruncatedError(
                "the file ends inside a message",
                safe_events=0,
                offset=begin,
                expected=f"{count:,} more bytes",
                got=f"{got:,}",
            )
        return got == count

    def _take(self, data: bytearray, count: int) -> int:
        """Append ``count`` bytes and return their number; nothing if there are fewer."""
        if self._left is not None and count > len(self._start) + self._left:
            return len(self._start) + self._left
        begin, data_end = len(data), len(data) + count
        data += self._start[:count]
        self._start = self._start[count:]
        while len(data) < data_end:
            # No more than is known to be there: a pipe's promise is not believed.
            at, size = len(data), data_end - len(data)
            size = size if self._left is not None else min(size, READ_AT_ONCE)
            data += bytes(size)
            with memoryview(data) as view:
                got = fill(self.stream, view[at:])
            if self._left is not None:
                self._left -= got
            if got < size:
                del data[begin:]
                return at + got - begin
        self.at += count
        return count


def _body_length(metadata: bytes) -> int:
    length = FlatTable.root(metadata).number(3, "<q")
    if length < 0:
        raise CorruptError("a message's body has a negative length", got=length)
    return length


def _require_bounded(metadata: bytes, body: memoryview) -> None:
    """Raises for a record batch whose compressed buffers claim more than memory should hold."""
    batch = FlatTable.root(metadata).table(2)
    if batch is None or batch.place(3) is None:
        return
    claimed, most = 0, GROWTH_BYTES + GROWTH * len(body)
    for at, size in batch.structs(2, "<qq"):
        if size >= 8 and 0 <= at <= len(body) - 8:
            claimed += max(0, struct.unpack_from("<q", body, at)[0])
    if claimed > most:
        raise UnsupportedError(
            "a record batch is too large once decompressed",
            expected=f"at most {most:,} bytes",
            got=f"{claimed:,}",
            hint="write it with fewer rows in a batch",
        )


def _damaged() -> CorruptError:
    return CorruptError("a message's metadata is damaged")
