"""All that is made of a leaf, in one call: each waits for the interpreter's lock at its end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.packed_encode_kernels import MEASURES, STEPS, X1, Y1, bit_length, encode_chunks
from evstore.jit import kernel
from evstore.shard.root_kernels import leaf_body

U = np.uint64


@kernel
def encode_and_lay_out(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    step: int,
    words: NDArray[np.uint16],
    deltas: NDArray[np.uint64],
    low: NDArray[np.uint16],
    runs: NDArray[np.uint16],
    measures: NDArray[np.int64],
    ends: NDArray[np.int64],
    body: NDArray[np.uint8],
) -> tuple[int, int, int]:
    """encode_chunks, then leaf_body of as many bits as used_bits would find; they are returned."""
    encode_chunks(t, x, y, p, step, words, deltas, low, runs, measures, ends)
    steps = U(0)
    columns = rows = 1
    for k in range(ends.size):
        row = measures[k * MEASURES : (k + 1) * MEASURES]
        first = k * step
        steps |= U(row[STEPS]) | (U(t[first]) - U(t[max(first - 1, 0)]))
        columns, rows = max(columns, row[X1]), max(rows, row[Y1])
    bits = bit_length(steps), bit_length(U(columns - 1)), bit_length(U(rows - 1))
    leaf_body(t, x, y, p, bits[0], bits[1], bits[2], body)
    return bits
