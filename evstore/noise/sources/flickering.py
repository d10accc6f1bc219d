"""A source of flicker: bursts of ON and OFF in each cycle of the light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, all_merged, empty_batch, joined, merged
from evstore.noise.limits import TIMES, around
from evstore.noise.random import total
from evstore.noise.random_kernels import BELL_LIMIT
from evstore.noise.sources import flicker_kernels as kernels
from evstore.noise.sources.adding import check_held
from evstore.noise.sources.packing import Keys
from evstore.noise.sources.packing_kernels import MOST_TIME

AT_ONCE = 1 << 14  # events, about, that are made and sorted at a time: in the first caches
DRAWS = 1 << 21  # pixels that are asked at a time, however few of them make an event
RUNS = 8  # that are held at a time: of more it takes long to find what is due in each of them


class Flickering:
    """Events of pixels: ``amounts`` of ON a cycle, and of OFF; each pixel ``lags_us`` late.

    ``rises`` and ``falls``: when ON and OFF events come, as `flicker_kernels.flicker` wants them,
    within ``reach`` (least and greatest part of a cycle).
    """

    def __init__(
        self,
        amounts: NDArray[np.float64],
        lags_us: NDArray[np.float64],
        places: NDArray[np.uint32],
        waveform: tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]],
        *,
        period_us: float,
        phase: float,
        jitter_us: float,
        seeds: tuple[int, int],
        start: int,
        label: int,
    ) -> None:
        rises, falls, reach = waveform
        self._lamp = kernels.Lamp(amounts, lags_us, places, rises, falls, period_us, jitter_us)
        dtypes = np.uint16, np.float64, np.uint8, np.uint8, np.uint8
        self._block = kernels.Room(*(np.empty(kernels.BLOCK, dtype) for dtype in dtypes))
        self._period, self._phase = period_us, phase
        self._seeds, self._start, self._label = seeds, start, label
        wander = jitter_us * BELL_LIMIT
        lags = (float(lags_us.min()), float(lags_us.max())) if lags_us.size else (0.0, 0.0)
        self._earliest = reach[0] * period_us + lags[0] - wander
        self._latest = reach[1] * period_us + lags[1] + wander
        # The first cycle that may have events from the start on.
        self._cycle = int(-self._latest // period_us) - 1 - int(phase)
        self._room = int(2 * np.add.reduce(np.floor(amounts) + 1))
        mean = 2 * total(amounts)
        few = min(AT_ONCE / max(mean, 1), DRAWS / max(amounts.size, 1), 1e8 / period_us)
        wide = self._latest - self._earliest
        check_held(
            mean / period_us * wide,
            "lower events_per_cycle, frequency_hz, jitter_us or phase_spread, or flicker a smaller "
            "region",
        )
        self._at_once = max(1, int(few), int(wide / (RUNS * period_us)))
        self._held: list[Batch] = []  # runs, made but not due, that overlap
        self._keys = Keys(0)

    def _begin(self, cycle: int) -> float:
        return (cycle + self._phase) * self._period

    def until(self, stop: int) -> Batch:
        """Those before ``stop`` that were not given yet."""
        parts = []
        if not self._lamp.amounts.size or stop <= self._start:
            return empty_batch()
        # What later cycles make comes after the earliest event of the next one.
        length = stop - self._start  # of the start itself a float has not all bits
        while self._begin(self._cycle) + self._earliest - 1 < length:
            settled = self._start + int(self._begin(self._cycle) + self._earliest) - 1
            parts += self._take(min(max(settled, self._start), stop))
            self._hold(self._some())
        return joined(parts + self._take(stop))

    def _take(self, stop: int) -> list[Batch]:
        """What is held of the time before ``stop``: parts that follow each other."""
        heads, tails = [], []
        for run in self._held:
            cut = int(np.searchsorted(run.t, stop))
            heads.append(run.at(slice(0, cut)))
            tails.append(run.at(slice(cut, None)))
        self._held = [tail for tail in tails if tail.size]
        heads = [head for head in heads if head.size]
        if len(heads) < 2:
            return heads
        # Mostly only the first times of the last run are among those of the others.
        others, last = all_merged(heads[:-1]), heads[-1]
        cut = int(np.searchsorted(last.t, others.t[-1], "right"))
        return [merged(others, last.at(slice(0, cut))), last.at(slice(cut, None))]

    def _hold(self, made: Batch) -> None:
        """Add what was made: merged when it is due, what waits long is not moved meanwhile."""
        if made.size:
            self._held.append(made)

    def _some(self) -> Batch:
        """The events of some cycles, those from the start on."""
        base = float(int(self._begin(self._cycle) + self._earliest) - 1)
        count = 0
        for cycle in range(self._cycle, self._cycle + self._at_once):
            self._keys.reserve(count + self._room, used=count)
            count = kernels.flicker(
                cycle, self._begin(cycle), self._seeds, base, self._lamp, self._block, count,
                self._keys.keys,
            )  # fmt: skip
        self._cycle += self._at_once
        origin = self._start + int(base)
        made = self._keys.batch(count, int(around(origin)), self._label, by_place=True)
        if base >= 0 and origin <= TIMES[1] - MOST_TIME:
            return made
        # Times before the start, and those after the last there is, may be no int64.
        since = made.t - around(origin)
        end = min(TIMES[1] - origin, 2 * MOST_TIME)
        first, last = np.searchsorted(since, [self._start - origin, end])
        return made.at(slice(int(first), int(last)))
