"""Leak: ON events of pixels that see no change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Sensor, Stage
from evstore.noise.key import Key
from evstore.noise.labels import LEAK
from evstore.noise.limits import check_number, check_pixels
from evstore.noise.random import log_normals, scaled
from evstore.noise.sources.adding import Adding
from evstore.noise.sources.periodic import MOST_JITTER, Periodic
from evstore.noise.sources.places import all_places
from evstore.noise.transform import Transform


@dataclass(frozen=True)
class Leak(Transform):
    """Leak events: each pixel fires ON ``rate_hz`` times a second, nearly periodically.

    The reset switch of a pixel leaks until its ON threshold is reached (Nozaki and Delbruck, IEEE
    Trans. Electron Devices 64(8), 2017). Intervals vary by ``jitter`` (deviation, as a part of the
    pixel's period), rates of pixels by ``spread_decades`` of their common logarithm, kept by the
    sensor in all samples. Defaults are those of v2e (Hu et al., CVPRW 2021, arXiv:2006.07722) but
    for the rate, which is that of its preset "noisy"; DND21 has 0.2 Hz.

    >>> from evstore import Events
    >>> made = Leak(rate_hz=1, seed=1)(Events.empty((100, 100)), start=0, stop=1_000_000)
    >>> 9_800 < len(made) < 10_200, int(made.p.min())
    (True, 1)
    """

    rate_hz: float = 0.1
    jitter: float = 0.1
    spread_decades: float = 0.1

    makes_events = True

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_number("rate_hz", self.rate_hz, 0, 1e5)
        check_number("jitter", self.jitter, 0, MOST_JITTER)
        check_number("spread_decades", self.spread_decades, 0, 2)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Adds the leak of this sensor from ``start`` on."""
        check_pixels(sensor)
        number = key.sensor_number(self.seed, "leak rates")
        rates = _rates(number, sensor, self.rate_hz, self.spread_decades)
        places = all_places(sensor)[: rates.size]
        uses = ("phases", "first intervals", "intervals", "polarities")
        first, second, third, fourth = (key.number(self.seed, f"leak {use}") for use in uses)
        source = Periodic(
            rates, places, np.ones(rates.size, np.uint8), jitter=self.jitter, flip=0.0,
            seeds=(first, second, third, fourth), start=start, label=LEAK,
        )  # fmt: skip
        return Adding(source, start, self.expected_hz(sensor), type(self).__name__)

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that it makes."""
        return self.rate_hz * sensor.pixels


@lru_cache(maxsize=4)
def _rates(
    number: int, sensor: Sensor, rate_hz: float, spread_decades: float
) -> NDArray[np.float64]:
    if not rate_hz:
        return np.empty(0, np.float64)
    rates = scaled(log_normals(number, sensor.pixels, spread_decades), rate_hz)
    rates.flags.writeable = False
    return rates
