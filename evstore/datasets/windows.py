"""Windows over many recordings, planned from the manifest alone: no chunk is read."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.catalogue import Catalogue
from evstore.errors import ArgumentError

#: Windows of one plan: 24 to 32 bytes each, and as much again while they are planned. More is most
#: often a stride of a microsecond by mistake.
MOST_WINDOWS = 1 << 28
LONGEST = 1 << 62
MOST_TIME = (1 << 63) - 1


class Plan(NamedTuple):
    """Windows in the order of their recordings: times [start, stop), or numbers of events."""

    recording: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    by_time: bool
    class_id: NDArray[np.int64] | None  # of the interval that a window is of, or lies in
    duration: int | None = None  # of each; ``stop`` ends with the times that an int64 holds

    def bounds(self, k: int) -> tuple[int, int]:
        """Where window ``k`` starts, and where it stops."""
        start = int(self.start[k])
        return start, int(self.stop[k]) if self.duration is None else start + self.duration

    def at(self, which: NDArray[np.int64]) -> Plan:
        """These windows, in this order."""
        class_id = None if self.class_id is None else self.class_id[which]
        columns = (self.recording[which], self.start[which], self.stop[which])
        return Plan(*columns, self.by_time, class_id, self.duration)


@dataclass(frozen=True)
class Windows:
    """How recordings are cut: by ``duration`` (us), by ``count`` of events, or by ``labels``.

    A window begins ``stride`` after the one before (its own length, unless said). The first one
    begins at a recording's least time (its first event); an incomplete last one is left out,
    unless ``partial``. ``labels``: each labelled interval is a window, or is cut by ``duration``;
    an incomplete last one then ends with its interval, since what follows is of another class.

    Raises ArgumentError for what cannot be.

    >>> Windows(duration=10_000, stride=5_000).duration
    10000
    """

    duration: int | None = None
    count: int | None = None
    labels: bool = False
    stride: int | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        if self.duration is not None and self.count is not None:
            raise ArgumentError("windows are of a duration or of a count of events, not both")
        if self.count is not None and self.labels:
            raise ArgumentError("windows by labels are cut by duration, not by count")
        if self.duration is None and self.count is None and not self.labels:
            raise ArgumentError("windows need a duration (us), a count (events) or labels=True")
        if self.stride is not None and self.duration is None and self.count is None:
            raise ArgumentError("a stride needs a duration or a count")
        for name in ("duration", "count", "stride"):
            value = getattr(self, name)
            if value is None:
                continue
            try:
                object.__setattr__(self, name, operator.index(value))
            except TypeError:
                raise ArgumentError(f"{name} must be an integer, got {value!r}") from None
            if not 1 <= value < LONGEST:
                raise ArgumentError(f"{name} must be 1 or more, got {value}")

    def plan(self, catalogue: Catalogue, recordings: NDArray[np.int64]) -> Plan:
        """The windows of these recordings, in their order."""
        if self.labels:
            return self._by_labels(catalogue, recordings)
        if self.count is not None:
            length = catalogue.events[recordings]
            some = np.flatnonzero(length)
            first, last = np.zeros(len(some), np.int64), length[some] - 1
            which, start, stop = _cut(
                first, last, self.count, self.stride or self.count, self.partial
            )
            stop = np.minimum(stop, length[some][which])
            return Plan(recordings[some][which], start, stop, False, None)
        some = recordings[catalogue.events[recordings] > 0]
        which, start, stop = self._by_time(catalogue.t_min[some], catalogue.t_max[some])
        return Plan(some[which], start, stop, True, None, self.duration)

    def _by_time(
        self, first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        assert self.duration is not None
        return _cut(first, last, self.duration, self.stride or self.duration, self.partial)

    def _by_labels(self, catalogue: Catalogue, recordings: NDArray[np.int64]) -> Plan:
        intervals = catalogue.intervals
        place = np.full(len(catalogue), -1, np.int64)
        place[recordings] = np.arange(len(recordings))
        chosen = np.flatnonzero(place[intervals.recording] >= 0)
        order = np.argsort(place[intervals.recording[chosen]], kind="stable")
        which = chosen[order]
        if not len(which):
            raise ArgumentError("no recording has labelled intervals: windows by labels need them")
        start, stop = intervals.t_start[which], intervals.t_stop[which]
        if self.duration is not None:
            some = which[stop > start]
            ends = intervals.t_stop[some]
            cut, start, stop = self._by_time(intervals.t_start[some], ends - 1)
            which, stop = some[cut], np.minimum(stop, ends[cut])
        class_id = intervals.class_id[which]
        return Plan(intervals.recording[which], start, stop, True, class_id)


def _cut(
    first: NDArray[np.int64], last: NDArray[np.int64], length: int, stride: int, partial: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Stretches of ``length``, ``stride`` apart, from ``first`` to ``last``, which is inside.

    Returns which pair each is of, where it starts and where it stops.
    """
    # Apart by more than an int64 holds, perhaps, but never by more than a uint64 does.
    apart = np.ascontiguousarray(last).view(np.uint64) - np.ascontiguousarray(first).view(np.uint64)
    step, least = np.uint64(stride), np.uint64(0 if partial else length - 1)
    fits = apart >= least
    further = np.where(fits, apart - least, np.uint64(0)) // step  # besides the first one
    total = float(further.sum(dtype=float)) + int(fits.sum())
    if total > MOST_WINDOWS:
        raise ArgumentError(
            f"{total:.3g} windows are too many: a plan holds up to {MOST_WINDOWS:,}, which take "
            f"{MOST_WINDOWS * 24 >> 30} GiB; got a stride of {stride}, one of "
            f"{math.ceil(stride * total / MOST_WINDOWS):,} or more fits; or take a split, or "
            "some of the shards"
        )
    counts = further.astype(np.int64) + fits
    which = np.repeat(np.arange(len(first)), counts)
    # In place: these arrays may be the largest that there are.
    start = np.arange(len(which), dtype=np.int64)
    start -= np.repeat(np.cumsum(counts) - counts, counts)
    start *= stride
    start += first[which]
    stop = start + length
    stop[start > MOST_TIME - length] = MOST_TIME
    return which, start, stop
