"""Side streams of a recording: rows of integer columns, such as external triggers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError, CorruptError
from evstore.shard.layout import (
    SIDE,
    Cursor,
    Record,
    frame,
    json_bytes,
    parse_text,
    put_varint,
)
from evstore.shard.table import pack_table, unpack_table

#: Columns of the streams that evstore itself writes.
TRIGGERS = {"t": "<i8", "id": "|u1", "p": "|u1"}
LABELS = {"t_start": "<i8", "t_stop": "<i8", "class_id": "<i8"}
MAX_ROWS = 1 << 16
MAX_COLUMNS = 64
DTYPES = {f"{'|' if size == 1 else '<'}{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)}
DTYPES.add("|b1")


def side_record(
    recording: int, stream: str, columns: Mapping[str, NDArray[Any]], first_row: int
) -> bytes:
    """A SIDE record of up to MAX_ROWS rows."""
    body = bytearray()
    put_varint(body, recording)
    name = stream.encode()
    put_varint(body, len(name))
    body += name
    rows = len(next(iter(columns.values())))
    put_varint(body, first_row)
    put_varint(body, rows)
    named = [[name, v.dtype.newbyteorder("<").str] for name, v in columns.items()]
    if not DTYPES.issuperset(dtype for _, dtype in named) or len(named) > MAX_COLUMNS:
        raise ArgumentError(f"side stream {stream!r}: columns must be integers, got {named}")
    dtypes = json_bytes({"columns": named})
    put_varint(body, len(dtypes))
    body += dtypes
    return frame(SIDE, bytes(body) + pack_table([v.tolist() for v in columns.values()]))


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
    table, _ = unpack_table(record.body[c.at :], rows, len(dtypes), 0, record.offset)
    columns = {
        name: np.array(values, np.int64).astype(dtype)
        for (name, dtype), values in zip(dtypes.items(), table, strict=True)
    }
    return recording, stream, first, columns
