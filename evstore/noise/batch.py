"""What travels through transforms: columns in order of time, each event with its label."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events, empty_column
from evstore.noise import merge_kernels as kernels
from evstore.noise.labels import SIGNAL


class Sensor(NamedTuple):
    """The sensor's resolution."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


class Batch(NamedTuple):
    """Contiguous columns of equal length, times never stepping back; ``label`` uint8."""

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]
    label: NDArray[np.uint8]

    @property
    def size(self) -> int:
        """How many events there are. (``len`` counts columns.)"""
        return int(self.t.size)

    def events(self, resolution: tuple[int, int] | None) -> Events:
        """Without the labels."""
        return Events.of(self.t, self.x, self.y, self.p, resolution)

    def at(self, which: Any) -> Batch:
        """Those of a slice (views), a mask or an index array (copies)."""
        t, x, y, p, label = (column[which] for column in self)
        return Batch(t, x, y, p, label)


class Stage(Protocol):
    """A transform at work on one stream: what it holds between batches."""

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        """Take events before ``until``; all that come later are of that time or after it.

        Gives the events that are settled, and the time before which none is to come any more.
        ``last``: nothing comes any more, the stream ends at ``until``, and all is given.
        """


def columns_of(events: Events) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """t, x, y, p, contiguous; raises ArgumentError where somebody has set what events cannot have.

    Kernels rely on dtypes and lengths, and find places by polarities.
    """
    columns = [getattr(events, name) for name in COLUMNS]
    for name, column in zip(COLUMNS, columns, strict=True):
        if column.dtype != COLUMN_DTYPES[name] or column.shape != columns[0].shape:
            return columns_of(Events(*columns))
    t, x, y, p = (np.ascontiguousarray(column) for column in columns)
    if p.size and p.max() > 1:
        Events(t, x, y, p)  # says what is wrong
    return t, x, y, p


def check_events(events: object) -> None:
    """Raises ArgumentError for what is no Events, as a structured array."""
    if not isinstance(events, Events):
        raise ArgumentError(
            f"a stream takes Events, got {type(events).__name__}: of a structured array "
            "Events.from_structured(array) makes them"
        )


def batch_of(events: Events) -> Batch:
    """Events as a batch of signal; columns that are contiguous are not copied."""
    return Batch(*columns_of(events), np.full(len(events), SIGNAL, np.uint8))


def copied(batch: Batch) -> Batch:
    """A batch that has its memory for itself."""
    t, x, y, p, label = batch
    return Batch(t.copy(), x.copy(), y.copy(), p.copy(), label.copy())


def empty_batch(length: int = 0) -> Batch:
    """``length`` events whose values are not set."""
    t, x, y, p = (empty_column(name, length) for name in COLUMNS)
    return Batch(t, x, y, p, empty_column("p", length))


def merged(first: Batch, second: Batch) -> Batch:
    """Both in order of time, as each of them is; at equal times those of ``first`` come before."""
    if not second.size:
        return first
    if not first.size:
        return second
    out = empty_batch(first.size + second.size)
    kernels.merge(*first, *second, *out, np.empty(kernels.AT_ONCE, np.uint8))
    return out


def all_merged(batches: list[Batch]) -> Batch:
    """All in order of time; at equal times those of the first come before, and so on."""
    rest = list(batches)
    while len(rest) > 1:
        # The smallest first, so that few are moved often; neighbours, for the order of equal times.
        sizes = [first.size + second.size for first, second in pairwise(rest)]
        k = sizes.index(min(sizes))
        rest[k : k + 2] = [merged(*rest[k : k + 2])]
    return rest[0]


def joined(parts: list[Batch]) -> Batch:
    """One batch of several that follow each other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return empty_batch()
    out = empty_batch(sum(part.size for part in parts))
    for name in Batch._fields:
        np.concatenate([getattr(part, name) for part in parts], out=getattr(out, name))
    return out


def in_order(batch: Batch) -> Batch:
    """Sorted by time, stable for equal times; the same object where it is sorted already."""
    if kernels.is_sorted(batch.t):
        return batch
    return batch.at(np.argsort(batch.t, kind="stable"))


def check_inside(batch: Batch, sensor: Sensor) -> None:
    """Raises ArgumentError where a coordinate lies outside of the sensor."""
    outside = kernels.count_outside(batch.x, batch.y, sensor.width, sensor.height)
    if outside:
        raise ArgumentError(
            f"{outside:,} of {batch.size:,} events lie outside of the sensor of "
            f"{sensor.width}x{sensor.height}: give the resolution that the events have"
        )
