"""Vertical bit-packing: 64 lanes of 16-bit words, value ``i`` in lane ``i % 64``, row ``i // 64``.

Each lane packs its rows one after the other, lowest bits first. One row of 64 values is one
or two vector shifts. Shift amounts and masks come from tables of uint16: in ``pack``, values
computed in 64-bit registers would keep LLVM from using 16-bit lanes (five times slower).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.vector_decoding import unpack_row
from evstore.jit import kernel

LANES = np.uint64(64)
BLOCK = 1024

U = np.uint64

#: For width W and row r, at index 16 * W + r: the bit in its word where the value starts ...
SHIFT = np.array([(r * w) & 15 for w in range(17) for r in range(16)], dtype=np.uint16)
#: ... and that word's index in a section, for lane 0.
WORD = np.array([((r * w) >> 4) * 64 for w in range(17) for r in range(16)], dtype=np.uint64)
#: 2**(16 - s) modulo 2**16.
CARRY = np.array([(1 << (16 - s)) & 0xFFFF for s in range(16)], dtype=np.uint16)
#: Lowest W bits set.
MASK = np.array([(1 << w) - 1 for w in range(17)], dtype=np.uint16)


@kernel
def section_words(count: int, width: int) -> int:
    """Words (uint16) of a packed section of ``count`` values of ``width`` bits."""
    rows = (count + 63) >> 6
    return 64 * ((rows * width + 15) >> 4)


@kernel
def unpack(
    words: NDArray[np.uint16],
    at: np.uint64,
    count: np.uint64,
    width: np.uint64,
    add: np.uint16,
    out: NDArray[np.uint16],
    to: np.uint64,
    past: bool,
) -> None:
    """``add`` plus each of the ``count`` values packed at ``words[at]``, into ``out[to:]``.

    Whole rows are written: up to 63 values more. The caller has checked that the section
    lies in ``words``, and where ``past`` the cache, that ``out[to]`` is aligned.
    ``add`` must come as uint16.
    """
    rows = (count + U(63)) >> U(6)
    if width == U(0):  # no section: nothing may be read at ``at``
        for i in range(rows * LANES):
            out[to + i] = add
        return
    mask = MASK[width]
    for r in range(rows):
        place = width * U(16) + r
        shift = SHIFT[place]
        # Shifting left by 16 - shift is one multiplication, and right for a shift of 0 too.
        carry = CARRY[shift]
        k = at + WORD[place]
        # A value within one word takes that word twice, and the mask drops what is too much:
        # a branch here would keep LLVM from vectorising either side.
        h = k + LANES if U(shift) + width > U(16) else k
        unpack_row(words, k, h, shift, carry, mask, add, out, to + r * LANES, past)


@kernel
def pack(values: NDArray[np.uint16], count: int, width: int, words: NDArray[np.uint16]) -> None:
    """The inverse of ``unpack`` with nothing added: the low ``width`` bits of each value.

    ``values`` holds whole rows; ``words`` is one section long and is overwritten.
    """
    rows = U((count + 63) >> 6)
    w = U(width)
    mask = MASK[w]
    for i in range(words.size):
        words[i] = np.uint16(0)
    if w == U(0):
        return
    for r in range(rows):
        at = w * U(16) + r
        shift = SHIFT[at]
        k = WORD[at]
        v = values[r * LANES : r * LANES + LANES]
        lo = words[k : k + LANES]
        s = shift & np.uint16(15)
        for i in range(64):
            lo[i] = np.uint16(U(lo[i]) | ((U(v[i]) & U(mask)) << U(s)))
        if U(shift) + w > U(16):
            hi = words[k + LANES : k + LANES + LANES]
            rest = s ^ np.uint16(15)
            for i in range(64):
                hi[i] = np.uint16(((U(v[i]) & U(mask)) >> U(1)) >> U(rest))
