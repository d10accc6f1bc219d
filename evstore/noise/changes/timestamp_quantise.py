"""Time stamps of a coarse clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evstore.noise.batch import Batch, Sensor, Stage, copied, joined
from evstore.noise.changes import readout_kernels as kernels
from evstore.noise.key import Key
from evstore.noise.limits import check_integer
from evstore.noise.transform import Transform

LONGEST_US = 10**15


@dataclass(frozen=True)
class TimestampQuantise(Transform):
    """Time stamps in whole steps: the last of ``offset_us + k * step_us`` that is not after each.

    The first step may begin before the sample does. A stream holds a step back until the next one.

    Raises ArgumentError unless ``step_us`` lies in 1..10**15, and ``offset_us`` is as near to 0.

    >>> from evstore import Events
    >>> from evstore.noise import TimestampQuantise
    >>> TimestampQuantise(10)(Events([8, 19, 20], [1, 2, 3], [0] * 3, [1] * 3)).t.tolist()
    [0, 10, 20]
    """

    step_us: int
    offset_us: int = 0

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_integer("step_us", self.step_us, 1, LONGEST_US)
        check_integer("offset_us", self.offset_us, -LONGEST_US, LONGEST_US)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Holds the events of the step that is not over."""
        return _Quantising(int(self.step_us), int(self.offset_us) % int(self.step_us), start)


class _Quantising:
    def __init__(self, step: int, offset: int, start: int) -> None:
        self.step = step
        self.offset = offset
        self.settled = self._before(start)
        self.parts: list[Batch] = []

    def _before(self, t: int) -> int:
        return t - (t - self.offset) % self.step

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        t = np.empty(batch.size, np.int64)
        kernels.quantise(batch.t, self.step, self.offset, t)
        batch = batch._replace(t=t)
        settled = until if last else self._before(until)
        if not last and settled == self.settled:
            self._hold(batch)
            return joined([]), settled
        # All that waited is of the step before.
        cut = batch.size if last else int(np.searchsorted(t, settled))
        out = joined([*self.parts, batch.at(slice(0, cut))])
        self.parts, self.settled = [], settled
        self._hold(batch.at(slice(cut, None)))
        return out, settled

    def _hold(self, batch: Batch) -> None:
        if batch.size:
            self.parts.append(copied(batch))
