"""The records of an MCAP file. https://mcap.dev/spec"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from evstore.errors import CorruptError, FormatError, UnsupportedError
from evstore.formats import rosbag_source
from evstore.formats.rosbag_source import (
    CONNECTION_LIMIT,
    PLAIN,
    Connection,
    Count,
    Item,
    Message,
    Source,
    Stated,
    Survey,
    message_limit,
    of_chunk,
    of_file,
    require_message,
)

MAGIC = b"\x89MCAP0\r\n"
TITLE = "MCAP"

FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, STATISTICS, DATA_END = 2, 3, 4, 5, 6, 0x0B, 0x0F

#: Bytes before a message's own, and before a chunk's.
MESSAGE_HEAD = 22
CHUNK_HEAD = 32
#: A schema, a channel or the statistics.
DATA_BYTES = 4 << 20
#: All schemas kept: their texts are bounded together.
SCHEMA_BYTES = 8 << 20

_Wanted = Callable[[int], bool]
_SERIALIZATIONS = {"cdr": "cdr", "ros1": "ros1"}


class _Schemas:
    """Name, kind of text and text of each schema met so far."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[str, str, str]] = {}
        self._bytes = 0

    def add(self, data: bytes, offset: int) -> None:
        number = _Data(data, offset)
        key = number.u(2)
        name, kind = number.text(), number.text()
        if key in self.known:
            return
        self._bytes += len(data)
        if self._bytes > SCHEMA_BYTES or len(self.known) > CONNECTION_LIMIT:
            raise UnsupportedError("too many schemas", offset=offset)
        self.known[key] = (name, kind, number.text())


def _walk(stream: BinaryIO, wanted: _Wanted, inside: bool) -> Iterator[Item]:
    stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC:
        raise FormatError("no MCAP file of version 0", offset=0)
    file = of_file(stream, len(MAGIC))
    limit, schemas = message_limit(file), _Schemas()
    ended = False
    while not ended:
        op, size = _record(file)
        if op == CHUNK and inside:
            yield from _inside(file, size, schemas, wanted, limit)
        elif op == FOOTER:
            file.skip(size, "the footer")
            _require_end(file)
            ended = True
        else:
            # Messages are counted once: one by one, or as the statistics say.
            for item in _item(op, size, file, schemas, wanted, limit):
                if not isinstance(item, Count if inside else Message):
                    yield item


def survey(stream: BinaryIO) -> Survey:
    """What `rosbag_source.survey` finds."""
    return rosbag_source.survey(_walk, stream)


def messages(stream: BinaryIO, wanted: _Wanted) -> Iterator[Message]:
    """What `rosbag_source.messages` gives."""
    return rosbag_source.messages(_walk, stream, wanted)


def _require_end(file: Source) -> None:
    if bytes(file.take(len(MAGIC), "its closing magic")) != MAGIC or file.left:
        raise CorruptError("an MCAP file does not end behind its footer", offset=file.offset)


def _inside(
    file: Source, size: int, schemas: _Schemas, wanted: _Wanted, limit: int
) -> Iterator[Item]:
    """The records of a chunk; its checksum is compared at its end."""
    end = file.left - size
    if size < CHUNK_HEAD:
        raise CorruptError("a chunk is too short", offset=file.offset, got=size)
    head = _Data(bytes(file.take(CHUNK_HEAD, "a chunk")), file.offset)
    head.u(16)
    unpacked, crc, name_bytes = head.u(8), head.u(4), head.u(4)
    if name_bytes + 8 > size - CHUNK_HEAD:
        raise CorruptError("a chunk is too short", offset=file.offset, got=size)
    name = bytes(file.take(name_bytes, "a chunk")).decode("utf-8", "replace") or PLAIN
    stored = int.from_bytes(file.take(8, "a chunk"), "little")
    if stored > file.left - end:
        raise CorruptError("a chunk's data reach beyond it", offset=file.offset, got=stored)
    chunk = of_chunk(file, name, stored, unpacked)
    summed = _Summed(chunk)
    records = Source(summed.read, unpacked, chunk.offset, chunk=name) if crc else chunk
    while records.left:
        op, length = _record(records)
        if op == CHUNK:
            raise CorruptError("a chunk inside a chunk", offset=records.offset)
        yield from _item(op, length, records, schemas, wanted, limit)
    if crc not in (0, summed.crc):
        raise CorruptError(
            "a chunk's checksum does not fit", offset=file.offset, expected=crc, got=summed.crc
        )
    file.leave(chunk, end)


class _Summed:
    """Reads a chunk and sums what it reads."""

    def __init__(self, chunk: Source) -> None:
        self._chunk = chunk
        self.crc = 0

    def read(self, size: int) -> bytes:
        data = bytes(self._chunk.take(size, "a chunk"))
        self.crc = zlib.crc32(data, self.crc)
        return data


def _record(source: Source) -> tuple[int, int]:
    head = source.take(9, "a record" if source.left else "the records, without a footer")
    return head[0], int.from_bytes(head[1:], "little")


def _item(
    op: int, size: int, source: Source, schemas: _Schemas, wanted: _Wanted, limit: int
) -> Iterator[Item]:
    offset = source.offset
    if op == MESSAGE:
        if size < MESSAGE_HEAD:
            raise CorruptError("a message is too short", offset=offset, got=size)
        head, size = source.take(MESSAGE_HEAD, "a message"), size - MESSAGE_HEAD
        channel = int.from_bytes(head[:2], "little")
        if wanted(channel):
            require_message(size, limit, offset)
            yield Message(channel, source.take(size, "a message"), offset)
        else:
            source.skip(size, "a message")
            yield Message(channel, None, offset)
    elif op in (SCHEMA, CHANNEL, STATISTICS):
        if size > DATA_BYTES:
            raise CorruptError("a record is too long", offset=offset, got=size)
        data = bytes(source.take(size, "a record"))
        if op == SCHEMA:
            schemas.add(data, offset)
        elif op == CHANNEL:
            yield _channel(_Data(data, offset), schemas)
        else:
            yield from _statistics(_Data(data, offset))
    else:
        source.skip(size, "a record")


def _channel(data: _Data, schemas: _Schemas) -> Connection:
    number, schema = data.u(2), data.u(2)
    topic, encoding = data.text(), data.text()
    name, kind, text = schemas.known.get(schema, ("", "", ""))
    definition = text if kind in ("ros1msg", "ros2msg") else ""
    return Connection(number, topic, name, _SERIALIZATIONS.get(encoding, encoding), definition)


def _statistics(data: _Data) -> Iterator[Item]:
    data.u(10)
    yield Stated(data.u(4))
    data.u(28)
    for channel, count in struct.iter_unpack("<HQ", data.block()):
        yield Count(channel, count)


class _Data:
    """The fields of a record, one after the other."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset
        self._at = 0

    def u(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def text(self) -> str:
        return self._take(self.u(4)).decode("utf-8", "replace")

    def block(self) -> bytes:
        data = self._take(self.u(4))
        return data[: len(data) - len(data) % 10]

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise CorruptError(
                "a record's field reaches beyond it",
                offset=self._offset,
                expected=f"{size} bytes",
                got=f"{len(self._data) - self._at} left",
            )
        self._at += size
        return self._data[self._at - size : self._at]
