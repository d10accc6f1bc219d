"""All that is made of leaves, in one call: each waits for the interpreter's lock at its end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.modelled_choice_kernels import ANY
from evstore.codec.modelled_encode_kernels import NO_CODE, encode_modelled
from evstore.codec.modelled_room import Workspace
from evstore.codec.packed_encode_kernels import (
    MEASURED_ON,
    MEASURED_STEPS,
    MEASURED_X0,
    MEASURED_X1,
    MEASURED_Y0,
    MEASURED_Y1,
    MEASURES,
    bit_length,
    encode,
)
from evstore.codec.presets import MODELLED, PACKED
from evstore.jit import kernel
from evstore.shard.record_kernels import HEAD_ROOM, put_head
from evstore.shard.root import LEAF_EVENTS
from evstore.shard.root_kernels import MOST_BITS, leaf_body

U = np.uint64
CHECK_WORDS = 4  # behind each payload
ROW = 16  # fields of a ChunkInfo
LEAF_BODY = MOST_BITS * LEAF_EVENTS // 8  # bytes


@kernel
def lay_out(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    measures: NDArray[np.int64],
    bits: NDArray[np.int64],
    body: NDArray[np.uint8],
) -> None:
    """leaf_body of each leaf, of as many bits as used_bits would find: ``bits`` gets them.

    ``measures`` are those of all the chunks.
    """
    row = 0
    for k in range(bits.size // 3):
        a = k * LEAF_EVENTS
        b = min(a + LEAF_EVENTS, t.size)
        steps = U(0)
        columns = np.int64(1)
        rows = np.int64(1)
        done = a
        while done < b:
            steps |= U(measures[row + MEASURED_STEPS])
            if done > a:
                steps |= U(t[done]) - U(t[done - 1])
            columns = max(columns, measures[row + MEASURED_X1])
            rows = max(rows, measures[row + MEASURED_Y1])
            done += measures[row + 1]
            row += MEASURES
        used = bits[3 * k : 3 * k + 3]
        used[0], used[1], used[2] = (
            bit_length(steps),
            bit_length(U(columns - 1)),
            bit_length(U(rows - 1)),
        )
        out = body[k * LEAF_BODY :]
        leaf_body(t[a:b], x[a:b], y[a:b], p[a:b], used[0], used[1], used[2], out)


@kernel
def put_record(
    octets: NDArray[np.uint8],
    payload: int,
    size: int,
    recording: int,
    codec: int,
    first: int,
    measures: NDArray[np.int64],
    row: NDArray[np.int64],
) -> None:
    """The head of a CHUNK record before its payload of ``size`` bytes, and its row of the index."""
    start = put_head(octets, payload, size, recording, codec, first, measures)
    row[0], row[1], row[2], row[3] = recording, codec, measures[0], first
    for i in range(10):
        row[4 + i] = measures[1 + i]
    row[14], row[15] = start, payload + size + 2 * CHECK_WORDS - start


@kernel
def encode_chunks(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    step: int,
    about: NDArray[np.int64],
    words: NDArray[np.uint16],
    octets: NDArray[np.uint8],
    deltas: NDArray[np.uint64],
    low: NDArray[np.uint16],
    runs: NDArray[np.uint16],
    measures: NDArray[np.int64],
    rows: NDArray[np.int64],
    bits: NDArray[np.int64],
    body: NDArray[np.uint8],
    space: Workspace | None,
) -> None:
    """CHUNK records of ``step`` events each, cut at the ends of leaves too, but for their checks.

    Where there is ``space`` for it, each chunk is in the smaller of both codecs; without, none of
    the other one is compiled. The simple one comes first, since it measures the chunk too.

    ``about``: recording, first event. ``octets`` are the bytes of ``words``. ``measures``
    gets a row of MEASURES a chunk, ``rows`` one of ROW: what the index says of it, its place
    being one in ``octets``. Then lay_out of the leaves that ``bits`` has room for.
    """
    at = 0
    a = 0
    for k in range(rows.size // ROW):
        b = min(a + step, (a // LEAF_EVENTS + 1) * LEAF_EVENTS, t.size)
        payload = at + (HEAD_ROOM >> 1)
        row = measures[k * MEASURES : (k + 1) * MEASURES]
        used = encode(t[a:b], x[a:b], y[a:b], p[a:b], words[payload:], deltas, low, runs, row)
        codec = PACKED
        if space is not None:
            extents = (
                np.uint16(row[MEASURED_X0]),
                np.uint16(row[MEASURED_X1] - 1),
                np.uint16(row[MEASURED_Y0]),
                np.uint16(row[MEASURED_Y1] - 1),
            )
            out = words[payload : payload + used]
            less = encode_modelled(
                t[a:b], x[a:b], y[a:b], p[a:b], extents, row[MEASURED_ON], ANY, out, space
            )
            if less != NO_CODE:
                used = less
                codec = MODELLED
        index = rows[k * ROW : (k + 1) * ROW]
        put_record(octets, 2 * payload, 2 * used, about[0], codec, about[1] + a, row, index)
        at = payload + used + CHECK_WORDS
        a = b
    lay_out(t, x, y, p, measures, bits, body)
