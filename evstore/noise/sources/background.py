"""Background activity: shot noise of all pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.noise.batch import Sensor, Stage
from evstore.noise.key import Key
from evstore.noise.labels import BACKGROUND
from evstore.noise.limits import check_number, check_pixels
from evstore.noise.random import log_normals, scaled
from evstore.noise.sources.adding import Adding
from evstore.noise.sources.arrivals import Arrivals, Slots, slots_of
from evstore.noise.sources.images import as_image
from evstore.noise.sources.places import all_places
from evstore.noise.transform import Transform

#: What of the noise of the dark is left in full light, as v2e has it.
LEFT_IN_LIGHT = 0.25


@dataclass(frozen=True, eq=False)
class BackgroundActivity(Transform):
    """Shot noise: each pixel fires at random, ON or OFF, ``rate_hz`` times a second on the mean.

    Rates of pixels are log-normal, of a deviation of ``spread_decades`` of their common
    logarithm, and kept by the sensor in all samples; times are those of Poisson processes.
    ``on_fraction`` of the events are ON. ``light``: an image of the scene, (height, width) of
    0 (dark) .. 1; noise falls linearly from ``rate_hz`` in the dark to a quarter in full light.

    Models and typical values: v2e, Hu et al., CVPRW 2021, arXiv:2006.07722 (its preset "noisy" has
    5 Hz, its spread is 0.1 decades); about 10 Hz in the dark, DND21, Guo and Delbruck, TPAMI 2022.

    >>> from evstore import Events
    >>> noise = BackgroundActivity(rate_hz=5, seed=1)
    >>> made = noise(Events.empty((100, 100)), start=0, stop=1_000_000)
    >>> 49_000 < len(made) < 51_000
    True
    """

    rate_hz: float = 5.0
    spread_decades: float = 0.1
    on_fraction: float = 0.5
    light: NDArray[Any] | None = field(default=None, repr=False)

    makes_events = True

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_number("rate_hz", self.rate_hz, 0, 1e6)
        check_number("spread_decades", self.spread_decades, 0, 2)
        check_number("on_fraction", self.on_fraction, 0, 1)
        # As bytes, which never change: what is made of them is kept for the next sample.
        object.__setattr__(self, "_light", None if self.light is None else _checked(self.light))

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Adds the noise of this sensor from ``start`` on."""
        check_pixels(sensor)
        slots = self._slots(sensor, key)
        seeds = (key.number(self.seed, "gaps"), key.number(self.seed, "places"))
        source = Arrivals(slots, self.on_fraction, seeds, start, BACKGROUND)
        return Adding(source, start, slots.total_hz, type(self).__name__)

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that it makes, at most."""
        return self.rate_hz * sensor.pixels

    def _slots(self, sensor: Sensor, key: Key) -> Slots:
        light: tuple[tuple[int, ...], bytes] | None = getattr(self, "_light")  # noqa: B009
        if light is not None and light[0] != (sensor.height, sensor.width):
            raise ArgumentError(
                f"light must be of the sensor's shape {(sensor.height, sensor.width)}, "
                f"got {light[0]}"
            )
        number = key.sensor_number(self.seed, "background rates")
        return _slots(number, sensor, self.rate_hz, self.spread_decades, light and light[1])


def _checked(light: NDArray[Any]) -> tuple[tuple[int, ...], bytes]:
    image = as_image("light", light)
    if image.ndim != 2 or not image.size or not ((image >= 0) & (image <= 1)).all():
        raise ArgumentError(
            "light must be an image (height, width) of numbers in 0 (dark) .. 1, got shape "
            f"{image.shape}" + (f", {image.min():g}..{image.max():g}" if image.size else "")
        )
    return image.shape, image.tobytes()


@lru_cache(maxsize=4)
def _slots(
    number: int, sensor: Sensor, rate_hz: float, spread_decades: float, light: bytes | None
) -> Slots:
    # The mean over the sensor is as said, not only that over all sensors.
    rates = scaled(log_normals(number, sensor.pixels, spread_decades), rate_hz)
    if light is not None:
        rates *= 1 - (1 - LEFT_IN_LIGHT) * np.frombuffer(light, np.float32).astype(np.float64)
    off = np.zeros(sensor.pixels, np.uint8)
    return slots_of(rates, all_places(sensor), off)
