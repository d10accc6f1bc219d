"""Walk a shard's records from its start, without its index: for recovery, following, verifying."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.shard.chunks import parse_chunk
from evstore.shard.layout import (
    CHECK_SIZE,
    CHUNK,
    DIRECTORY,
    HEADER_SIZE,
    KINDS,
    MAX_RECORD,
    Record,
    parse_record,
)
from evstore.shard.source import Source

READ = 1 << 20
LONGEST_START = 6  # kind and length


def scan(
    source: Source,
    at: int = HEADER_SIZE,
    data: bytes | None = None,
    on_damage: Callable[[FormatError], None] | None = None,
) -> Iterator[Record]:
    """Records from ``at`` on, each with its check found right; bodies are valid until the next.

    Ends quietly where the data ends at or within a record, or at the footer. A damaged record
    raises CorruptError; with ``on_damage`` it is told, and the walk goes on at the next place
    where a whole record stands.
    """
    size = source.size() if data is None else len(data)
    while at + 2 <= size:
        length = _record_size(source, at, size, data)
        if length is None:
            return
        try:
            if length < 0 or at + length > size:
                if on_damage is None and length >= 0:
                    return
                raise CorruptError("no record here", path=source.name, offset=at)
            view = memoryview(data)[at : at + length] if data else _read(source, at, length)
            record = parse_record(view, 0, at)
            if kind_is_unknown(record.kind):
                raise UnsupportedError(
                    f"holds a record of kind {record.kind.decode()!r}, which this evstore "
                    "does not have",
                    path=source.name,
                    offset=at,
                    hint="update evstore to read it",
                )
        except CorruptError as error:
            if on_damage is None:
                raise error.at(source.name) from None
            found = _next_record(source, at + 2, size)
            if found is None and length is not None and at + length > size:
                return  # the end of a cut file, not damage
            on_damage(error)
            if found is None:
                return
            at = found
            continue
        yield record
        if record.kind == DIRECTORY:
            return
        at += record.size


def kind_is_unknown(kind: bytes) -> bool:
    """Whether a reader may not skip a record of this kind, and does not know it."""
    return kind not in KINDS and not kind.islower()


def _read(source: Source, at: int, length: int) -> memoryview:
    return memoryview(source.read(at, length))


def _record_size(source: Source, at: int, size: int, data: bytes | None) -> int | None:
    """Size of the record at ``at`` by its length field; -1 where none can be, None at the end."""
    count = min(LONGEST_START, size - at)
    start = data[at : at + count] if data is not None else source.read(at, count)
    kind = start[:1]
    if kind == b"":
        return None
    if kind not in KINDS and not kind.isalpha():
        return -1 if at + 8 <= size or data is not None else None
    length = 0
    for k, byte in enumerate(start[1:]):
        length |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            total = 2 + k + length + CHECK_SIZE.get(kind, 8)
            return total if length <= MAX_RECORD else -1
    return None if count < LONGEST_START else -1


def _next_record(source: Source, at: int, size: int) -> int | None:
    """The next even place from ``at`` on where a whole record with a right check stands."""
    while at < size:
        block = source.read(at, min(READ, size - at))
        for i in range(0, len(block), 2):
            if block[i : i + 1] in KINDS and _is_record(source, at + i, size):
                return at + i
        at += len(block)
    return None


def _is_record(source: Source, at: int, size: int) -> bool:
    length = _record_size(source, at, size, None)
    if length is None or length < 0 or at + length > size:
        return False
    try:
        parse_record(source.read(at, length), 0, at)
    except FormatError:
        return False
    return True


def count_safe_events(source: Source) -> int:
    """Events in complete chunks of a file without a footer; reads only the chunks' heads."""
    size = source.size()
    at, safe = HEADER_SIZE, 0
    while at + 2 <= size:
        length = _record_size(source, at, size, None)
        if length is None or length < 0 or at + length > size:
            break
        if source.read(at, 1) == CHUNK:
            head = source.read(at, min(length, 160))
            body = 2
            while head[body - 1] & 0x80:
                body += 1
            try:
                record = Record(CHUNK, at, memoryview(head)[body:], length, at + body)
                safe += parse_chunk(record)[0].count
            except (CorruptError, TruncatedError):
                break
        at += length
    return safe
