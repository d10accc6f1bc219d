"""Events at places beside their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evstore.noise.batch import Batch, Sensor, Stage
from evstore.noise.changes import jitter_kernels as kernels
from evstore.noise.changes.keep import flags, kept
from evstore.noise.changes.whole_steps import scale_for
from evstore.noise.key import Key
from evstore.noise.limits import check_choice, check_number
from evstore.noise.transform import Transform

DROP, CLIP = "drop", "clip"
LARGEST_PX = 65_535


@dataclass(frozen=True)
class SpatialJitter(Transform):
    """Moves each event, in x and in y, by whole pixels of the standard deviation ``deviation_px``.

    The law is near to normal, and never exceeds 3.47 deviations and a half pixel. What leaves the
    sensor is lost (``outside="drop"``) or comes from the nearest pixel of its edge (``"clip"``).
    Of structured arrays without a ``resolution`` the sensor ends with the events.

    Raises ArgumentError unless ``deviation_px`` lies in 0..65535.

    >>> from evstore import Events
    >>> from evstore.noise import SpatialJitter
    >>> events = Events(range(1000), [50] * 1000, [50] * 1000, [1] * 1000, resolution=(100, 100))
    >>> 1.8 < float(SpatialJitter(2.0)(events, sample=7).x.std()) < 2.2
    True
    """

    deviation_px: float = 1.0
    outside: str = DROP

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_number("deviation_px", self.deviation_px, 0, LARGEST_PX)
        check_choice("outside", self.outside, (DROP, CLIP))

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Counts the events of the stream: the number of each says where it goes."""
        seed = key.number(self.seed, "SpatialJitter")
        return _Moving(seed, scale_for(self.deviation_px), sensor, self.outside == DROP)


class _Moving:
    def __init__(self, seed: int, scale: float, sensor: Sensor, drop: bool) -> None:
        self.seed = seed
        self.scale = scale
        self.sensor = sensor
        self.drop = drop
        self.seen = 0

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        if self.scale == 0:
            return batch, until
        x, y, inside = np.empty_like(batch.x), np.empty_like(batch.y), flags(batch.size)
        kernels.move_places(
            batch.x, batch.y, self.seed, self.seen, self.scale, *self.sensor, x, y, inside
        )
        self.seen += batch.size
        moved = batch._replace(x=x, y=y)
        return (kept(moved, inside) if self.drop else moved), until
