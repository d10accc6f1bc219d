"""encode_chunks with the entropy-coded codec, in a module of its own: compiling it takes longer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.modelled_encode_kernels import Workspace, encode_modelled
from evstore.codec.packed_encode_kernels import (
    MEASURED_ON,
    MEASURED_X0,
    MEASURED_X1,
    MEASURED_Y0,
    MEASURED_Y1,
    MEASURES,
    encode,
)
from evstore.jit import kernel
from evstore.shard.leaf_kernels import CHECK_WORDS, ROW, lay_out, put_record
from evstore.shard.record_kernels import HEAD_ROOM
from evstore.shard.root import LEAF_EVENTS


@kernel
def encode_modelled_chunks(
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
    simple: int,
    space: Workspace,
) -> None:
    """What leaf_kernels.encode_chunks does, each chunk in the smaller of two codecs.

    ``about`` names the one; ``simple`` is the number of the other, which is tried first: it
    measures the chunk too.
    """
    at = 0
    a = 0
    for k in range(rows.size // ROW):
        b = min(a + step, (a // LEAF_EVENTS + 1) * LEAF_EVENTS, t.size)
        if a % LEAF_EVENTS == 0:
            space.choice[0] = -1
        payload = at + (HEAD_ROOM >> 1)
        row = measures[k * MEASURES : (k + 1) * MEASURES]
        used = encode(t[a:b], x[a:b], y[a:b], p[a:b], words[payload:], deltas, low, runs, row)
        codec = simple
        extents = (
            np.uint16(row[MEASURED_X0]),
            np.uint16(row[MEASURED_X1] - 1),
            np.uint16(row[MEASURED_Y0]),
            np.uint16(row[MEASURED_Y1] - 1),
        )
        out = words[payload : payload + used]
        less = encode_modelled(
            t[a:b], x[a:b], y[a:b], p[a:b], extents, row[MEASURED_ON], out, space
        )
        if less >= 0:
            used = less
            codec = about[1]
        index = rows[k * ROW : (k + 1) * ROW]
        put_record(octets, 2 * payload, 2 * used, about[0], codec, about[2] + a, row, index)
        at = payload + used + CHECK_WORDS
        a = b
    lay_out(t, x, y, p, measures, bits, body)
