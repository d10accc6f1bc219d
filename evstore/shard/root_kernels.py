"""The canonical bytes of a leaf of the hash tree: no more bits than its values need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.codec.packed_encode_kernels import bit_length
from evstore.codec.vector_encoding import bits_with, put_bits
from evstore.jit import kernel

U = np.uint64
MOST_BITS = 64 + 16 + 16 + 1
STEP = 1024  # events at once: what is made of them stays in the nearest cache


@kernel
def used_bits(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16]
) -> tuple[int, int, int]:
    """Bits that time differences (modulo 2**64) need, and x, and y."""
    steps = U(0)
    for i in range(1, t.size):
        steps |= U(t[i]) - U(t[i - 1])
    columns = U(0)
    rows = U(0)
    for i in range(x.size):
        columns |= U(x[i])
    for i in range(y.size):
        rows |= U(y[i])
    return bit_length(steps), bit_length(columns), bit_length(rows)


@kernel
def bitmaps(
    values: NDArray[Any], first: int, last: int, out: NDArray[np.uint8], at: int, size: int
) -> None:
    """A bitmap of each bit from ``first`` to ``last`` (excluded), the first value lowest.

    They go to ``out[at]`` and each ``size`` bytes on.
    """
    n = values.size
    whole = n & -64
    for k in range(first, last):
        to = at + (k - first) * size
        for i in range(0, whole, 64):
            put_bits(bits_with(values, U(i), U(k)), out, U(to + (i >> 3)))
        for i in range(whole, n, 8):
            byte = U(0)
            for j in range(i, min(i + 8, n)):
                byte |= ((U(values[j]) >> U(k)) & U(1)) << U(j - i)
            out[to + (i >> 3)] = np.uint8(byte)


@kernel
def leaf_body(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    steps: NDArray[np.uint64],
    low: NDArray[np.uint16],
    out: NDArray[np.uint8],
) -> tuple[int, int, int]:
    """A bitmap of each bit of the time differences (the first one is 0), of x, of y and of p.

    Returns the bits of the first three. ``steps`` and ``low`` are scratch of STEP; ``out`` holds
    MOST_BITS bitmaps.
    """
    t_bits, x_bits, y_bits = used_bits(t, x, y)
    n = t.size
    size = (n + 7) >> 3
    for start in range(0, n, STEP):
        stop = min(start + STEP, n)
        steps[0] = U(t[start]) - U(t[max(start - 1, 0)])
        for i in range(1, stop - start):
            steps[i] = U(t[start + i]) - U(t[start + i - 1])
        # The bits that most differences have, of narrower values: four times as many a vector.
        narrow = min(t_bits, 16)
        for i in range(stop - start):
            low[i] = np.uint16(steps[i] & U(0xFFFF))
        at = start >> 3
        bitmaps(low[: stop - start], 0, narrow, out, at, size)
        bitmaps(steps[: stop - start], narrow, t_bits, out, at + narrow * size, size)
        at += t_bits * size
        bitmaps(x[start:stop], 0, x_bits, out, at, size)
        at += x_bits * size
        bitmaps(y[start:stop], 0, y_bits, out, at, size)
        bitmaps(p[start:stop], 0, 1, out, at + y_bits * size, size)
    return t_bits, x_bits, y_bits
