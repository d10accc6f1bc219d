"""A readout that saturates."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch, Sensor, Stage, copied, empty_batch
from evstore.noise.changes import keep_kernels
from evstore.noise.changes import readout_kernels as kernels
from evstore.noise.changes.keep import flags, put
from evstore.noise.key import Key
from evstore.noise.limits import check_integer, check_number
from evstore.noise.transform import Transform

SLOWEST, FASTEST = 0.001, 1e9  # events a second
MOST_IN_BUFFER = 1 << 30
PARTS = 1000  # of an event a second: what rates are told apart by
MICROSECONDS = 1_000_000  # of a second
PIECE = 32_768  # events at once: what is known of them stays in the cache


@dataclass(frozen=True)
class BandwidthLimit(Transform):
    """A buffer of ``buffer_events`` that is read out at ``events_per_s``: it loses what overflows.

    The model is a queue: an event that finds an empty buffer is read at once, which takes
    1 / ``events_per_s``; others wait for those before them. The one that is being read keeps its
    place meanwhile; an event that finds all places taken is lost. With ``delay`` the time of an
    event becomes that at which it has been read, rounded down to microseconds: the last ones of a
    sample are read after its end. Without, times stay as they are. The arithmetic is of integers
    and exact: no rate is rounded, but to a thousandth of an event a second.

    Raises ArgumentError unless ``events_per_s`` lies in 0.001..10**9 and ``buffer_events`` in
    1..2**30.

    >>> from evstore import Events
    >>> from evstore.noise import BandwidthLimit
    >>> events = Events([0, 0, 0, 500, 5000], [1, 2, 3, 4, 5], [0] * 5, [1] * 5)
    >>> read = BandwidthLimit(events_per_s=1000, buffer_events=2)(events)
    >>> read.t.tolist(), read.x.tolist()
    ([1000, 2000, 6000], [1, 2, 5])
    """

    events_per_s: float
    buffer_events: int = 1024
    delay: bool = True

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_number("events_per_s", self.events_per_s, SLOWEST, FASTEST)
        check_integer("buffer_events", self.buffer_events, 1, MOST_IN_BUFFER)
        if not isinstance(self.delay, bool):
            raise ArgumentError(f"delay must be True or False, got {self.delay!r}")

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """The queue, empty at first."""
        return _Queue(self.events_per_s, self.buffer_events, self.delay, start)


class _Queue:
    """``work`` is what is left to read, in units of which a microsecond does a whole number."""

    def __init__(self, events_per_s: float, places: int, delay: bool, start: int) -> None:
        an_us = Fraction(float(events_per_s)).limit_denominator(PARTS) / MICROSECONDS
        self.a_us, self.an_event = an_us.numerator, an_us.denominator
        self.most = places * self.an_event
        self.longest = self.most // self.a_us + 1
        self.delay = delay
        self.state = np.array([start, 0], np.int64)
        self.unread = empty_batch()
        self.work, self.keep = np.empty(PIECE, np.int64), flags(PIECE)

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        if batch.size:  # a coarse clock before this may have moved them before the start
            self.state[kernels.TIME] = min(self.state[kernels.TIME], batch.t[0])
        at = self.unread.size
        out = empty_batch(at + self._most(batch) + keep_kernels.SPARE)
        put(self.unread, out)
        for begin in range(0, batch.size, PIECE):
            at += self._read(batch.at(slice(begin, begin + PIECE)), out.at(slice(at, None)))
        out = out.at(slice(0, at))
        if not self.delay:
            return out, until
        if last:
            self.unread = empty_batch()
            return out, max(until, int(out.t[-1]) + 1) if out.size else until
        # No more than the buffer holds, and what comes later is read later.
        cut = int(np.searchsorted(out.t, until))
        self.unread = copied(out.at(slice(cut, None)))
        return out.at(slice(0, cut)), until

    def _most(self, batch: Batch) -> int:
        """How many events can be kept: those for which there is time, and those in the buffer."""
        if not batch.size:
            return 0
        time = int(batch.t[-1]) - int(self.state[kernels.TIME])
        return min(batch.size, (time * self.a_us + self.most) // self.an_event + 1)

    def _read(self, batch: Batch, out: Batch) -> int:
        """Write those kept, with the times of the readout; how many."""
        work, keep = self.work[: batch.size], self.keep[: batch.size]
        how = (self.a_us, self.an_event, self.most - self.an_event, self.longest)
        kernels.queue(batch.t, *how, self.state, work, keep)
        if self.delay:
            kernels.stamp_when_read(batch.t, work, self.a_us, self.most)
            batch = batch._replace(t=work)
        keep_kernels.compact(keep, *batch, *out)
        return int(keep_kernels.count(keep))
