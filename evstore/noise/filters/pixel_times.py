"""When each pixel was active last, for filters: 4 bytes a pixel, for streams of any length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.memory import room
from evstore.noise.batch import Sensor
from evstore.noise.limits import check_pixels

STARTS = ("quiet", "active")
#: Times since the base are below it, and what was never active was active so long before it.
SHORT, LONG = 1 << 30, 1 << 62
LONGEST_US = SHORT - 1  # of a window


class PixelTimes:
    """Times since a base that moves, of 32 bits; of 64 while events lie far apart.

    Around the sensor lies a ``margin`` of pixels that are never active, so that no border is a
    case of its own. There are ``planes`` of it, one after the other.
    """

    def __init__(self, sensor: Sensor, start: int, *, margin: int = 0, planes: int = 1) -> None:
        check_pixels(sensor)
        self._rows, self._stride = sensor.height + 2 * margin, sensor.width + 2 * margin
        self._margin = margin
        self.plane = self._rows * self._stride
        self.map: NDArray[Any] = room(4 * self.plane * planes).view(np.int32)
        self.map[:] = -SHORT
        self.base = self.newest = start

    def wake(self) -> None:
        """Before all else: as if each pixel of the sensor had been active at time 0.

        Raises ArgumentError where that is too long after the stream's start.
        """
        if self.base <= -LONG:
            raise ArgumentError(
                f"start='active' is of time 0, and this stream starts at {self.base} us: times "
                f"must be above {-LONG}, or start 'quiet'"
            )
        m, rows, stride = self._margin, self._rows, self._stride
        where = slice(m, rows - m), slice(m, stride - m)
        self.map.reshape(-1, rows, stride)[(slice(None), *where)] = 0
        self.base = self.newest = 0

    def reach(self, first: int, last: int) -> tuple[int, NDArray[Any]]:
        """The base and the map, for times from ``first`` to ``last``, less than LONG / 2 apart."""
        newest = max(self.newest, last)
        limit = SHORT if self.map.dtype == np.int32 else LONG
        if not (self.base <= first and newest - self.base < limit):
            self._rebase(first, SHORT if newest - first < SHORT else LONG)
        self.newest = newest
        return self.base, self.map

    def _rebase(self, base: int, limit: int) -> None:
        shift = max(base - self.base, 1 - LONG)
        if shift >= LONG:  # all of it is long ago
            found = np.full(self.map.size, -limit, np.int64)
        else:
            found = np.maximum(self.map.astype(np.int64), shift - limit) - shift
            if shift < 0:  # what was never active stays so
                floor = SHORT if self.map.dtype == np.int32 else LONG
                found[self.map <= -floor] = -limit
        self.base = base
        self.map = found.astype(np.int32) if limit == SHORT else found
