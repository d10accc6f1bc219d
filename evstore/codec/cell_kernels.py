"""Polarity told apart from what the last events near by had: mostly right, and where it is not
said, cheap.

Small cells of 2 x 2 pixels remember whether they had an event and the last one's polarity, large
ones of 8 x 8 the last two. Together they are one of 16 contexts; the head says what each predicts,
and whether it is sure. What is coded is where the prediction is wrong, in two strings of bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.model_format import LARGE_CELLS, SMALL_CELLS
from evstore.jit import kernel

U = np.uint64
CONTEXTS = 16
BITS_AT_ONCE = 40
LEADING = U(1 << 63)


@kernel
def cell_sides(x_bits: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Bits of the small and of the large cells in a row."""
    return max(x_bits, U(1)) - U(1), max(x_bits, U(3)) - U(3)


@kernel
def cells_fit(x_bits: np.uint64, y_bits: np.uint64) -> bool:
    """Whether each cell has a place of its own, so that x and y may be exchanged."""
    small = max(x_bits, U(1)) + max(y_bits, U(1)) - U(2)
    large = max(x_bits, U(3)) + max(y_bits, U(3)) - U(6)
    return bool((U(1) << small) <= U(SMALL_CELLS) and (U(1) << large) <= U(LARGE_CELLS))


@kernel
def cells_of(x: np.uint64, y: np.uint64, x_bits: np.uint64) -> np.uint64:
    """The small cell of a pixel, and the large one from bit 16 on."""
    small_side, large_side = cell_sides(x_bits)
    small = (((y >> U(1)) << small_side) | (x >> U(1))) & U(SMALL_CELLS - 1)
    large = (((y >> U(3)) << large_side) | (x >> U(3))) & U(LARGE_CELLS - 1)
    return small | (large << U(16))


@kernel
def forget(cells: NDArray[np.uint32], small: NDArray[np.uint8], large: NDArray[np.uint8]) -> None:
    """No cell that an event is in had one yet: of a small sensor they are few."""
    most_small = most_large = np.uint32(0)
    for i in range(cells.size):
        most_small = max(most_small, cells[i] & np.uint32(0xFFFF))
        most_large = max(most_large, cells[i] >> np.uint32(16))
    some_small, some_large = small[: np.int64(most_small) + 1], large[: np.int64(most_large) + 1]
    for i in range(some_small.size):
        some_small[i] = np.uint8(0)
    for i in range(some_large.size):
        some_large[i] = np.uint8(0)


@kernel
def contexts_of(
    cells: NDArray[np.uint32],
    p: NDArray[np.uint8],
    small: NDArray[np.uint8],
    large: NDArray[np.uint8],
    contexts: NDArray[np.uint8],
) -> None:
    """Each event's context."""
    for i in range(p.size):
        a = U(cells[i]) & U(0xFFFF)
        b = U(cells[i]) >> U(16)
        v = U(p[i])
        contexts[i] = np.uint8(U(small[a]) | (U(large[b]) << U(2)))
        small[a] = np.uint8(U(2) | v)
        large[b] = np.uint8(((U(large[b]) << U(1)) | v) & U(3))


@kernel
def tell_polarity(
    cells: NDArray[np.uint32],
    predicted: np.uint64,
    sure: np.uint64,
    wrong: NDArray[np.uint8],
    sure_from: np.uint64,
    small: NDArray[np.uint8],
    large: NDArray[np.uint8],
    p: NDArray[np.uint8],
) -> np.uint64:
    """The polarity of each event. Returns how many were sure.

    ``wrong`` holds a bit an event, 8 bytes more than needed behind each string: first those that
    are not sure, then, from byte ``sure_from`` on, those that are.
    """
    told = predicted | (sure << U(CONTEXTS))
    unsure_at = sure_at = U(0)
    n = U(p.size)
    for first in range(U(0), n, U(BITS_AT_ONCE)):
        a = bits_from(wrong, unsure_at)
        # Its leading one tells later how many bits were taken: a counter would be one variable
        # more than there are registers.
        b = bits_from(wrong, U(8) * sure_from + sure_at) | LEADING
        last = min(first + U(BITS_AT_ONCE), n)
        for i in range(first, last):
            k = U(cells[i]) & U(0xFFFF)
            m = U(cells[i]) >> U(16)
            two = U(large[m])
            about = told >> (U(small[k]) | (two << U(2)))
            s = (about >> U(CONTEXTS)) & U(1)
            # Without a branch: whether an event is sure is as good as random.
            v = (about ^ a ^ ((a ^ b) & (U(0) - s))) & U(1)
            a = a >> (s ^ U(1))
            b = b >> s
            small[k] = np.uint8(U(2) | v)
            large[m] = np.uint8((two & U(1)) << U(1) | v)
            p[i] = np.uint8(v)
        sure_at += U(leading_zeros(b))
        unsure_at = last - sure_at
    return sure_at


@kernel
def bits_from(octets: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """BITS_AT_ONCE bits from bit ``at`` on, and a few more; bit 63 is 0."""
    k = at >> U(3)
    v = U(0)
    for i in range(U(6)):
        v |= U(octets[k + i]) << (U(8) * i)
    return v >> (at & U(7))


@kernel
def leading_zeros(v: np.uint64) -> np.uint64:
    """Of a number that is not below 2**(63 - BITS_AT_ONCE)."""
    zeros = U(0)
    for step in (U(32), U(16), U(8), U(4), U(2), U(1)):
        if v >> (U(64) - step) == U(0):
            v = v << step
            zeros += step
    return zeros
