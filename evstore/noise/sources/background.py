"""Background activity: shot noise of all pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Sensor, Stage
from evstore.noise.key import Key
from evstore.noise.labels import BACKGROUND
from evstore.noise.limits import check_number, check_pixels
from evstore.noise.random import log_normals, scaled, total
from evstore.noise.sources.adding import Adding, Source
from evstore.noise.sources.arrivals import Arrivals, Slots, slots_of
from evstore.noise.sources.bursts import Burst, Bursts, Seeds
from evstore.noise.sources.images import Image, image_of
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

    Noise of real sensors comes in bursts: ``bursts`` is the share of events that follow another one
    of their pixel (so that a burst has ``1 / (1 - bursts)`` events on the mean), after log-normal
    delays of the median ``burst_delay_us`` and a deviation of ``burst_spread_decades``, those of
    real recordings spreading over three decades (`python -m bench noise_reality`).
    ``burst_flip`` of them have the opposite polarity, at most as many as ``on_fraction`` allows:
    shot noise comes in pairs of ON and OFF (McReynolds, Graca, Delbruck, "Exploiting alternating
    DVS shot noise event pair statistics to reduce background activity", IISW 2023). ``rate_hz`` is
    that of all events all the same, from the start on. ``most_hz``: no pixel has a higher rate, if
    it is not None; the others then have more, so that the mean is ``rate_hz``.

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
    bursts: float = 0.0
    burst_delay_us: float = 2000.0
    burst_spread_decades: float = 0.5
    burst_flip: float = 0.5
    most_hz: float | None = None
    _light: Image | None = field(init=False, repr=False, compare=False)

    makes_events = True

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_number("rate_hz", self.rate_hz, 0, 1e6)
        check_number("spread_decades", self.spread_decades, 0, 2)
        check_number("on_fraction", self.on_fraction, 0, 1)
        check_number("bursts", self.bursts, 0, 0.95)
        check_number("burst_delay_us", self.burst_delay_us, 1, 1e7)
        check_number("burst_spread_decades", self.burst_spread_decades, 0, 2)
        check_number("burst_flip", self.burst_flip, 0, 1)
        if self.most_hz is not None:
            check_number("most_hz", self.most_hz, self.rate_hz, 1e6)
        image = None if self.light is None else image_of("light", self.light)
        object.__setattr__(self, "_light", image)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Adds the noise of this sensor from ``start`` on."""
        check_pixels(sensor)
        slots = self._slots(sensor, key)
        arrivals = self._arrivals(slots, 1 - self.bursts, "", key, start)
        source = self._bursts(arrivals, slots, key, start) if self.bursts else arrivals
        return Adding(source, start, slots.total_hz, type(self).__name__)

    def _arrivals(self, slots: Slots, share: float, which: str, key: Key, start: int) -> Arrivals:
        seeds = (key.number(self.seed, which + "gaps"), key.number(self.seed, which + "places"))
        some = slots._replace(total_hz=slots.total_hz * share)
        return Arrivals(some, self.on_fraction, seeds, start, BACKGROUND)

    def _bursts(self, arrivals: Arrivals, slots: Slots, key: Key, start: int) -> Source:
        burst = Burst(self.bursts, self.burst_delay_us, self.burst_spread_decades, self.burst_flip)
        uses = ("delays before", "followers", "delays", "burst polarities")
        seeds = Seeds(*(key.number(self.seed, use) for use in uses))
        led = self._arrivals(slots, self.bursts, "led ", key, start)
        return Bursts(arrivals, led, burst, self.on_fraction, seeds, start, slots.total_hz)

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that it makes, at most."""
        return self.rate_hz * sensor.pixels

    def _slots(self, sensor: Sensor, key: Key) -> Slots:
        light = None if self._light is None else self._light.octets_for(sensor, "light")
        number = key.sensor_number(self.seed, "background rates")
        return _slots(number, sensor, self.rate_hz, self.spread_decades, self.most_hz, light)


@lru_cache(maxsize=4)
def _slots(
    number: int,
    sensor: Sensor,
    rate_hz: float,
    spread_decades: float,
    most_hz: float | None,
    light: bytes | None,
) -> Slots:
    # The mean over the sensor is as said, not only that over all sensors.
    rates = scaled(log_normals(number, sensor.pixels, spread_decades), rate_hz)
    if most_hz is not None and rate_hz:
        rates = _limited(rates, rate_hz, most_hz)
    if light is not None:
        rates *= 1 - (1 - LEFT_IN_LIGHT) * np.frombuffer(light, np.float32).astype(np.float64)
    off = np.zeros(sensor.pixels, np.uint8)
    return slots_of(rates, all_places(sensor), off)


def _limited(rates: NDArray[np.float64], mean: float, most: float) -> NDArray[np.float64]:
    """None above ``most``, and the others multiplied by what keeps the mean."""
    fixed = np.zeros(rates.size, np.bool_)
    while True:
        over = (rates > most) & ~fixed
        if not over.any():
            return rates
        fixed |= over
        rates[over] = most
        if fixed.all():
            return rates
        left = mean * rates.size - most * int(np.count_nonzero(fixed))
        rates[~fixed] *= max(left, 0.0) / total(rates[~fixed])
