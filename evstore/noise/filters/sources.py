"""What filters choose from: columns of events, or the records of a structured array."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events, empty_column
from evstore.memory import room
from evstore.noise.batch import Batch, Sensor, empty_batch
from evstore.noise.filters import record_kernels as kernels
from evstore.noise.filters.choosing_kernels import STEP, choose, choose_records
from evstore.noise.filters.moving_kernels import ToColumns, ToLabelled, ToRecords

MOST = 1 << 16  # pixels of a side
SPARSE = 2  # what is kept of more events than so many times as many is copied: the rest is freed


class Piece(NamedTuple):
    """Columns of events that follow each other, of any integers. Times may step back."""

    t: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]
    p: NDArray[Any]

    def at(self, which: slice | NDArray[np.intp]) -> Piece:
        """Those of a slice or of an index array."""
        return Piece(self.t[which], self.x[which], self.y[which], self.p[which])


class Columns:
    """Contiguous columns, labels too where there are some, and room for those that are kept."""

    def __init__(
        self,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        label: NDArray[np.uint8] | None = None,
        resolution: tuple[int, int] | None = None,
    ) -> None:
        self.columns = Piece(t, x, y, p)
        self.label, self.resolution = label, resolution
        self.size = int(t.size)
        self.count = 0
        self._out = [empty_column(name, self.size) for name in COLUMNS]
        self._keep = np.empty(min(STEP, self.size), np.uint8)
        self._labels = empty_column("p", 0 if label is None else self.size)

    @classmethod
    def of(cls, events: Events) -> Columns:
        """Of events without labels."""
        t, x, y, p = (np.ascontiguousarray(getattr(events, name)) for name in COLUMNS)
        return cls(t, x, y, p, resolution=events.resolution)

    def extent(self, each: int) -> Sensor:
        """The least sensor that has all of them, or of ``each`` so many one."""
        return _extent(self.columns.at(slice(None, None, each)))

    def piece(self, first: int, stop: int) -> Piece:
        """The events from ``first`` on, before ``stop``."""
        return self.columns.at(slice(first, stop))

    def _target(self, first: int, stop: int) -> ToColumns | ToLabelled:
        free = slice(self.count, self.count + stop - first)
        out = (column[free] for column in self._out)
        columns = ToColumns(*self.columns.at(slice(first, stop)), *out)
        if self.label is None:
            return columns
        return ToLabelled(columns, self.label[first:stop], self._labels[free])

    def choose(
        self, rule: Any, piece: Piece, first: int, before: int, sensor: Sensor
    ) -> tuple[int, int]:
        """Take those of the piece that are kept; gives how many, and a fault or 0."""
        target = self._target(first, first + piece.t.size)
        found: tuple[int, int] = choose(rule, *piece, before, *sensor, target, self._keep)
        return found

    def check(self) -> None:
        """Nothing: columns hold no other values."""

    def in_order(self) -> Columns:
        """The same sorted by time, stable for equal times."""
        order = np.argsort(self.columns.t, kind="stable")
        return Columns(*self.columns.at(order), resolution=self.resolution)

    def kept(self, resolution: tuple[int, int] | None) -> Events:
        """Those that were taken; the resolution unless they have one."""
        t, x, y, p = (_cut(column, self.count) for column in self._out)
        return Events.of(t, x, y, p, self.resolution or resolution)

    def kept_batch(self) -> Batch:
        """Those that were taken, with their labels."""
        t, x, y, p = (_cut(column, self.count) for column in self._out)
        return Batch(t, x, y, p, _cut(self._labels, self.count))


class Records:
    """A structured array, whatever fields it has beside t, x, y, p.

    Unless ``polarity`` is looked at, p is what it is: -1 and 1, say.
    """

    resolution: tuple[int, int] | None = None

    def __init__(self, array: Any, polarity: bool = True) -> None:
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.hasobject:
            raise ArgumentError(
                "a filter takes Events or a structured array of one dimension, "
                f"got {_described(array)}"
            )
        self.array = np.ascontiguousarray(array)
        self.size = int(array.size)
        self.count = 0
        self._out = room(array.nbytes).view(array.dtype)
        Events.from_structured(array[:0])  # raises where a field is missing
        self._polarity = polarity
        self._fields = _plain_fields(self.array)
        if self._fields is not None and polarity and not kernels.are_flags(self._fields.p):
            self._fields = None
        step = min(STEP, self.size)
        self._keep = np.empty(step, np.uint8)
        self._room = empty_batch(step)[:4]

    def extent(self, each: int) -> Sensor:
        """The least sensor that has all of them, or of ``each`` so many one, if there is one."""
        if self._fields is None:
            return _extent(self.piece(0, self.size))
        width, height = kernels.sides(self._fields.x[::each], self._fields.y[::each])
        return Sensor(min(width, MOST), min(height, MOST))

    def piece(self, first: int, stop: int) -> Piece:
        """The events from ``first`` on, before ``stop``: views, where that can be."""
        if self._fields is not None:
            return self._fields.at(slice(first, stop))
        events = Events.from_structured(self.array[first:stop])
        t, x, y, p = (np.ascontiguousarray(getattr(events, name)) for name in COLUMNS)
        return Piece(t, x, y, p)

    def choose(
        self, rule: Any, piece: Piece, first: int, before: int, sensor: Sensor
    ) -> tuple[int, int]:
        """Take those of the piece that are kept; gives how many, and a fault or 0."""
        target = self._target(first, first + piece.t.size)
        found: tuple[int, int] = choose_records(
            rule, *piece, self._polarity, before, *sensor, target, self._keep, *self._room
        )
        return found

    def _target(self, first: int, stop: int) -> ToRecords:
        free = self._out[self.count : self.count + stop - first]
        some = self.array[first:stop]
        return ToRecords(some.view(np.uint8), self.array.itemsize, free.view(np.uint8))

    def check(self) -> None:
        """Raises FormatError for values that events cannot have."""
        Events.from_structured(self.array)

    def in_order(self) -> Records:
        """The same sorted by time, stable for equal times."""
        return Records(self.array[np.argsort(self.array["t"], kind="stable")], self._polarity)

    def kept(self, resolution: tuple[int, int] | None) -> NDArray[Any]:
        """Those that were taken."""
        return _cut(self._out, self.count)


def _plain_fields(array: NDArray[Any]) -> Piece | None:
    """The four fields, where all are integers in the machine's order that int64 holds."""
    fields = [array[name] for name in COLUMNS]
    fields = [field.view(np.uint8) if field.dtype == np.bool_ else field for field in fields]
    for field in fields:
        if field.dtype.kind not in "iu" or not field.dtype.isnative or field.dtype == np.uint64:
            return None
    return Piece(*fields)


def _cut(column: NDArray[Any], count: int) -> NDArray[Any]:
    if count * SPARSE >= column.size:
        return column[:count]
    octets = column[:count].view(np.uint8)  # numpy copies records field by field
    return octets.copy().view(column.dtype)


def _extent(piece: Piece) -> Sensor:
    if not piece.t.size:
        return Sensor(1, 1)
    return Sensor(int(piece.x.max()) + 1, int(piece.y.max()) + 1)


def _described(array: Any) -> str:
    if isinstance(array, np.ndarray):
        return f"an array of {array.dtype} and shape {array.shape}"
    return type(array).__name__
