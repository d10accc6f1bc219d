"""The background activity filter: events that no neighbour supports are dropped."""

from __future__ import annotations

from dataclasses import dataclass

from evstore.noise.batch import Sensor
from evstore.noise.filters.choosing import Filter, Judge
from evstore.noise.filters.neighbour_kernels import FOUR_WAYS, AnyOfEight, AnyOfFour, SeveralOfEight
from evstore.noise.filters.pixel_times import LONGEST_US, STARTS, PixelTimes
from evstore.noise.limits import check_choice, check_integer

WAYS = (8, 4)


@dataclass(frozen=True)
class ActivityFilter(Filter):
    """Keeps events of which a neighbouring pixel had one less than ``window_us`` before.

    The pixel's own events do not count, those that are dropped do. Of T. Delbruck, "Frame-free
    dynamic digital vision", 2008. ``neighbours``: all 8, or the 4 left, right, above and below.
    ``start``: what was before the stream. ``"quiet"``: nothing. ``"active"``: an event of each
    pixel at time 0.

    ``ActivityFilter(n, neighbours=4, start="active")`` is tonic's Denoise of ``filter_time=n``.
    (eventcv keeps events that come just ``dt`` after: ``window_us=dt + 1``.)

    Raises ArgumentError for a window that is not 1..2**30 - 1 microseconds (18 minutes).

    >>> from evstore import Events
    >>> events = Events([10, 20, 30, 500], [5, 6, 9, 7], [7] * 4, [1] * 4, (34, 34))
    >>> ActivityFilter(100)(events).x.tolist()
    [6]
    """

    window_us: int
    neighbours: int = 8
    start: str = "quiet"

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_integer("window_us", self.window_us, 1, LONGEST_US)
        check_choice("neighbours", self.neighbours, WAYS)
        check_choice("start", self.start, STARTS)

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream."""
        return _Supported(self, sensor, start)


class _Supported:
    def __init__(self, wanted: ActivityFilter, sensor: Sensor, start: int) -> None:
        self.wanted, self.stride = wanted, sensor.width + 2
        self.woven = wanted.neighbours != FOUR_WAYS and wanted.start == "quiet"
        self.times = PixelTimes(sensor, start, margin=1, planes=2 if self.woven else 1)
        if wanted.start == "active":
            self.times.wake()

    def rule(self, first: int, last: int) -> AnyOfFour | AnyOfEight | SeveralOfEight:
        base, times = self.times.reach(first, last)
        window = self.wanted.window_us
        if self.woven:
            return AnyOfEight(self.stride, base, window, times)
        if self.wanted.neighbours == FOUR_WAYS:
            return AnyOfFour(self.stride, base, window, times)
        # Events before time 0 come before what was at 0: a time of several pixels does not do.
        return SeveralOfEight(self.stride, base, window, 1, 0, times)
