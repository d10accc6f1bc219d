"""What a chunk says of itself, in its own record and again in the index."""

from __future__ import annotations

from typing import NamedTuple

import xxhash

from evstore.errors import CorruptError
from evstore.shard.layout import (
    CHUNK,
    MAX_EVENTS_IN_CHUNK,
    Cursor,
    Record,
    put_signed,
    put_varint,
    signed,
)

CHECK_BYTES = 8
SMALLEST = 16  # bytes of a CHUNK record


class ChunkInfo(NamedTuple):
    """Where a chunk lies and what it holds, enough to decide whether to read it.

    ``x0 <= x < x1`` and ``y0 <= y < y1`` for every event; ``ordered`` where time never steps
    back within the chunk; ``size`` is the whole record's.
    """

    recording: int
    codec: int
    ordered: bool
    first_event: int
    count: int  # type: ignore[assignment]  # a tuple has a method of that name
    t_first: int
    t_last: int
    t_min: int
    t_max: int
    x0: int
    y0: int
    x1: int
    y1: int
    n_on: int
    offset: int = 0
    size: int = 0


#: Where each field stands in a table of chunks, which has a row for each.
COLUMN = {name: k for k, name in enumerate(ChunkInfo._fields)}
FIELDS = len(COLUMN)


def chunk_head(info: ChunkInfo) -> bytes:
    """The fields of a CHUNK record before its payload, after one byte that counts them.

    With that byte a reader that trusts the index finds the payload without parsing the fields.
    The plain path: what is written comes from record_kernels.put_head.
    """
    out = bytearray()
    put_varint(out, info.recording)
    put_varint(out, info.codec << 1 | int(info.ordered))
    put_varint(out, info.first_event)
    put_varint(out, info.count)
    put_signed(out, info.t_first)
    put_signed(out, signed(info.t_last - info.t_first))
    if not info.ordered:
        put_varint(out, info.t_first - info.t_min)
        put_varint(out, info.t_max - info.t_last)
    put_varint(out, info.x0)
    put_varint(out, info.y0)
    put_varint(out, info.x1 - info.x0)
    put_varint(out, info.y1 - info.y0)
    put_varint(out, info.n_on)
    return bytes([len(out)]) + bytes(out)


def payload_start(body_at: int, head: int) -> int:
    """Where the payload starts in a body at ``body_at`` of its record: an even place of it."""
    return head + ((body_at + head) & 1)


def check_fits(data: memoryview, at: int, size: int) -> bool:
    """Whether the checksum of the CHUNK record at ``data[at : at + size]`` does."""
    stop = at + size - CHECK_BYTES
    check = int.from_bytes(data[stop : at + size], "little")
    return xxhash.xxh3_64_intdigest(data[at:stop]) == check and data[at] == CHUNK[0]


def parse_chunk(record: Record) -> tuple[ChunkInfo, memoryview]:
    """What a CHUNK record says of itself, and its payload."""
    c = Cursor(record.body, record.body_offset)
    end = 1 + c.bytes(1, "head size")[0]
    recording = c.varint("recording")
    codec = c.varint("codec")
    first_event = c.varint("first event")
    count = c.varint("events")
    t_first = c.signed("first time")
    t_last = signed(t_first + c.signed("last time"))
    t_min, t_max = t_first, t_last
    if not codec & 1:
        t_min = signed(t_first - c.varint("least time"))
        t_max = signed(t_last + c.varint("greatest time"))
    x0, y0 = c.varint("x0"), c.varint("y0")
    x1, y1 = x0 + c.varint("x1"), y0 + c.varint("y1")
    n_on = c.varint("ON events")
    if not 0 < count <= MAX_EVENTS_IN_CHUNK:
        raise CorruptError(
            "number of events in a chunk cannot be",
            offset=record.offset,
            field="events",
            expected=f"1 to {MAX_EVENTS_IN_CHUNK}",
            got=count,
        )
    at = payload_start(record.body_offset - record.offset, end)
    info = ChunkInfo(
        recording, codec >> 1, bool(codec & 1), first_event, count,
        t_first, t_last, t_min, t_max, x0, y0, x1, y1, n_on, record.offset, record.size,
    )  # fmt: skip
    return info, record.body[at:]
