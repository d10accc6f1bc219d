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


@kernel
def cells_of(x: np.uint64, y: np.uint64, x_bits: np.uint64) -> np.uint64:
    """The small cell of a pixel, and the large one from bit 16 on."""
    small_side = max(x_bits, U(1)) - U(1)
    large_side = max(x_bits, U(3)) - U(3)
    small = (((y >> U(1)) << small_side) | (x >> U(1))) & U(SMALL_CELLS - 1)
    large = (((y >> U(3)) << large_side) | (x >> U(3))) & U(LARGE_CELLS - 1)
    return small | (large << U(16))


@kernel
def forget(small: NDArray[np.uint8], large: NDArray[np.uint8]) -> None:
    """No cell had an event yet."""
    for i in range(small.size):
        small[i] = np.uint8(0)
    for i in range(large.size):
        large[i] = np.uint8(0)


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
    unsure_at = U(0)
    sure_at = U(8) * sure_from
    n = U(p.size)
    for first in range(U(0), n, U(32)):
        a = bits_from(wrong, unsure_at)
        b = bits_from(wrong, sure_at)
        for i in range(first, min(first + U(32), n)):
            k = U(cells[i]) & U(0xFFFF)
            m = U(cells[i]) >> U(16)
            c = U(small[k]) | (U(large[m]) << U(2))
            s = (sure >> c) & U(1)
            v = ((predicted >> c) ^ (b if s else a)) & U(1)
            a = a >> (s ^ U(1))
            b = b >> s
            sure_at += s
            small[k] = np.uint8(U(2) | v)
            large[m] = np.uint8(((U(large[m]) << U(1)) | v) & U(3))
            p[i] = np.uint8(v)
        unsure_at = U(8) * sure_from + min(first + U(32), n) - sure_at
    return sure_at - U(8) * sure_from


@kernel
def bits_from(octets: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """At least 32 bits from bit ``at`` on."""
    k = at >> U(3)
    v = U(0)
    for i in range(U(5)):
        v |= U(octets[k + i]) << (U(8) * i)
    return v >> (at & U(7))
