"""Places of bits in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

_ONE = np.uint64(1)
_S58 = np.uint64(58)
_HALVES = np.array(
    [0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x00FF00FF00FF00FF,
     0x0000FFFF0000FFFF, 0x00000000FFFFFFFF], np.uint64
)  # fmt: skip

# The place of the only bit in a word: the top six bits of its product with a de Bruijn sequence.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_OF = np.argsort([((0x03F79D71B4CB0A89 << n) & (2**64 - 1)) >> 58 for n in range(64)])


@kernel
def lowest_bit(word: Any) -> Any:
    """The place of the lowest set bit of a word that is not zero."""
    return _BIT_OF[((word & (~word + _ONE)) * _DE_BRUIJN) >> _S58]


@kernel
def highest_bit(word: Any) -> Any:
    """The place of the highest set bit of a word that is not zero."""
    for shift in (1, 2, 4, 8, 16, 32):
        word |= word >> np.uint64(shift)
    return _BIT_OF[((word ^ (word >> _ONE)) * _DE_BRUIJN) >> _S58]


@kernel
def exchanged(word: Any, places: int) -> Any:
    """The word with each bit at its place exclusive-or ``places``."""
    for k in range(6):
        if (places >> k) & 1:
            by = np.uint64(1 << k)
            word = ((word & _HALVES[k]) << by) | ((word >> by) & _HALVES[k])
    return word
