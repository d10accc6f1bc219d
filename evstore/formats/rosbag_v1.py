"""The records of a ROS 1 bag, version 2.0. http://wiki.ros.org/Bags/Format/2.0"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from evstore.errors import CorruptError, UnsupportedError
from evstore.formats import rosbag_source
from evstore.formats.rosbag_source import (
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

MAGIC = b"#ROSBAG V2.0\n"
TITLE = "ROS 1 bag"

MESSAGE_DATA, BAG_HEADER, CHUNK, CHUNK_INFO, CONNECTION = 2, 3, 5, 6, 7

#: A record's header, and the data of a record that is neither a chunk nor a message.
HEADER_BYTES = 65_536
DATA_BYTES = 4 << 20

_Wanted = Callable[[int], bool]


def _walk(stream: BinaryIO, wanted: _Wanted, inside: bool) -> Iterator[Item]:
    if not stream.seek(0) and stream.read(len(MAGIC)) != MAGIC:
        raise UnsupportedError(
            "a ROS 1 bag of another version", expected="2.0", hint="`rosbag fix` writes it anew"
        )
    file = of_file(stream, len(MAGIC))
    limit = message_limit(file)
    for fields, size in _records(file):
        if _op(fields, file) != CHUNK:
            # Messages are counted once: one by one, or as the index says.
            for item in _item(fields, size, file, wanted, limit):
                if not isinstance(item, Count if inside else Message):
                    yield item
        elif not inside:
            file.skip(size, "a chunk")
        else:
            end = file.left - size
            unpacked = _u32(fields, b"size", file)
            chunk = of_chunk(file, _text(fields, b"compression"), size, unpacked)
            for inner, length in _records(chunk):
                yield from _item(inner, length, chunk, wanted, limit)
            file.leave(chunk, end)


def survey(stream: BinaryIO) -> Survey:
    """What `rosbag_source.survey` finds."""
    return rosbag_source.survey(_walk, stream)


def messages(stream: BinaryIO, wanted: _Wanted) -> Iterator[Message]:
    """What `rosbag_source.messages` gives."""
    return rosbag_source.messages(_walk, stream, wanted)


def _records(source: Source) -> Iterator[tuple[dict[bytes, bytes], int]]:
    """Each record's header, and the length of the data, which the caller takes or skips."""
    while source.left:
        length = int.from_bytes(source.take(4, "a record"), "little")
        if length > HEADER_BYTES:
            raise CorruptError(
                "a record's header is too long",
                offset=source.offset,
                expected=f"<= {HEADER_BYTES}",
                got=length,
            )
        record = bytes(source.take(length + 4, "a record"))
        yield _fields(record[:length], source), int.from_bytes(record[length:], "little")


def _fields(header: bytes, source: Source) -> dict[bytes, bytes]:
    found, at = {}, 0
    while at + 4 <= len(header):
        end = at + 4 + int.from_bytes(header[at : at + 4], "little")
        name, equals, value = header[at + 4 : end].partition(b"=")
        if end > len(header) or not equals:
            break
        found[name] = value
        at = end
    if at != len(header):
        raise CorruptError("a record's header is no list of name=value", offset=source.offset)
    return found


def _item(
    fields: dict[bytes, bytes], size: int, source: Source, wanted: _Wanted, limit: int
) -> Iterator[Item]:
    op = _op(fields, source)
    if op == MESSAGE_DATA:
        connection, offset = _u32(fields, b"conn", source), source.offset
        if wanted(connection):
            require_message(size, limit, offset)
            yield Message(connection, source.take(size, "a message"), offset)
        else:
            source.skip(size, "a message")
            yield Message(connection, None, offset)
    elif op == BAG_HEADER:
        if fields.get(b"encryptor"):
            raise UnsupportedError("an encrypted bag", offset=source.offset)
        yield Stated(_u32(fields, b"conn_count", source))
        source.skip(size, "the bag's header")
    elif op in (CONNECTION, CHUNK_INFO):
        if size > DATA_BYTES:
            raise CorruptError("a record is too long", offset=source.offset, got=size)
        data = bytes(source.take(size, "a record"))
        if op == CONNECTION:
            yield _connection(fields, _fields(data, source), source)
        else:
            whole = data[: len(data) - len(data) % 8]
            yield from (Count(*pair) for pair in struct.iter_unpack("<2I", whole))
    elif op == CHUNK:
        raise CorruptError("a chunk inside a chunk", offset=source.offset)
    else:
        source.skip(size, "a record")


def _connection(
    fields: dict[bytes, bytes], about: dict[bytes, bytes], source: Source
) -> Connection:
    return Connection(
        _u32(fields, b"conn", source),
        _text(fields, b"topic"),
        _text(about, b"type"),
        "ros1",
        _text(about, b"message_definition"),
    )


def _op(fields: dict[bytes, bytes], source: Source) -> int:
    value = fields.get(b"op", b"")
    if len(value) != 1:
        raise CorruptError("a record has no kind", offset=source.offset, field="op")
    return value[0]


def _u32(fields: dict[bytes, bytes], name: bytes, source: Source) -> int:
    value = fields.get(name, b"")
    if len(value) != 4:
        raise CorruptError(
            "a record's field is missing or of another size",
            offset=source.offset,
            field=name.decode(),
            expected="4 bytes",
            got=len(value),
        )
    return int.from_bytes(value, "little")


def _text(fields: dict[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode("utf-8", "replace")
