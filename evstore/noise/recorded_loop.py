"""One recording over and over, from some place in it on, read as time goes on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evstore.events import Events
from evstore.noise.limits import around
from evstore.noise.merge_kernels import is_sorted
from evstore.shard.reader import RecordingReader

PIECE = 65_536  # events that are read at once, about ...
MOST = 4 * PIECE  # ... and at most, those of the chunks that they lie in
SHORTEST_US = 1000  # of a recording that says how much noise there is


def period(reader: RecordingReader) -> tuple[int, int] | None:
    """The recording's least time, and after how long it begins again.

    That is a mean interval after its last event, so that it has as many events a second as
    before. None where it is too short to say.
    """
    span = reader.index.span()
    if span is None or span[3] - span[2] < SHORTEST_US:
        return None
    lasts, intervals = span[3] - span[2], reader.info.n_events - 1
    return span[2], lasts + max(1, (2 * lasts + intervals) // (2 * intervals))


class Loop:
    """Events of times ``start`` on: those that lie ``phase`` us and more after the first one's.

    Of the recording only the chunks are read that hold what is asked for; of a stream, whose end
    nobody knows, up to `PIECE` events more.
    """

    def __init__(
        self, reader: RecordingReader, least: int, length: int, phase: int, start: int
    ) -> None:
        self._reader = reader
        self._least = least
        self._length = length
        self._phase = phase
        self._step = max(1, length * PIECE // reader.info.n_events)
        self.given = start  # all before that time has been given
        self._read_to = start
        self._ahead = Events.empty()

    def expected(self, until: int) -> int:
        """About how many events there are before that time."""
        return max(0, until - self.given) * self._reader.info.n_events // self._length

    def pieces(self, until: int, last: bool) -> Iterator[Events]:
        """Those before that time that have not been given, in order of time, some at once."""
        while self.given < until:
            if self.given == self._read_to:
                self._read(until - self.given if last else None)
            if self._read_to <= until:
                piece, self._ahead = self._ahead, Events.empty()
            else:
                cut = int(np.searchsorted(self._ahead.t, until))
                piece, self._ahead = self._ahead[:cut], self._ahead[cut:]
            self.given = min(self._read_to, until)
            if len(piece):
                yield piece

    def _read(self, most_us: int | None) -> None:
        begin = self._least + self._phase
        step = min(self._step, self._length - self._phase)
        if most_us is not None:
            step = min(step, most_us)
        step = self._shortened(begin, step)
        events = self._reader.between(begin, begin + step)
        events.t[:] += around(self._read_to - begin)  # nobody else has these
        if not is_sorted(events.t):
            events = events[np.argsort(events.t, kind="stable")]
        self._ahead = events
        self._read_to += step
        self._phase = (self._phase + step) % self._length

    def _shortened(self, begin: int, step: int) -> int:
        """A step that is not longer, and reads no more than `MOST` events where that can be.

        Of times that step back far any step reads many: then one that gives about as many.
        """
        if self._touched(begin, step) > MOST:
            most = max(MOST, 2 * self._touched(begin, 1))
            while step > 1 and self._touched(begin, step) > most:
                step //= 2
        return step

    def _touched(self, begin: int, step: int) -> int:
        return sum(chunk.count for chunk in self._reader.touched(begin, begin + step))
