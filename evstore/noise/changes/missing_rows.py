"""Rows or columns that a readout leaves out."""

from __future__ import annotations

from dataclasses import dataclass

from evstore.noise.batch import Batch, Sensor, Stage
from evstore.noise.changes import drop_kernels as kernels
from evstore.noise.changes.keep import flags, kept
from evstore.noise.changes.share import share_of
from evstore.noise.key import Key
from evstore.noise.limits import check_choice, check_integer, check_number
from evstore.noise.transform import Transform

LONGEST_US = 10**15


@dataclass(frozen=True)
class MissingRows(Transform):
    """Loses all events of a row while it is missing: in a ``fraction`` of slots of time.

    Slots last ``duration_us`` and are counted from the start; each row has its own luck in each.
    None: a row is missing all through the sample, or not at all. ``axis``: ``"row"`` or
    ``"column"``.

    Raises ArgumentError unless ``fraction`` lies in 0..1 and ``duration_us`` in 1..10**15.

    >>> from evstore import Events
    >>> from evstore.noise import MissingRows
    >>> events = Events(range(1000), [3] * 1000, range(1000), [1] * 1000)
    >>> 400 < len(MissingRows(0.5)(events, sample=7)) < 600
    True
    """

    fraction: float = 0.01
    duration_us: int | None = None
    axis: str = "row"

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        check_number("fraction", self.fraction, 0, 1)
        if self.duration_us is not None:
            check_integer("duration_us", self.duration_us, 1, LONGEST_US)
        check_choice("axis", self.axis, ("row", "column"))

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """What is missing when is a function of row and slot: nothing is held."""
        seed = key.number(self.seed, f"MissingRows {self.axis}")
        return _Missing(seed, share_of(self.fraction), start, self.duration_us or 0, self.axis)


class _Missing:
    def __init__(self, seed: int, share: int, start: int, duration: int, axis: str) -> None:
        self.seed = seed
        self.share = share
        self.start = start
        self.duration = duration
        self.axis = axis

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        line = batch.y if self.axis == "row" else batch.x
        keep = flags(batch.size)
        kernels.keep_lines(batch.t, line, self.seed, self.start, self.duration, self.share, keep)
        return kept(batch, keep), until
