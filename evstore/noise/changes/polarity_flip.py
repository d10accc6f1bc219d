"""Events whose polarity is read wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evstore.noise.batch import Batch, Sensor, Stage
from evstore.noise.changes import drop_kernels as kernels
from evstore.noise.changes.share import share_of
from evstore.noise.key import Key
from evstore.noise.limits import check_number
from evstore.noise.transform import Transform


@dataclass(frozen=True)
class PolarityFlip(Transform):
    """Gives each event the other polarity with the probability ``fraction``.

    Raises ArgumentError unless ``fraction`` lies in 0..1.

    >>> from evstore import Events
    >>> from evstore.noise import PolarityFlip
    >>> PolarityFlip(1.0)(Events([1, 2], [3, 3], [4, 4], [1, 0])).p.tolist()
    [0, 1]
    """

    fraction: float = 0.1

    def check(self) -> None:
        """Raises ArgumentError unless the fraction lies in 0..1."""
        check_number("fraction", self.fraction, 0, 1)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Counts the events of the stream: the number of each decides."""
        return _Flipping(key.number(self.seed, "PolarityFlip"), share_of(self.fraction))


class _Flipping:
    def __init__(self, seed: int, share: int) -> None:
        self.seed = seed
        self.share = share
        self.seen = 0

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        p = np.empty(batch.size, np.uint8)
        kernels.flip(batch.p, self.seed, self.seen, self.share, p)
        self.seen += batch.size
        return batch._replace(p=p), until
