"""Packed events sorted by time, as a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.events import empty_column
from evstore.noise.batch import Batch, empty_batch
from evstore.noise.sources import sort_kernels as kernels


class Keys:
    """Room for packed events: what is made in it is sorted before it is used again."""

    def __init__(self, length: int) -> None:
        self.keys = _room(length)
        self._spare = _room(length)
        self._counts = np.empty(2 * kernels.DIGITS, np.int64)

    def reserve(self, length: int, used: int = 0) -> None:
        """Make room for so many; ``used`` of them are kept."""
        if length > self.keys.size:
            grown = _room(max(length, 2 * self.keys.size))
            grown[:used] = self.keys[:used]
            self.keys, self._spare = grown, _room(grown.size)

    def batch(
        self, count: int, base: int, most_time: int, label: int, *, ties: bool = False
    ) -> Batch:
        """The first ``count`` in order of time; times are at most ``most_time`` after ``base``.

        ``ties``: events of equal times in order of place and polarity, else as they were made.
        """
        out = empty_batch(count)
        bits = max(1, int(most_time).bit_length())
        kernels.sort_by_time(
            self.keys[:count], self._spare[:count], self._counts, bits, ties, base,
            out.t, out.x, out.y, out.p,
        )  # fmt: skip
        out.label.fill(label)
        return out


def _room(length: int) -> NDArray[np.uint64]:
    return empty_column("t", length).view(np.uint64)
