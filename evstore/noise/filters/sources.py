"""What filters choose from: columns of events, or the records of a structured array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events, empty_column
from evstore.frames.columns import fields_as_columns, piece
from evstore.memory import room
from evstore.noise.batch import Batch, Sensor, columns_of
from evstore.noise.filters import record_kernels as kernels
from evstore.noise.filters.choosing_kernels import STEP
from evstore.noise.filters.fetching_kernels import Apart, Piece
from evstore.noise.filters.moving_kernels import ToColumns, ToLabelled, ToRecords

PIECE = 1 << 18  # events
LOADED = 1 << 14  # of a piece that is loaded: its columns fill a part of the second cache
MOST = 1 << 16  # pixels of a side
SIGNED = 1 << 15  # the same, as 16 bits with a sign hold it
SPARSE = 2  # what is kept of more events than so many times as many is copied: the rest is freed


class Columns:
    """Contiguous columns, labels too where there are some, and room for those that are kept."""

    side = MOST

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
        self._labels = empty_column("p", 0 if label is None else self.size)

    @classmethod
    def of(cls, events: Events) -> Columns:
        """Of events without labels."""
        return cls(*columns_of(events), resolution=events.resolution)

    @property
    def most(self) -> int:
        """Events of a piece."""
        return PIECE

    def times(self) -> NDArray[np.int64]:
        """All of them, as they come."""
        return self.columns.t

    def load_all(self) -> bool:
        """There is nothing to load."""
        return False

    def extent(self, each: int) -> Sensor:
        """The least sensor that has all of them, or of ``each`` so many one."""
        return _extent(_at(self.columns, slice(None, None, each)))

    def piece(self, first: int, stop: int) -> Piece:
        """The events from ``first`` on, before ``stop``."""
        return _at(self.columns, slice(first, stop))

    def target(self, first: int, stop: int) -> ToColumns | ToLabelled:
        """Those events, and the room behind what is kept so far."""
        free = slice(self.count, self.count + stop - first)
        out = (column[free] for column in self._out)
        columns = ToColumns(*_at(self.columns, slice(first, stop)), *out)
        if self.label is None:
            return columns
        return ToLabelled(columns, self.label[first:stop], self._labels[free])

    def in_order(self) -> Columns:
        """The same sorted by time, stable for equal times."""
        order = np.argsort(self.columns.t, kind="stable")
        return Columns(*_at(self.columns, order), resolution=self.resolution)

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
        self._apart = _apart(self.array, polarity)
        signed = self._apart is not None and "i" in (array.dtype[name].kind for name in "xy")
        self.side = SIGNED if signed else MOST
        self._room = Piece(*(empty_column(name, min(LOADED, self.size)) for name in COLUMNS))

    @property
    def most(self) -> int:
        """Events of a piece."""
        return LOADED if self._apart is None else PIECE

    def times(self) -> NDArray[np.int64]:
        """All of them, as they come; raises ArgumentError for what are none."""
        nothing = np.zeros(self.size, np.uint8)
        return Events(self.array["t"], nothing, nothing, nothing).t

    def load_all(self) -> bool:
        """Read no field as it lies any more; whether any was."""
        were, self._apart, self.side = self._apart is not None, None, MOST
        return were

    def extent(self, each: int) -> Sensor:
        """The least sensor that has all of them, or of ``each`` so many one, if there is one."""
        if self._fields is None:
            return _extent(self._converted(0, self.size))
        width, height = kernels.sides(self._fields["x"][::each], self._fields["y"][::each])
        return Sensor(min(width, MOST), min(height, MOST))

    def piece(self, first: int, stop: int) -> Piece | Apart:
        """The events from ``first`` on, before ``stop``: until the next piece is asked for."""
        some = slice(first, stop)
        if self._apart is not None:
            t, x, y, p, polarity, room = self._apart
            return Apart(t[some], x[some], y[some], p[some], polarity, room)
        if self._fields is not None:
            columns = _at(self._room, slice(0, stop - first))
            if self._load([self._fields[name][some] for name in COLUMNS], columns):
                return columns
        return self._converted(first, stop)

    def _load(self, fields: list[NDArray[Any]], columns: Piece) -> bool:
        t, x, y, p = fields
        if self._polarity:
            return bool(kernels.load(t, x, y, p, *columns))
        return bool(kernels.load_places(t, x, y, columns.t, columns.x, columns.y))

    def _converted(self, first: int, stop: int) -> Piece:
        """The slow way; raises ArgumentError for values that events cannot have."""
        some = self.array[first:stop]
        p = some["p"] if self._polarity else np.zeros(some.size, np.uint8)
        return Piece(*columns_of(Events(some["t"], some["x"], some["y"], p)))

    def target(self, first: int, stop: int) -> ToRecords:
        """Those records, and the room behind what is kept so far."""
        free = self._out[self.count : self.count + stop - first]
        some = self.array[first:stop]
        return ToRecords(some.view(np.uint8), self.array.itemsize, free.view(np.uint8))

    def in_order(self) -> Records:
        """The same sorted by time, stable for equal times."""
        found = Records(self.array[np.argsort(self.array["t"], kind="stable")], self._polarity)
        if self._apart is None:
            found.load_all()
        return found

    def kept(self, resolution: tuple[int, int] | None) -> NDArray[Any]:
        """Those that were taken."""
        return _cut(self._out, self.count)


def _at(piece: Piece, which: slice | NDArray[np.intp]) -> Piece:
    """Those of a slice or of an index array."""
    t, x, y, p = piece
    return Piece(t[which], x[which], y[which], p[which])


def _plain_fields(array: NDArray[Any]) -> dict[str, NDArray[Any]] | None:
    """The four fields, where all are integers in the machine's order that int64 holds."""
    fields = {name: array[name] for name in COLUMNS}
    for name, field in fields.items():
        if field.dtype == np.bool_:
            fields[name] = field.view(np.uint8)
        elif field.dtype.kind not in "iu" or not field.dtype.isnative or field.dtype == np.uint64:
            return None
    return fields


def _apart(array: NDArray[Any], polarity: bool) -> Apart | None:
    """The fields as they lie, where kernels can read them so."""
    fields = fields_as_columns(array)
    if fields is None:
        return None
    t, x, y, p = fields
    return Apart(t, x, y, p, polarity, piece(STEP))


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
