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

    def reserve(self, length: int, used: int = 0) -> None:
        """Make room for so many; ``used`` of them are kept."""
        if length > self.keys.size:
            grown = _room(max(length, 2 * self.keys.size))
            grown[:used] = self.keys[:used]
            self.keys = grown

    def batch(self, count: int, base: int, label: int) -> Batch:
        """The first ``count`` in order of time, then of place: however they were made."""
        keys, out = self.keys[:count], empty_batch(count)
        keys.sort()  # numpy's is as fast as sorting by digits, of many more processors' kinds
        kernels.unpack(keys, base, out.t, out.x, out.y, out.p)
        out.label.fill(label)
        return out


def _room(length: int) -> NDArray[np.uint64]:
    return empty_column("t", length).view(np.uint64)
