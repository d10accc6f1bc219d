"""Side streams of a recording: rows of columns, such as external triggers, IMU samples, pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from evstore.errors import ArgumentError, CorruptError
from evstore.events import dtype_name
from evstore.shard.layout import (
    SIDE,
    Cursor,
    Record,
    frame,
    json_bytes,
    parse_text,
    put_varint,
)

#: Columns of the streams that evstore itself writes.
TRIGGERS = {"t": "<i8", "id": "|u1", "p": "|u1"}
LABELS = {"t_start": "<i8", "t_stop": "<i8", "class_id": "<i8"}
MAX_ROWS = 1 << 20  # of a record ...
MAX_SIDE_BYTES = 4 << 20  # ... and bytes of their values
MAX_COLUMNS = 64
DTYPES = {f"{'|' if size == 1 else '<'}{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)}
DTYPES |= {"|b1", "<f4", "<f8"}
LEVEL = 9


def rows_at_once(columns: Mapping[str, NDArray[Any]]) -> int:
    """How many rows a record of such columns may have."""
    return max(1, min(MAX_ROWS, MAX_SIDE_BYTES // sum(v.dtype.itemsize for v in columns.values())))


def side_record(
    recording: int, stream: str, columns: Mapping[str, NDArray[Any]], first_row: int
) -> bytes:
    """A SIDE record of up to `rows_at_once` rows."""
    body = bytearray()
    put_varint(body, recording)
    name = stream.encode()
    put_varint(body, len(name))
    body += name
    rows = len(next(iter(columns.values())))
    put_varint(body, first_row)
    put_varint(body, rows)
    named = [[name, dtype_name(v.dtype)] for name, v in columns.items()]
    if not DTYPES.issuperset(dtype for _, dtype in named) or len(named) > MAX_COLUMNS:
        raise ArgumentError(
            f"side stream {stream!r}: columns must be integers, booleans or floats, got {named}"
        )
    dtypes = json_bytes({"columns": named})
    put_varint(body, len(dtypes))
    body += dtypes
    planes = b"".join(_planes(v) for v in columns.values())
    packed = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True).compress(planes)
    return frame(SIDE, bytes(body) + packed)


def parse_side(record: Record) -> tuple[int, str, int, dict[str, NDArray[Any]]]:
    """(recording, stream, first row, columns) of a SIDE record."""
    c = Cursor(record.body, record.body_offset)
    recording = c.varint("recording")
    stream = parse_text(c.bytes(c.varint("stream"), "stream"), record.offset)
    first, rows = c.varint("first row"), c.varint("rows")
    names = c.json("columns").get("columns")
    try:
        dtypes = {str(name): str(dtype) for name, dtype in names or ()}
    except (TypeError, ValueError) as error:
        raise CorruptError("columns of a side stream", offset=record.offset) from error
    if rows > MAX_ROWS or not 0 < len(dtypes) <= MAX_COLUMNS:
        raise CorruptError("side stream cannot be that long", offset=record.offset, got=rows)
    if not DTYPES.issuperset(dtypes.values()):
        raise CorruptError("columns of a side stream", offset=record.offset, got=json.dumps(names))
    return recording, stream, first, _unpack(bytes(record.body[c.at :]), rows, dtypes, record)


def _planes(values: NDArray[Any]) -> bytes:
    """The lowest byte of every value, then the next of every value, up to the highest."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(len(values), little.itemsize).T.tobytes()


def _unpack(
    packed: bytes, rows: int, dtypes: dict[str, str], record: Record
) -> dict[str, NDArray[Any]]:
    size = rows * sum(np.dtype(dtype).itemsize for dtype in dtypes.values())
    try:
        found = zstandard.frame_content_size(packed)
        if found != size or size > MAX_SIDE_BYTES + MAX_COLUMNS * 8:
            raise CorruptError(
                "side stream has another size than its counts say",
                offset=record.offset, expected=size, got=found,
            )  # fmt: skip
        raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(size, 1))
    except zstandard.ZstdError as error:
        raise CorruptError("side stream does not decompress", offset=record.offset) from error
    columns, at = {}, 0
    for name, dtype in dtypes.items():
        kind = np.dtype(dtype)
        planes = np.frombuffer(raw, np.uint8, rows * kind.itemsize, at)
        at += planes.size
        if kind.kind == "b" and planes.size and planes.max() > 1:
            raise CorruptError("a boolean that is neither", offset=record.offset, field=name)
        octets = np.ascontiguousarray(planes.reshape(kind.itemsize, rows).T)
        columns[name] = octets.reshape(-1).view(kind).astype(kind.newbyteorder("="), copy=False)
    return columns
