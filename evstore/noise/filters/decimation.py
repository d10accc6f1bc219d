"""Each n-th event is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evstore.noise.batch import Sensor
from evstore.noise.filters.choosing import Filter, Judge
from evstore.noise.filters.decimation_kernels import OfPixels, OfStream
from evstore.noise.limits import check_choice, check_integer, check_pixels

WAYS = ("pixel", "stream")


@dataclass(frozen=True)
class Decimation(Filter):
    """Keeps each ``n``-th event. ``by``: of each pixel, or of the whole stream.

    ``by="pixel"``: the n-th, 2n-th, ... of a pixel, as tonic's Decimation. ``by="stream"``: the
    first, (n + 1)-th, ... of all, as eventcv's ``decimate``.

    Raises ArgumentError unless ``n`` is 1..2**32 - 1.

    >>> from evstore import Events
    >>> events = Events([1, 2, 3, 4], [5, 5, 6, 5], [7] * 4, [1] * 4, (34, 34))
    >>> Decimation(2)(events).t.tolist(), Decimation(2, by="stream")(events).t.tolist()
    ([2], [1, 3])
    """

    n: int
    by: str = "pixel"

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_integer("n", self.n, 1, (1 << 32) - 1)
        check_choice("by", self.by, WAYS)

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream."""
        return _OfPixels(self.n, sensor) if self.by == "pixel" else _OfStream(self.n)


class _OfPixels:
    def __init__(self, n: int, sensor: Sensor) -> None:
        check_pixels(sensor)
        self.kept = OfPixels(sensor.width, n, np.full(sensor.pixels, n - 1, np.uint32))

    def rule(self, first: int, last: int) -> OfPixels:
        return self.kept


class _OfStream:
    def __init__(self, n: int) -> None:
        self.kept = OfStream(n, np.zeros(1, np.int64))

    def rule(self, first: int, last: int) -> OfStream:
        return self.kept
