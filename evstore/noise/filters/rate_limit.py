"""A sensor that gives no more events than a rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evstore.noise.batch import Sensor
from evstore.noise.filters.choosing import Filter, Judge
from evstore.noise.filters.rate_kernels import ONE_EVENT, Bucket
from evstore.noise.limits import check_integer

MOST_PER_S = 1_000_000_000


@dataclass(frozen=True)
class RateLimit(Filter):
    """Drops events of the whole sensor that come faster than ``events_per_s``: a token bucket.

    The bucket holds ``burst`` events at most, and is full at first. Each event that is kept takes
    one out, time puts ``events_per_s`` of them in; an event that finds none is dropped. So of any
    T seconds no more than ``burst + T * events_per_s`` are kept.

    Raises ArgumentError unless both are integers of at least 1, of 10**9 at most.

    >>> from evstore import Events
    >>> events = Events([0, 1, 2, 1000], [5, 6, 7, 8], [7] * 4, [1] * 4, (34, 34))
    >>> RateLimit(1000, burst=2)(events).t.tolist()
    [0, 1, 1000]
    """

    events_per_s: int
    burst: int = 1000

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_integer("events_per_s", self.events_per_s, 1, MOST_PER_S)
        check_integer("burst", self.burst, 1, MOST_PER_S)

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream."""
        return _Bucket(self, start)


class _Bucket:
    def __init__(self, limit: RateLimit, start: int) -> None:
        room = limit.burst * ONE_EVENT
        self.bucket = Bucket(limit.events_per_s, room, np.array([room, start], np.int64))

    def rule(self, first: int, last: int) -> Bucket:
        # Full after a long time: so the difference of two times fits. And no time lies before it,
        # though a coarse clock may have moved events before the start.
        state = self.bucket.state
        state[1] = min(max(int(state[1]), first - (1 << 61)), first)
        return self.bucket
