"""Packed events sorted by time, as a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.events import empty_column
from evstore.noise.batch import Batch, empty_batch
from evstore.noise.sources import packing_kernels as kernels


class Keys:
    """Room for packed events: what is made in it is sorted before it is used again."""

    def __init__(self, length: int) -> None:
        self.keys = _room(length)
        self._numbers = np.empty(0, np.uint32)
        self._other = _room(0)

    def reserve(self, length: int, used: int = 0) -> None:
        """Make room for so many; ``used`` of them are kept."""
        if length > self.keys.size:
            grown = _room(max(length, 2 * self.keys.size))
            grown[:used] = self.keys[:used]
            self.keys = grown

    def batch(self, count: int, base: int, label: int, by_place: bool = False) -> Batch:
        """The first ``count`` in order of time, then of place: however they were made.

        ``by_place``: of equal times they were made in order of place, nearly always.
        """
        keys = self._by_time(count) if by_place else None
        if keys is None:
            keys = self.keys[:count]
            keys.sort()  # numpy's is as fast as by digits, of many more processors' kinds
        out = empty_batch(count)
        kernels.unpack(keys, base, out.t, out.x, out.y, out.p)
        out.label.fill(label)
        return out

    def _by_time(self, count: int) -> NDArray[np.uint64] | None:
        """The same, if that is their order of time: half as many bits to sort."""
        keys = self.keys[:count]
        number_bits = count.bit_length()
        if not count or (int(keys.max()) >> kernels.TIME_SHIFT) >> (32 - number_bits):
            return None
        if count > self._other.size:
            self._numbers, self._other = np.empty(self.keys.size, np.uint32), _room(self.keys.size)
        numbers, other = self._numbers[:count], self._other[:count]
        kernels.number(keys, number_bits, numbers)
        numbers.sort()
        return other if kernels.pick(keys, numbers, number_bits, other) else None


def _room(length: int) -> NDArray[np.uint64]:
    return empty_column("t", length).view(np.uint64)
