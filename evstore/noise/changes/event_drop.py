"""Events lost one by one."""

from __future__ import annotations

from dataclasses import dataclass

from evstore.noise.batch import Batch, Sensor, Stage
from evstore.noise.changes import drop_kernels as kernels
from evstore.noise.changes.keep import flags, kept
from evstore.noise.changes.share import share_of
from evstore.noise.key import Key
from evstore.noise.limits import check_number
from evstore.noise.transform import Transform


@dataclass(frozen=True)
class EventDrop(Transform):
    """Loses each event with the probability ``fraction``, whatever becomes of the others.

    Raises ArgumentError unless ``fraction`` lies in 0..1.

    >>> from evstore import Events
    >>> from evstore.noise import EventDrop
    >>> events = Events(range(1000), [3] * 1000, [4] * 1000, [1] * 1000)
    >>> 400 < len(EventDrop(0.5)(events, sample=7)) < 600
    True
    """

    fraction: float = 0.1

    def check(self) -> None:
        """Raises ArgumentError unless the fraction lies in 0..1."""
        check_number("fraction", self.fraction, 0, 1)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Counts the events of the stream: the number of each decides."""
        return _Dropping(key.number(self.seed, "EventDrop"), share_of(self.fraction))


class _Dropping:
    def __init__(self, seed: int, share: int) -> None:
        self.seed = seed
        self.share = share
        self.seen = 0

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        keep = flags(batch.size)
        kernels.keep_events(self.seed, self.seen, self.share, keep)
        self.seen += batch.size
        return kept(batch, keep), until
