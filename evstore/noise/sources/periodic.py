"""A source of pixels that fire periodically."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, empty_batch, joined
from evstore.noise.random import total
from evstore.noise.sources import periodic_kernels as kernels
from evstore.noise.sources.packing import Keys
from evstore.noise.sources.packing_kernels import MOST_TIME

AT_ONCE = 1 << 18  # events, about, that are made and sorted at a time
#: The most that an interval may vary, as a part of the period: it stays above a tenth of it.
MOST_JITTER = 0.25


class Periodic:
    """Events of pixels with these rates; ``flip`` of them not as preferred."""

    def __init__(
        self,
        rates_hz: NDArray[np.float64],
        places: NDArray[np.uint32],
        prefers: NDArray[np.uint8],
        *,
        jitter: float,
        flip: float,
        seeds: tuple[int, int, int, int],
        start: int,
        label: int,
    ) -> None:
        with np.errstate(over="ignore", divide="ignore"):  # the slowest never fire
            self._period_us = 1e6 / rates_hz
        self._places, self._prefers = places, prefers
        self._jitter, self._flip = jitter, round(flip * (1 << 32))
        self._seeds = seeds[2:]
        self._start, self._label = start, label
        self._due = np.empty(rates_hz.size, np.float64)
        self._fired = np.zeros(rates_hz.size, np.int64)
        self._done = 0.0
        self._a_us = total(rates_hz) / 1e6
        self._which = np.empty(rates_hz.size + 1, np.int64)
        self._keys = Keys(1024)
        kernels.begin(seeds[:2], jitter, self._period_us, self._due, self._which)

    def until(self, stop: int) -> Batch:
        """Those before ``stop`` that were not given yet."""
        if not self._a_us:
            return empty_batch()
        step = float(int(min(max(AT_ONCE / self._a_us, 1), MOST_TIME)))
        parts, end = [], float(stop - self._start)
        while self._done < end:
            parts.append(self._some(min(self._done + step, end)))
            if not parts[-1].size:  # so far apart that steps would go through years of nothing
                self._done = max(self._done, min(float(np.floor(self._due.min())), end))
        return joined(parts)

    def _some(self, stop: float) -> Batch:
        count = 0
        found = kernels.find_due(self._due, stop, self._which)
        while found:
            self._keys.reserve(count + found, count)
            more = kernels.fire(
                self._which, found, self._done, stop, self._seeds, self._jitter, self._period_us,
                self._due, self._fired, self._places, self._prefers, self._flip,
                self._keys.keys[count:],
            )  # fmt: skip
            count += found
            found = more
        base = self._start + int(self._done)
        self._done = stop
        return self._keys.batch(count, base, self._label)
