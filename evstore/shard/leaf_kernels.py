"""All that is made of a leaf, in one call: each waits for the interpreter's lock at its end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.packed_encode_kernels import encode_chunks
from evstore.jit import kernel
from evstore.shard.root_kernels import leaf_body


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
    steps: NDArray[np.uint64],
    narrow_steps: NDArray[np.uint16],
    body: NDArray[np.uint8],
) -> tuple[int, int, int]:
    """encode_chunks, then leaf_body, whose result is returned."""
    encode_chunks(t, x, y, p, step, words, deltas, low, runs, measures, ends)
    return leaf_body(t, x, y, p, steps, narrow_steps, body)
