"""The canonical bytes of a leaf of the hash tree: no more bits than its values need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.codec.packed_encode_kernels import bit_length
from evstore.codec.vector_encoding import put_bitmaps, put_step_bitmaps
from evstore.jit import kernel

U = np.uint64
MOST_BITS = 64 + 16 + 16 + 1
STEP = 1024  # events at once: their columns stay in the nearest cache


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
def column_bitmaps(
    values: NDArray[Any], start: int, stop: int, bits: int, out: NDArray[np.uint8], at: int
) -> None:
    """A bitmap of each of the lowest ``bits`` of a column, to ``out[at]`` and on, of some events.

    ``start`` is a multiple of 64.
    """
    n = values.size
    size = (n + 7) >> 3
    for bit in range(0, bits, 8):
        count = min(8, bits - bit)
        to = at + bit * size
        whole = start + ((stop - start) & -64)
        for i in range(start, whole, 64):
            put_bitmaps(values, U(i), U(bit), U(count), out, U(to + (i >> 3)), U(size))
        for i in range(whole, stop, 8):
            for k in range(count):
                octet = U(0)
                for j in range(i, min(i + 8, stop)):
                    octet |= ((U(values[j]) >> U(bit + k)) & U(1)) << U(j - i)
                out[to + k * size + (i >> 3)] = np.uint8(octet)


@kernel
def step_bitmaps(
    t: NDArray[np.int64], start: int, stop: int, bits: int, out: NDArray[np.uint8]
) -> None:
    """column_bitmaps of the time differences, modulo 2**64, the first one 0."""
    n = t.size
    size = (n + 7) >> 3
    for bit in range(0, bits, 8):
        count = min(8, bits - bit)
        to = bit * size
        first = min(max(start, 64), stop)  # before it the vectors would look at what is before t
        whole = first + ((stop - first) & -64)
        for i in range(first, whole, 64):
            put_step_bitmaps(t, U(i), U(bit), U(count), out, U(to + (i >> 3)), U(size))
        for a, b in ((start, first), (whole, stop)):
            for i in range(a, b, 8):
                for k in range(count):
                    octet = U(0)
                    for j in range(i, min(i + 8, b)):
                        step = U(t[j]) - U(t[max(j - 1, 0)])
                        octet |= ((step >> U(bit + k)) & U(1)) << U(j - i)
                    out[to + k * size + (i >> 3)] = np.uint8(octet)


@kernel
def leaf_body(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    t_bits: int,
    x_bits: int,
    y_bits: int,
    out: NDArray[np.uint8],
) -> None:
    """A bitmap of each bit of the time differences (the first one is 0), of x, of y and of p.

    ``out`` holds MOST_BITS bitmaps.
    """
    n = t.size
    size = (n + 7) >> 3
    for start in range(0, n, STEP):
        stop = min(start + STEP, n)
        step_bitmaps(t, start, stop, t_bits, out)
        at = t_bits * size
        column_bitmaps(x, start, stop, x_bits, out, at)
        at += x_bits * size
        column_bitmaps(y, start, stop, y_bits, out, at)
        column_bitmaps(p, start, stop, 1, out, at + y_bits * size)
