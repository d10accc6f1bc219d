"""Frequencies of symbols: coarse classes in the payload, slots of a table in memory.

A symbol of class 0 is not there; one of class 1 has a single slot, higher ones share what is left
by weights two to a doubling. An entry of a table says all that decoding needs: for slot ``s`` of
a symbol with ``f`` slots from ``c`` on

    f - 1 | (s - c) << 12 | n1 << 24 | n2 << 28 | v1 << 32 | v2 << 48

where ``v1, n1`` and ``v2, n2`` are base and raw bits of its two numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.jit import kernel

U = np.uint64
MOST_CLASS = 31


@kernel
def weight(klass: np.uint64) -> np.uint64:
    """0 of classes 0 and 1, then 2, 3, 4, 6, 8, 12 ..."""
    if klass < U(2):
        return U(0)
    return (U(2) | (klass & U(1))) << ((klass - U(2)) >> U(1))


@kernel
def class_of(count: np.uint64, total: np.uint64, slots: np.uint64) -> np.uint64:
    """The class whose weight, in halves of a slot, is nearest to this share less one."""
    share = (U(4) * count * slots) // total  # in quarters
    if share < U(6):
        return U(1)
    share -= U(4)
    klass = U(2)
    while klass < U(MOST_CLASS) and share >= weight(klass) + weight(klass + U(1)):
        klass += U(1)
    return klass


@kernel
def share_slots(classes: NDArray[np.uint8], bits: np.uint64, slots: NDArray[np.uint32]) -> bool:
    """How many of ``2**bits`` slots each symbol has; False where there are too many symbols."""
    total = U(0)
    present = U(0)
    for i in range(classes.size):
        total += weight(U(classes[i]))
        present += U(classes[i] != 0)
    if present == U(0) or present > (U(1) << bits):
        return False
    left = (U(1) << bits) - present
    # Where all weights are 0, each symbol has weight 1.
    even = U(total == U(0))
    total += even * present
    scale = (left << U(32)) // total
    weights = U(0)
    before = U(0)
    last = U(0)
    for i in range(classes.size):
        if classes[i] != 0:
            weights += weight(U(classes[i])) + even
            upto = (weights * scale) >> U(32)
            slots[i] = np.uint32(U(1) + upto - before)
            before = upto
            last = U(i)
        else:
            slots[i] = np.uint32(0)
    slots[last] = np.uint32(U(slots[last]) + left - before)
    return True


@kernel
def fill_slots(table: NDArray[np.uint64], count: np.uint64, about: np.uint64) -> None:
    """The entries of one symbol; ``about`` is what they say from bit 24 on."""
    entry = (count - U(1)) | (about << U(24))
    for k in range(count):
        table[k] = entry
        entry += U(1 << 12)
