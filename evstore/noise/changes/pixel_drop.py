"""Dead pixels: they give no events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch, Sensor, Stage
from evstore.noise.changes import drop_kernels as kernels
from evstore.noise.changes.keep import flags, kept
from evstore.noise.changes.share import share_of
from evstore.noise.key import Key
from evstore.noise.limits import check_choice, check_integer, check_number
from evstore.noise.transform import Transform

NEVER, SAMPLE = "never", "sample"
MOST_PIXELS = 1 << 32


@dataclass(frozen=True)
class PixelDrop(Transform):
    """Loses all events of some pixels: of each with the probability ``fraction``, or of ``count``.

    ``redraw``: ``"never"``, the sensor has the same dead pixels in all samples, or ``"sample"``,
    each sample has its own. Of structured arrays a ``count`` needs the ``resolution``.

    Raises ArgumentError unless just one of ``fraction``, in 0..1, and ``count``, at most the
    sensor's pixels, is given.

    >>> import numpy as np
    >>> from evstore import Events
    >>> from evstore.noise import PixelDrop
    >>> y, x = np.divmod(np.arange(100), 10)
    >>> events = Events(np.arange(100), x, y, x % 2, resolution=(10, 10))
    >>> len(PixelDrop(count=30)(events, sample=7))
    70
    """

    fraction: float | None = None
    count: int | None = None
    redraw: str = NEVER

    @property
    def makes_events(self) -> bool:  # type: ignore[override]
        """Whether it has to know the sensor: so many pixels of which?"""
        return self.count is not None

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range, or none or both are given."""
        check_choice("redraw", self.redraw, (NEVER, SAMPLE))
        if (self.fraction is None) == (self.count is None):
            raise ArgumentError(
                "give PixelDrop a fraction in 0..1, or else a count of pixels; "
                f"got fraction={self.fraction!r}, count={self.count!r}"
            )
        if self.fraction is not None:
            check_number("fraction", self.fraction, 0, 1)
        if self.count is not None:
            check_integer("count", self.count, 0, MOST_PIXELS)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Raises ArgumentError where the sensor has fewer pixels than ``count``."""
        draw = key.sensor_number if self.redraw == NEVER else key.number
        seed = draw(self.seed, "PixelDrop")
        if self.count is None:
            assert self.fraction is not None
            return _DroppingShare(seed, share_of(self.fraction))
        if self.count > sensor.pixels:
            raise ArgumentError(
                f"count must be at most the {sensor.pixels:,} pixels of the sensor of "
                f"{sensor.width}x{sensor.height}, got {self.count:,}"
            )
        # The system clears pages when they are touched: of a large sensor few are.
        marked = np.zeros(sensor.pixels, np.uint8)
        kernels.mark(seed, self.count, marked)
        return _DroppingMarked(sensor.width, marked)


class _DroppingShare:
    """Each pixel's random number decides; none is stored, so that any sensor costs nothing."""

    def __init__(self, seed: int, share: int) -> None:
        self.seed = seed
        self.share = share

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        keep = flags(batch.size)
        kernels.keep_pixels(batch.x, batch.y, self.seed, self.share, keep)
        return kept(batch, keep), until


class _DroppingMarked:
    def __init__(self, width: int, marked: NDArray[np.uint8]) -> None:
        self.width = width
        self.marked = marked

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        keep = flags(batch.size)
        kernels.keep_unmarked(batch.x, batch.y, self.width, self.marked, keep)
        return kept(batch, keep), until
