"""Pixels that give no more events than a rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.noise.batch import Sensor
from evstore.noise.filters import rate_kernels as kernels
from evstore.noise.filters.choosing import Filter, Judge
from evstore.noise.limits import check_choice, check_integer, check_number, check_pixels

COUNTS = ("kept", "all")
LONGEST_US = 1 << 40  # 12 days
MOST_EVENTS = 1 << 20  # in one time constant
_LN2 = Fraction(0.6931471805599453)


@dataclass(frozen=True)
class PixelRateLimit(Filter):
    """Drops events of pixels whose rate is above ``max_rate_hz``: a low-pass a pixel.

    A pixel's rate is a leaky count: each event adds 1 to its level, which halves in every
    ``half_life_us``. At a rate r that lasts, the level is r * half-life / ln 2 on average, so an
    event is kept where it finds a level below ``max_rate_hz`` times half-life / ln 2: of a pixel
    that is slower and regular, each. ``counts``: the events that add to the level. ``"kept"``: a
    pixel that is faster gives about the rate, as long as the half-life is not much shorter than
    the time between its events. ``"all"``: it gives nothing as long as it is faster.

    Levels decay in steps of 1/256 of the half-life, in integers: the same on every machine.

    Raises ArgumentError for a rate that is not above 0, or that makes more than 2**20 events in
    a half-life, and for a half-life that is not 1..2**40 microseconds.

    >>> from evstore import Events
    >>> events = Events(range(0, 40_000, 1000), [5] * 40, [7] * 40, [1] * 40, (34, 34))
    >>> len(PixelRateLimit(100, half_life_us=10_000)(events))
    7
    """

    max_rate_hz: float
    half_life_us: int = 50_000
    counts: str = "kept"

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_integer("half_life_us", self.half_life_us, 1, LONGEST_US)
        check_number("max_rate_hz", self.max_rate_hz, 0, math.inf)
        most = MOST_EVENTS * 1_000_000 / self.half_life_us
        if not 0 < self.max_rate_hz <= most:
            raise ArgumentError(
                f"max_rate_hz must be above 0, and at most {most:g} with this half-life, got "
                f"{self.max_rate_hz!r}"
            )
        check_choice("counts", self.counts, COUNTS)

    def level(self) -> int:
        """The least level at which events are dropped, in the units of the kernel."""
        events = Fraction(self.max_rate_hz) * self.half_life_us / 1_000_000 / _LN2
        return max(int(events * kernels.LEVEL), 1)

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream."""
        return _Leaking(self, sensor, start)


class _Leaking:
    def __init__(self, wanted: PixelRateLimit, sensor: Sensor, start: int) -> None:
        check_pixels(sensor)
        level, when = (np.zeros(sensor.pixels, np.uint64) for _ in range(2))
        brief = wanted.half_life_us < kernels.BRIEF
        kind = kernels.BriefLevels if brief else kernels.Levels
        self.levels = kind(
            sensor.width, start, wanted.half_life_us, wanted.level(), wanted.counts == "all",
            _factors(), level, when,
        )  # fmt: skip

    def rule(self, first: int, last: int) -> kernels.Levels | kernels.BriefLevels:
        if first < self.levels.start:  # as the first coarse time stamps may be, before any level is
            self.levels = self.levels._replace(start=first)
        return self.levels


def _factors() -> NDArray[np.uint64]:
    """What is left after each part of a half-life, by square roots: the same everywhere."""
    step = 0.5
    for _ in range(kernels.TABLE_BITS):
        step = math.sqrt(step)
    factors, factor = [], 1.0
    for _ in range(1 << kernels.TABLE_BITS):
        factors.append(int(factor * (1 << kernels.FACTOR_BITS)))
        factor *= step
    return np.array(factors, np.uint64)
