"""Pixels whose events are dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evstore.errors import ArgumentError
from evstore.noise.batch import Sensor
from evstore.noise.filters.choosing import Filter, Judge
from evstore.noise.filters.mask_kernels import Good
from evstore.noise.limits import check_pixels


@dataclass(frozen=True)
class HotPixelMask(Filter):
    """Drops the events of ``pixels``: rows of (x, y), or a bool array of (height, width).

    They are kept as a tuple of (x, y), in order, each once.

    Raises ArgumentError for no pixel at all and for numbers that are no coordinates; applied to a
    sensor that has not all of them, or not the array's width and height, too.

    >>> from evstore import Events
    >>> events = Events([10, 20], [5, 6], [7, 7], [1, 1], (34, 34))
    >>> HotPixelMask([(5, 7)])(events).x.tolist()
    [6]
    """

    pixels: Any
    _own_sensor: Sensor | None = field(init=False, repr=False, compare=False)  # that of an array

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        object.__setattr__(self, "_own_sensor", _sensor_of(self.pixels))
        object.__setattr__(self, "pixels", _pixels(self.pixels))

    def least_sensor(self) -> Sensor:
        """That of an array; else one that has all pixels of the mask."""
        if self._own_sensor is not None:
            return self._own_sensor
        return Sensor(max(x for x, _ in self.pixels) + 1, max(y for _, y in self.pixels) + 1)

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream."""
        least = self.least_sensor()
        if least.width > sensor.width or least.height > sensor.height:
            raise ArgumentError(
                f"the mask has pixels up to ({least.width - 1}, {least.height - 1}), outside of "
                f"the sensor of {sensor.width}x{sensor.height}: it is another sensor's"
            )
        if self._own_sensor not in (None, sensor):
            raise ArgumentError(
                f"the mask is of a sensor of {least.width}x{least.height}, and the events' has "
                f"{sensor.width}x{sensor.height} pixels: it is another sensor's"
            )
        return _Masking(self.pixels, sensor)


class _Masking:
    def __init__(self, pixels: tuple[tuple[int, int], ...], sensor: Sensor) -> None:
        check_pixels(sensor)
        good = np.ones(sensor.pixels, np.uint8)
        x, y = np.array(pixels, np.int64).T
        good[y * sensor.width + x] = 0
        self.good = Good(sensor.width, good)

    def rule(self, first: int, last: int) -> Good:
        return self.good


def _sensor_of(given: Any) -> Sensor | None:
    """What a bool array says."""
    if not isinstance(given, np.ndarray) or given.ndim != 2 or given.dtype != np.bool_:
        return None
    return Sensor(given.shape[1], given.shape[0])


def _pixels(given: Any) -> tuple[tuple[int, int], ...]:
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        array = np.empty(0)
    if array.ndim == 2 and array.dtype == np.bool_:
        array = np.argwhere(array)[:, ::-1]
    elif array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        if array.size:
            raise ArgumentError(
                "pixels must be rows of integers (x, y), or a bool array of (height, width), got "
                f"an array of {array.dtype} and shape {array.shape}"
            )
        array = np.empty((0, 2), np.int64)
    if not len(array):
        raise ArgumentError("the mask must have at least 1 pixel, got none")
    if array.min() < 0 or array.max() > 0xFFFF:
        raise ArgumentError(f"pixels must lie in 0..65535, got {array.min()}..{array.max()}")
    return tuple((int(x), int(y)) for x, y in np.unique(array.astype(np.int64), axis=0))
