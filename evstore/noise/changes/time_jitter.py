"""Events at times beside their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evstore.noise.batch import Batch, Sensor, Stage, empty_batch
from evstore.noise.changes import jitter_kernels as kernels
from evstore.noise.changes.reorder import Reorder
from evstore.noise.changes.whole_steps import scale_for
from evstore.noise.key import Key
from evstore.noise.limits import check_number
from evstore.noise.random_kernels import BELL_LIMIT
from evstore.noise.transform import Transform

LARGEST_US = 10**9
PIECE = 24_576  # events at once: what they are put in order with stays in the cache


@dataclass(frozen=True)
class TimeJitter(Transform):
    """Moves each event's time by whole microseconds of the standard deviation ``deviation_us``.

    The law is near to normal and never exceeds 3.47 deviations and half a microsecond. None is
    lost: what would come before the sample's start comes at its start, what would come after its
    end in its last microsecond. The events are in order of time again, those of equal times as
    they were. A stream holds events back for that long, and a quarter of it.

    Raises ArgumentError unless ``deviation_us`` lies in 0..10**9.

    >>> from evstore import Events
    >>> from evstore.noise import TimeJitter
    >>> events = Events([5_000] * 1000, [3] * 1000, [4] * 1000, [1] * 1000)
    >>> moved = TimeJitter(100)(events, sample=7, start=0, stop=10_000)
    >>> 90 < float(moved.t.std()) < 110
    True
    """

    deviation_us: float = 100.0

    def check(self) -> None:
        """Raises ArgumentError unless the deviation lies in 0..10**9."""
        check_number("deviation_us", self.deviation_us, 0, LARGEST_US)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Counts the events of the stream: the number of each says where it goes."""
        seed = key.number(self.seed, "TimeJitter")
        return _Moving(seed, scale_for(self.deviation_us), start)


class _Moving:
    def __init__(self, seed: int, scale: float, start: int) -> None:
        self.seed = seed
        self.scale = scale
        self.start = start
        self.furthest = math.floor(scale * BELL_LIMIT + 0.5)
        self.seen = 0
        self.order = Reorder(start)

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        if self.furthest == 0:
            return batch, until
        out = empty_batch(self.order.waiting + batch.size)
        at = 0
        for begin in range(0, batch.size, PIECE):
            piece = batch.at(slice(begin, begin + PIECE))
            self.order.add(self._moved(piece))
            if begin + PIECE < batch.size and self.order.ripe:
                at += self.order.settle(int(piece.t[-1]) - self.furthest, out.at(slice(at, None)))
        if last:
            at += self._rest(until, out.at(slice(at, None)))
            return out.at(slice(0, at)), max(until, int(out.t[at - 1]) + 1) if at else until
        settled = until - self.furthest
        if settled >= self.order.settled + self.furthest // 4:
            at += self.order.settle(settled, out.at(slice(at, None)))
        return out.at(slice(0, at)), self.order.settled

    def _moved(self, batch: Batch) -> Batch:
        t = np.empty(batch.size, np.int64)
        kernels.move_times(batch.t, self.seed, self.seen, self.scale, self.start, t)
        self.seen += batch.size
        return batch._replace(t=t)

    def _rest(self, until: int, out: Batch) -> int:
        """All that waits, none after the end."""
        latest = max(until - 1, self.order.settled)
        self.order.end_before(latest)
        return self.order.settle(latest + 1, out)
