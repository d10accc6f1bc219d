"""Flicker: lamps that rise and fall with the mains or a pulse width."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.noise.batch import Sensor, Stage
from evstore.noise.key import Key
from evstore.noise.labels import FLICKER
from evstore.noise.limits import check_choice, check_number, check_pixels
from evstore.noise.random import bells, total, units
from evstore.noise.sources.adding import Adding
from evstore.noise.sources.flicker_kernels import MOST_A_CYCLE
from evstore.noise.sources.flickering import Flickering
from evstore.noise.sources.images import Image, image_of
from evstore.noise.sources.places import places_of
from evstore.noise.transform import Transform

Waveform = tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]
Region = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Flicker(Transform):
    """Flicker of lamps: in each cycle of the light a burst of ON events, and one of OFF.

    ``frequency_hz`` is that of the brightness: lamps on mains of 50 Hz flicker with 100, of 60 Hz
    with 120. A pixel makes ``events_per_cycle`` ON events a cycle on the mean, and as many OFF.
    ``waveform`` "sine": the logarithm of the light is a sine, and events come where it crosses
    levels that lie evenly; "pwm": light is on for ``duty`` of a cycle, and events of a burst
    follow each other in ``burst_us``. ``phase`` (0..1, of a cycle) says where the cycle stands at
    the start; None draws it for each sample. Pixels are late by ``phase_spread`` (deviation, of a
    cycle; kept by the sensor), events by ``jitter_us`` (deviation). Raises ArgumentError where
    these are so large that more than 2**27 events would be known before they are due.

    The whole field flickers, or a ``region`` (x0, y0, x1, y1), x1 and y1 outside, or several; or
    ``mask``, (height, width) of 0..1, says how much of ``events_per_cycle`` each pixel makes.

    >>> from evstore import Events
    >>> noise = Flicker(frequency_hz=100, events_per_cycle=1, region=(0, 0, 10, 10), seed=1)
    >>> len(noise(Events.empty((64, 64)), start=0, stop=100_000)) // 100
    20
    """

    frequency_hz: float = 100.0
    events_per_cycle: float = 1.0
    waveform: str = "sine"
    duty: float = 0.5
    burst_us: float = 100.0
    phase: float | None = None
    phase_spread: float = 0.01
    jitter_us: float = 100.0
    region: Region | list[Region] | tuple[Region, ...] | None = None
    mask: NDArray[Any] | None = field(default=None, repr=False)
    _regions: tuple[Region, ...] | None = field(init=False, repr=False, compare=False)
    _mask: Image | None = field(init=False, repr=False, compare=False)

    makes_events = True

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_number("frequency_hz", self.frequency_hz, 0.1, 10_000)
        check_number("events_per_cycle", self.events_per_cycle, 0, MOST_A_CYCLE - 2)
        check_choice("waveform", self.waveform, ("sine", "pwm"))
        check_number("duty", self.duty, 0.01, 0.99)
        check_number("burst_us", self.burst_us, 0, 1e6)
        if self.phase is not None:
            check_number("phase", self.phase, 0, 1)
        check_number("phase_spread", self.phase_spread, 0, 0.25)
        check_number("jitter_us", self.jitter_us, 0, 1e6)
        if self.region is not None and self.mask is not None:
            raise ArgumentError("give a region or a mask of the light, not both")
        object.__setattr__(self, "_regions", _regions(self.region))
        image = None if self.mask is None else image_of("mask", self.mask)
        if image is not None and not np.frombuffer(image.octets, np.float32).any():
            raise ArgumentError("mask must be an image of numbers that are not all 0")
        object.__setattr__(self, "_mask", image)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Adds the flicker that this sensor sees from ``start`` on."""
        check_pixels(sensor)
        amounts, pixels = self._amounts(sensor)
        period = 1e6 / self.frequency_hz
        phase = self.phase
        if phase is None:
            phase = float(units(key.number(self.seed, "flicker phase"), 1)[0])
        number = key.sensor_number(self.seed, "flicker lags")
        source = Flickering(
            amounts,
            _lags(number, sensor)[pixels] * (self.phase_spread * period),
            places_of(pixels, sensor),
            _waveform(self.waveform, self.duty, self.burst_us / period),
            period_us=period,
            phase=-phase,
            jitter_us=float(self.jitter_us),
            seeds=(
                key.number(self.seed, "flicker amounts"),
                key.number(self.seed, "flicker jitter"),
            ),
            start=start,
            label=FLICKER,
        )
        return Adding(source, start, self.expected_hz(sensor), type(self).__name__)

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that it makes."""
        amounts, _ = self._amounts(sensor)
        return 2 * self.frequency_hz * total(amounts)

    def _amounts(self, sensor: Sensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """ON events a cycle of the pixels that make any, and which these are."""
        mask = None if self._mask is None else self._mask.octets_for(sensor, "mask")
        return _amounts(sensor, self.events_per_cycle, self._regions, mask)


def _regions(region: Any) -> tuple[Region, ...] | None:
    if region is None:
        return None
    if not isinstance(region, (tuple, list)):
        raise ArgumentError(f"a region is (x0, y0, x1, y1), or several in a list, got {region!r}")
    several = [region] if region and not isinstance(region[0], (tuple, list)) else list(region)
    for one in several:
        whole = isinstance(one, (tuple, list)) and all(
            isinstance(side, (int, np.integer)) for side in one
        )
        if not whole or len(one) != 4 or not (0 <= one[0] < one[2] and 0 <= one[1] < one[3]):
            raise ArgumentError(
                "a region is (x0, y0, x1, y1), integers with 0 <= x0 < x1 and 0 <= y0 < y1, "
                f"got {one!r}"
            )
    if not several:
        raise ArgumentError("region names no region: leave it out, and the whole field flickers")
    return tuple((int(x0), int(y0), int(x1), int(y1)) for x0, y0, x1, y1 in several)


@lru_cache(maxsize=4)
def _amounts(
    sensor: Sensor, most: float, regions: tuple[Region, ...] | None, mask: bytes | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    shares = np.zeros((sensor.height, sensor.width), np.float64)
    if mask is not None:
        shares[:] = np.frombuffer(mask, np.float32).reshape(shares.shape)
    for x0, y0, x1, y1 in regions or ():
        if x1 > sensor.width or y1 > sensor.height:
            raise ArgumentError(
                f"region {(x0, y0, x1, y1)} lies outside of the sensor of "
                f"{sensor.width}x{sensor.height}"
            )
        shares[y0:y1, x0:x1] = 1
    if mask is None and regions is None:
        shares[:] = 1
    amounts = shares.reshape(-1) * most
    pixels = np.flatnonzero(amounts)
    return amounts[pixels], pixels


@lru_cache(maxsize=4)
def _lags(number: int, sensor: Sensor) -> NDArray[np.float64]:
    """Numbers of mean 0 and deviation 1, bounded, one for each pixel."""
    return bells(number, sensor.pixels)


@lru_cache(maxsize=16)
def _waveform(waveform: str, duty: float, burst: float) -> Waveform:
    """When ON and OFF events come, for each number of them, and between which parts of a cycle."""
    rises, falls = (np.zeros((MOST_A_CYCLE, MOST_A_CYCLE)) for _ in range(2))
    for n in range(1, MOST_A_CYCLE):
        if waveform == "sine":
            # Rounded: arcsin may differ in the last bit from one machine to another.
            levels = (2 * np.arange(n) + 1) / n - 1
            crossings = np.round(np.arcsin(levels) / (2 * np.pi) * 2**30) / 2**30
            rises[n, :n] = crossings
            falls[n, :n] = 0.5 - crossings
        else:
            rises[n, :n] = np.arange(n) * min(burst, duty / n)
            falls[n, :n] = duty + np.arange(n) * min(burst, (1 - duty) / n)
    reach = (min(rises.min(), falls.min()), max(rises.max(), falls.max()))
    return rises.reshape(-1), falls.reshape(-1), (float(reach[0]), float(reach[1]))
