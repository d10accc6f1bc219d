"""The head of a CHUNK record, in front of its payload: the fast path of chunks.chunk_head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.jit import kernel
from evstore.shard.layout import CHUNK

U = np.uint64
KIND = np.uint8(CHUNK[0])
HEAD_ROOM = 256  # bytes: more than twice what the longest head takes, which is 90


@kernel
def put_varint(out: NDArray[np.uint8], at: int, value: np.uint64) -> int:
    """Write an unsigned integer, 7 bits a byte; returns where the next byte goes."""
    v = U(value)
    while v > U(0x7F):
        out[at] = np.uint8(v & U(0x7F) | U(0x80))
        v >>= U(7)
        at += 1
    out[at] = np.uint8(v)
    return at + 1


@kernel
def put_signed(out: NDArray[np.uint8], at: int, value: np.int64) -> int:
    """put_varint of an int64 as zigzag."""
    v = np.int64(value)
    return put_varint(out, at, (U(v) << U(1)) ^ U(v >> np.int64(63)))


@kernel
def put_fields(
    out: NDArray[np.uint8],
    at: int,
    recording: int,
    codec: int,
    first_event: int,
    row: NDArray[np.int64],
) -> int:
    """The fields of a chunk; ``row`` has its Measures in their order."""
    ordered, count, t_first, t_last, t_min, t_max = row[0], row[1], row[2], row[3], row[4], row[5]
    at = put_varint(out, at, U(recording))
    at = put_varint(out, at, U(codec << 1 | ordered))
    at = put_varint(out, at, U(first_event))
    at = put_varint(out, at, U(count))
    at = put_signed(out, at, t_first)
    at = put_signed(out, at, np.int64(U(t_last) - U(t_first)))
    if ordered == 0:
        at = put_varint(out, at, U(t_first) - U(t_min))
        at = put_varint(out, at, U(t_max) - U(t_last))
    at = put_varint(out, at, U(row[6]))
    at = put_varint(out, at, U(row[7]))
    at = put_varint(out, at, U(row[8] - row[6]))
    at = put_varint(out, at, U(row[9] - row[7]))
    return put_varint(out, at, U(row[10]))


@kernel
def put_head(
    out: NDArray[np.uint8],
    payload: int,
    size: int,
    recording: int,
    codec: int,
    first_event: int,
    row: NDArray[np.int64],
) -> int:
    """Write all of a record that comes before its payload of ``size`` bytes at ``out[payload]``.

    Returns where the record starts. The HEAD_ROOM bytes before the payload are overwritten. The
    start is even, as layout.even_start says: a zero behind the head, or an over-long length.
    """
    fields = payload - HEAD_ROOM
    head = put_fields(out, fields + 1, recording, codec, first_event, row) - fields
    out[fields] = np.uint8(head - 1)
    length = head + size
    start = fields + head  # what follows is made behind the fields, and put before them then
    out[start] = KIND
    to = put_varint(out, start + 1, U(length))
    pad = 0
    if ((to - start) + head) & 1:
        longer = put_varint(out, start + 1, U(length + 1))
        if longer == to:
            pad = 1
        else:
            to = put_varint(out, start + 1, U(length))
            out[to - 1] |= np.uint8(0x80)
            out[to] = np.uint8(0)
            to += 1
    begin = payload - pad - head - (to - start)
    for i in range(to - start):
        out[begin + i] = out[start + i]
    for i in range(head - 1, -1, -1):
        out[payload - pad - head + i] = out[fields + i]
    if pad:
        out[payload - 1] = np.uint8(0)
    return begin
