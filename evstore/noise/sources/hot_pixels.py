"""Hot pixels: some that fire all the time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.noise.batch import Sensor, Stage
from evstore.noise.key import Key
from evstore.noise.labels import HOT_PIXEL
from evstore.noise.limits import check_choice, check_integer, check_number, check_pixels
from evstore.noise.random import log_uniforms, logarithm, total, units, words
from evstore.noise.sources import hot_pixels_kernels as kernels
from evstore.noise.sources.adding import Adding
from evstore.noise.sources.arrivals import Arrivals, slots_of
from evstore.noise.sources.periodic import MOST_JITTER, Periodic
from evstore.noise.sources.places import places_of
from evstore.noise.transform import Transform, size_of

DEFAULT_FRACTION = 0.001


class Hot(NamedTuple):
    """The hot pixels of a sensor: x and y, their rates, and the polarity that each prefers."""

    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    rate_hz: NDArray[np.float64]
    prefers: NDArray[np.uint8]


@dataclass(frozen=True)
class HotPixels(Transform):
    """Pixels that fire all the time, whatever they see: a ``fraction`` of all, or ``count``.

    Where a fraction is no whole number of pixels, there is one more with the probability of the
    rest: on the mean over seeds it holds. How many pixels, which ones, how fast and of which
    polarity is kept by the sensor in all samples, or drawn for each with ``redraw="sample"``. Rates
    lie in ``low_hz`` .. ``high_hz``, their logarithms uniformly. ``on_fraction`` of the pixels
    prefer ON, the others OFF; ``bias`` of a pixel's events are of the polarity that it prefers.
    They fire at random or, ``periodic``, in intervals that vary by ``jitter`` (deviation, as a
    part of the period). ``cluster`` is the mean number of pixels that lie together; a cluster that
    meets the border goes on at the opposite one, so that each pixel has the same chance.

    Pixels above 50 Hz without a change of light are called hot; Prophesee calls those hot that
    fire a hundred times as often as the median pixel (docs.prophesee.ai). Distribution and bias
    are a model, not measured.

    >>> from evstore import Events
    >>> hot = HotPixels(count=10, low_hz=100, high_hz=100, seed=1)
    >>> made = hot(Events.empty((100, 100)), start=0, stop=1_000_000)
    >>> 850 < len(made) < 1_150, len(hot.pixels((100, 100)).x)
    (True, 10)
    """

    fraction: float | None = None
    count: int | None = None
    low_hz: float = 50.0
    high_hz: float = 1000.0
    on_fraction: float = 0.5
    bias: float = 0.9
    periodic: bool = False
    jitter: float = 0.1
    cluster: int = 1
    redraw: str = "never"

    makes_events = True

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        if self.fraction is not None and self.count is not None:
            raise ArgumentError("give the hot pixels' fraction or their count, not both")
        if self.fraction is not None:
            check_number("fraction", self.fraction, 0, 1)
        if self.count is not None:
            check_integer("count", self.count, 0, 1 << 32)
        check_number("low_hz", self.low_hz, 1e-3, 1e6)
        check_number("high_hz", self.high_hz, self.low_hz, 1e6)
        check_number("on_fraction", self.on_fraction, 0, 1)
        check_number("bias", self.bias, 0, 1)
        check_number("jitter", self.jitter, 0, MOST_JITTER)
        check_integer("cluster", self.cluster, 1, 1 << 16)
        check_choice("redraw", self.redraw, ("never", "sample"))
        check_choice("periodic", self.periodic, (False, True))

    def pixels(self, resolution: tuple[int, ...]) -> Hot:
        """The hot pixels that a sensor has in all samples, of this transform alone.

        In a Compose, which gives each transform random numbers of its own, they are others.
        Raises ArgumentError for what is no resolution, and where each sample has its own.
        """
        if self.redraw != "never":
            raise ArgumentError("these hot pixels are drawn for each sample: redraw='sample'")
        sensor = Sensor(*size_of(resolution))
        check_pixels(sensor)
        return self._hot(sensor, Key(0, b""))

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Adds what the hot pixels of this sensor fire from ``start`` on."""
        check_pixels(sensor)
        hot = self._hot(sensor, key)
        places = (hot.y.astype(np.uint32) << np.uint32(16)) | hot.x.astype(np.uint32)
        uses = ("gaps", "places", "phases", "first intervals")
        first, second, third, fourth = (key.number(self.seed, f"hot {use}") for use in uses)
        source: Arrivals | Periodic
        if self.periodic:
            source = Periodic(
                hot.rate_hz, places, hot.prefers, jitter=self.jitter, flip=1 - self.bias,
                seeds=(third, fourth, first, second), start=start, label=HOT_PIXEL,
            )  # fmt: skip
        else:
            slots = slots_of(hot.rate_hz, places, hot.prefers)
            source = Arrivals(slots, 1 - self.bias, (first, second), start, HOT_PIXEL)
        return Adding(source, start, total(hot.rate_hz), type(self).__name__)

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that it makes, on the mean."""
        low, high = self.low_hz, self.high_hz
        bottom, top = logarithm([low, high]).tolist()
        mean = (high - low) / (top - bottom) if high > low * (1 + 1e-9) else low
        return self._mean_count(sensor) * mean

    def _mean_count(self, sensor: Sensor) -> float:
        """How many there are, over all seeds."""
        if self.count is None:
            share = DEFAULT_FRACTION if self.fraction is None else self.fraction
            return float(share * sensor.pixels)
        if self.count > sensor.pixels:
            raise ArgumentError(
                f"count must be in 0..{sensor.pixels}, the sensor's pixels, got {self.count}"
            )
        return float(self.count)

    def _hot(self, sensor: Sensor, key: Key) -> Hot:
        number = key.sensor_number if self.redraw == "never" else key.number
        uses = ("order", "walks", "rates", "polarities")
        seeds = tuple(number(self.seed, f"hot {use}") for use in uses)
        mean = self._mean_count(sensor)
        more = float(units(number(self.seed, "hot count"), 1)[0]) < mean % 1
        count = int(mean) + more
        return _hot(seeds, sensor, count, self.low_hz, self.high_hz, self.on_fraction, self.cluster)


@lru_cache(maxsize=16)
def _hot(
    seeds: tuple[int, ...],
    sensor: Sensor,
    count: int,
    low_hz: float,
    high_hz: float,
    on_fraction: float,
    cluster: int,
) -> Hot:
    order = np.argsort(words(seeds[0], sensor.pixels), kind="stable")
    chosen = np.empty(count, np.int64)
    marks = np.zeros(sensor.pixels, np.uint8)
    kernels.choose(order, seeds[1], cluster, sensor.width, sensor.height, marks, chosen)
    rates = log_uniforms(seeds[2], count, low_hz, high_hz)
    prefers = (units(seeds[3], count) < on_fraction).astype(np.uint8)
    places = places_of(chosen, sensor)
    x, y = (places & 0xFFFF).astype(np.uint16), (places >> 16).astype(np.uint16)
    for column in (x, y, rates, prefers):
        column.flags.writeable = False
    return Hot(x, y, rates, prefers)
