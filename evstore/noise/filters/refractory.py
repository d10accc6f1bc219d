"""A dead time after each event of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

from evstore.noise.batch import Sensor
from evstore.noise.filters.choosing import Filter, Judge
from evstore.noise.filters.pixel_times import LONGEST_US, PixelTimes
from evstore.noise.filters.refractory_kernels import SinceAny, SinceKept
from evstore.noise.limits import check_choice, check_integer

RESTARTS = ("kept", "all")


@dataclass(frozen=True)
class Refractory(Filter):
    """Drops events that come ``period_us`` or less after the one before of their pixel.

    As a filter it takes out bursts; before others, it is what a pixel that rests after each event
    does to a stream. ``restart``: which events a pixel rests after. ``"kept"``: those that it
    gives, as a sensor's refractory period and the filters of libcaer and eventcv have it.
    ``"all"``: those that are dropped too, so that it has to be silent for the period: tonic's
    RefractoryPeriod of the same number, but for a pixel's first event at time 0 or before it,
    which tonic drops. (eventcv keeps events that come just ``dt`` after: ``period_us=dt - 1``.)

    Raises ArgumentError for a period that is not 0..2**30 - 1 microseconds (18 minutes).

    >>> from evstore import Events
    >>> burst = Events([10, 400, 900, 1200], [5] * 4, [7] * 4, [1] * 4, (34, 34))
    >>> Refractory(500)(burst).t.tolist(), Refractory(500, restart="all")(burst).t.tolist()
    ([10, 900], [10])
    """

    period_us: int
    restart: str = "kept"

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_integer("period_us", self.period_us, 0, LONGEST_US)
        check_choice("restart", self.restart, RESTARTS)

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream."""
        return _Resting(self, sensor, start)


class _Resting:
    def __init__(self, refractory: Refractory, sensor: Sensor, start: int) -> None:
        self.period = refractory.period_us
        self.kind = SinceAny if refractory.restart == "all" else SinceKept
        self.width = sensor.width
        self.times = PixelTimes(sensor, start)

    def rule(self, first: int, last: int) -> SinceAny | SinceKept:
        base, times = self.times.reach(first, last)
        return self.kind(self.width, base, self.period, times)
