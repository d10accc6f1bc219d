"""The spatio-temporal correlation filter, and a number an event that says it for any window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.batch import Sensor, batch_of, check_inside, in_order
from evstore.noise.filters import neighbour_kernels as kernels
from evstore.noise.filters.activity import WAYS
from evstore.noise.filters.choosing import Filter, Judge
from evstore.noise.filters.pixel_times import LONGEST_US, STARTS, PixelTimes
from evstore.noise.limits import check_choice, check_integer, check_pixels
from evstore.noise.transform import from_structured, size_of

#: The age of an event that is not supported at all.
NEVER_US = np.iinfo(np.int64).max
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Stcf(Filter):
    """Keeps events of which ``support`` neighbouring pixels had one less than ``window_us`` before.

    Of S. Guo and T. Delbruck, "Low cost and latency event camera background activity denoising",
    IEEE TPAMI 2022. The pixel's own events do not count, those that are dropped do.
    ``neighbours``: all 8, or the 4 left, right, above and below. ``same_polarity``: only events
    of the same polarity support each other. ``start``: what was before the stream. ``"quiet"``:
    nothing. ``"active"``: an event of each pixel at time 0.

    Raises ArgumentError for a window that is not 1..2**30 - 1 microseconds (18 minutes), and for
    more support than there are neighbours.

    >>> from evstore import Events
    >>> events = Events([10, 20, 30, 500], [5, 7, 6, 6], [7] * 4, [1] * 4, (34, 34))
    >>> Stcf(100, support=2)(events).t.tolist()
    [30]
    """

    window_us: int
    support: int = 2
    neighbours: int = 8
    same_polarity: bool = False
    start: str = "quiet"

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_integer("window_us", self.window_us, 1, LONGEST_US)
        check_choice("neighbours", self.neighbours, WAYS)
        check_integer("support", self.support, 1, self.neighbours)
        check_choice("start", self.start, STARTS)

    @property
    def tells_polarities_apart(self) -> bool:
        """Whether only events of the same polarity support each other."""
        return self.same_polarity

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream."""
        return _Supported(self, sensor, start)


class _Supported:
    def __init__(self, wanted: Stcf, sensor: Sensor, start: int) -> None:
        self.wanted, self.stride = wanted, sensor.width + 2
        four = wanted.neighbours == kernels.FOUR_WAYS
        self.kind = kernels.SeveralOfFour if four else kernels.SeveralOfEight
        self.times = PixelTimes(sensor, start, margin=1, planes=2 if wanted.same_polarity else 1)
        self.plane = self.times.plane if wanted.same_polarity else 0
        if wanted.start == "active":
            self.times.wake()

    def rule(self, first: int, last: int) -> kernels.SeveralOfFour | kernels.SeveralOfEight:
        wanted = self.wanted
        base, times = self.times.reach(first, last)
        return self.kind(self.stride, base, wanted.window_us, wanted.support, self.plane, times)


def stcf_scores(
    events: Events | NDArray[Any],
    support: int = 2,
    *,
    neighbours: int = 8,
    same_polarity: bool = False,
    resolution: tuple[int, ...] | None = None,
) -> NDArray[np.int64]:
    """How long before each event its ``support``-th latest neighbouring pixel was active, in us.

    `Stcf` keeps events of which that is less than its window: so the scores of one pass say what
    it does for every window. ``NEVER_US`` where fewer pixels were active. Events must be in order
    of time; a score is of the event at the same place.

    Of Events or of a structured array. Raises ArgumentError as `Stcf` does, and for times that
    step back.

    >>> from evstore import Events
    >>> events = Events([10, 20, 30], [5, 7, 6], [7] * 3, [1] * 3, (34, 34))
    >>> stcf_scores(events, support=2)[2]
    np.int64(20)
    """
    Stcf(1, support, neighbours, same_polarity)
    own = events if isinstance(events, Events) else from_structured(events)
    batch = batch_of(own)
    size = own.resolution if resolution is None else resolution
    if size is None:
        size = (int(batch.x.max()) + 1, int(batch.y.max()) + 1) if batch.size else (1, 1)
    sensor = Sensor(*size_of(size))
    check_inside(batch, sensor)
    check_pixels(sensor)
    if in_order(batch) is not batch:
        raise ArgumentError("times step back: sort the events first")
    plane = (sensor.width + 2) * (sensor.height + 2)
    last = np.full(plane * (2 if same_polarity else 1), _NEVER, np.int64)
    latest = np.empty(support, np.int64)
    times = np.empty(batch.size, np.int64)
    kernels.supporting_times(
        *batch[:4], sensor.width, plane if same_polarity else 0, neighbours,
        _NEVER, last, latest, times,
    )  # fmt: skip
    ages = batch.t - times  # what int64 does not hold comes out below 0
    return np.where((times == _NEVER) | (ages < 0), NEVER_US, ages)
