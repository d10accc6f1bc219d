"""Labels of a recording: intervals of a class, and boxes around objects.

Both are columns of equal length that are checked once, when they are made. In a shard they are the
side streams ``labels`` and ``boxes`` (formats/evs/SPEC.md).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError, CorruptError
from evstore.recording.sides import clipped, meets

Table = dict[str, NDArray[Any]]
Rows = int | np.integer[Any] | slice | list[int] | NDArray[Any]

WHOLE = frozenset({"t", "t_start", "t_stop", "class_id", "track_id"})
PLACE = ("x", "y", "w", "h")
GREATEST = (1 << 63) - 1


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Intervals:
    """Times [t_start, t_stop), in microseconds, in which there was one class; all int64.

    They may overlap and come in any order; an empty one is the instant at its start. Raises
    ArgumentError for columns of different lengths, and for intervals that end before they begin.

    >>> gestures = Intervals([0, 500], [400, 900], [3, 7])
    >>> len(gestures), gestures[1:].class_id.tolist(), class_at(gestures, 300, 600)
    (2, [7], 3)
    """

    t_start: NDArray[np.int64]
    t_stop: NDArray[np.int64]
    class_id: NDArray[np.int64]

    def __init__(self, t_start: ArrayLike, t_stop: ArrayLike, class_id: ArrayLike) -> None:
        table = _checked({"t_start": t_start, "t_stop": t_stop, "class_id": class_id})
        _refuse("interval", table["t_stop"] < table["t_start"], "ends before it begins", table)
        self.__dict__.update(table)

    @classmethod
    def empty(cls) -> Intervals:
        """No intervals."""
        return cls([], [], [])

    def columns(self) -> Table:
        """The columns by name; no copies."""
        return _columns(self)

    def to_structured(self) -> NDArray[Any]:
        """A fresh structured array with the fields t_start, t_stop, class_id."""
        return _structured(self.columns())

    def __len__(self) -> int:
        return self.t_start.size

    def __getitem__(self, which: Rows) -> Intervals:
        """One interval, a slice (views), or those of a mask or an index array (copies)."""
        return _rows_of(self, which)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other) if isinstance(other, Intervals) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Intervals({len(self):,})"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Boxes:
    """Boxes around objects: t int64 in microseconds, and a rectangle [x, x + w), [y, y + h).

    ``x, y`` (the top left corner), ``w, h`` are float32, or all float64 where one of them is wider
    than float32 holds (float64, int32, int64); class_id int64; ``confidence`` float (not a number
    where it is unknown) and ``track_id`` int64 or None where there are none. Boxes may reach
    beyond the sensor. Raises ArgumentError for columns of different lengths, for numbers that are
    not finite, and for widths and heights below 0.

    >>> boxes = Boxes([10, 20], [0, 4], [0, 4], [8, 8], [2, 2], [0, 1])
    >>> len(boxes), within(boxes, 15, 30).x.tolist(), boxes.track_id is None
    (2, [4.0], True)
    """

    t: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[Any]
    w: NDArray[Any]
    h: NDArray[Any]
    class_id: NDArray[np.int64]
    confidence: NDArray[Any] | None = None
    track_id: NDArray[np.int64] | None = None

    def __init__(
        self,
        t: ArrayLike,
        x: ArrayLike,
        y: ArrayLike,
        w: ArrayLike,
        h: ArrayLike,
        class_id: ArrayLike,
        confidence: ArrayLike | None = None,
        track_id: ArrayLike | None = None,
    ) -> None:
        given = {"t": t, "x": x, "y": y, "w": w, "h": h, "class_id": class_id}
        some = {"confidence": confidence, "track_id": track_id}
        table = _checked({**given, **{k: v for k, v in some.items() if v is not None}})
        wide = np.result_type(*(table[name] for name in PLACE))
        table |= {name: table[name].astype(wide, copy=False) for name in PLACE}
        for name in PLACE:
            _refuse("box", ~np.isfinite(table[name]), f"has no finite {name}", table)
        for name in ("w", "h"):
            _refuse("box", table[name] < 0, f"has {name} below 0", table)
        self.__dict__.update({**dict.fromkeys(some), **table})

    @classmethod
    def empty(cls) -> Boxes:
        """No boxes, and neither confidence nor track_id."""
        place = np.empty(0, np.float32)
        return cls([], place, place, place, place, [])

    def columns(self) -> Table:
        """The columns by name, without those that there are not; no copies."""
        return _columns(self)

    def to_structured(self) -> NDArray[Any]:
        """A fresh structured array with a field a column."""
        return _structured(self.columns())

    def __len__(self) -> int:
        return self.t.size

    def __getitem__(self, which: Rows) -> Boxes:
        """One box, a slice (views), or those of a mask or an index array (copies)."""
        return _rows_of(self, which)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other) if isinstance(other, Boxes) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Boxes({len(self):,})"


Labels = TypeVar("Labels", Intervals, Boxes)


def to_side(labels: Intervals | Boxes | Mapping[str, NDArray[Any]]) -> Table:
    """The rows of the side stream ``labels`` or ``boxes``, for ``append_rows`` of a recording.

    A table of columns, as formats/label_tables.py reads them, is checked, and keeps what other
    columns of numbers it has.
    """
    if not isinstance(labels, (Intervals, Boxes)):
        kind: type[Intervals] | type[Boxes] = Intervals if "t_start" in labels else Boxes
        known = _known(kind, labels)
        return {**labels, **kind(**known).columns()}
    return labels.columns()


def from_side(table: Mapping[str, NDArray[Any]]) -> Intervals | Boxes:
    """Intervals of the rows of a side stream ``labels``, Boxes of those of ``boxes``.

    Raises CorruptError for what is none: labels come from a file here.
    """
    return intervals_from_side(table) if "t_start" in table else boxes_from_side(table)


def intervals_from_side(table: Mapping[str, NDArray[Any]] | None) -> Intervals:
    """Intervals of the rows of the side stream ``labels``; none where there is none."""
    return Intervals.empty() if table is None else _from_side(Intervals, table)


def boxes_from_side(table: Mapping[str, NDArray[Any]] | None) -> Boxes:
    """Boxes of the rows of the side stream ``boxes``; none where there is none."""
    return Boxes.empty() if table is None else _from_side(Boxes, table)


def within(labels: Labels, start: int, stop: int, *, clip: bool = False) -> Labels:
    """Labels of the times [start, stop), in their order.

    Boxes with ``start <= t < stop``; intervals that share a microsecond with these times, as they
    are or, with ``clip``, cut to them.
    """
    _check_times(start, stop)
    table = labels.columns()
    keep = meets(table, start, stop)
    if not clip or isinstance(labels, Boxes):
        return labels[keep]
    found = {name: column[keep] for name, column in table.items()}
    return _made(type(labels), clipped(found, start, stop))


def share(intervals: Intervals, start: int, stop: int) -> NDArray[np.float64]:
    """How much of the times [start, stop) each interval covers: 0 (nothing) to 1 (all).

    >>> share(Intervals([0, 60], [50, 70], [1, 2]), 40, 80).tolist()
    [0.25, 0.25]
    """
    _check_times(start, stop)
    covered = np.zeros(len(intervals))
    met = meets(intervals.columns(), start, stop)
    cut = clipped({k: v[met] for k, v in intervals.columns().items()}, start, stop)
    # As unsigned numbers: times from one end of int64 to the other are apart by more than it holds.
    lengths = cut["t_stop"].view(np.uint64) - cut["t_start"].view(np.uint64)
    covered[met] = lengths / float(max(1, stop - start))
    return covered


def class_at(intervals: Intervals, start: int, stop: int) -> int | None:
    """The class that covers most of the times [start, stop); None where none covers any of them.

    Times that several intervals of one class share count once. Of classes that cover as much the
    one whose interval comes first is taken.
    """
    met = within(intervals, start, stop, clip=True)
    if len(met) == 1:
        return int(met.class_id[0]) if met.t_stop[0] > met.t_start[0] else None
    covered: dict[int, int] = dict.fromkeys(met.class_id.tolist(), 0)
    reached = dict.fromkeys(covered, start)
    order = np.argsort(met.t_start, kind="stable")
    columns = (met.t_start, met.t_stop, met.class_id)
    for first, last, kind in zip(*(column[order].tolist() for column in columns), strict=True):
        covered[kind] += max(0, last - max(first, reached[kind]))
        reached[kind] = max(reached[kind], last)
    most = max(covered, key=covered.__getitem__, default=None)  # of equal ones the first
    return most if most is not None and covered[most] > 0 else None


def _checked(given: Mapping[str, ArrayLike]) -> Table:
    table = {name: _column(name, values) for name, values in given.items()}
    lengths = {name: column.size for name, column in table.items()}
    if len(set(lengths.values())) != 1:
        raise ArgumentError(f"columns must be of equal length, got {lengths}")
    return table


def _column(name: str, values: ArrayLike) -> NDArray[Any]:
    """int64 of whole numbers, float32 or float64 of others; kept where it is that already."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ArgumentError(f"column {name!r} must have one dimension, got shape {array.shape}")
    if name in WHOLE:
        if array.dtype.kind not in "iu" and array.size:
            raise ArgumentError(f"column {name!r} must hold integers, got {array.dtype}")
        if array.dtype.kind == "u" and array.size and array.max() > GREATEST:
            raise ArgumentError(f"column {name!r} must lie below 2**63, got {array.max()}")
        return array.astype(np.int64, copy=False)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise ArgumentError(f"column {name!r} must hold numbers, got {array.dtype}")
    return array.astype(np.result_type(array.dtype, np.float32), copy=False)


def _refuse(what: str, wrong: NDArray[np.bool_], says: str, table: Table) -> None:
    if wrong.any():
        k = int(np.argmax(wrong))
        row = ", ".join(f"{name} {column[k]}" for name, column in table.items())
        count = int(np.count_nonzero(wrong))
        raise ArgumentError(f"{what} {k:,} {says} ({count:,} of {wrong.size:,} do): {row}")


def _columns(labels: Intervals | Boxes) -> Table:
    found = {field.name: getattr(labels, field.name) for field in fields(labels)}
    return {name: column for name, column in found.items() if column is not None}


def _made(kind: type[Labels], table: Table) -> Labels:
    """Of columns that were checked."""
    made = object.__new__(kind)
    made.__dict__.update({**{field.name: None for field in fields(kind)}, **table})
    return made


def _rows_of(labels: Labels, which: Rows) -> Labels:
    if isinstance(which, (int, np.integer)):
        index = operator.index(which)
        if not -len(labels) <= index < len(labels):
            raise IndexError(f"row {index} of {len(labels)}")
        which = slice(index, index + 1 or None)
    table = {name: column[which] for name, column in labels.columns().items()}
    return _made(type(labels), table)


def _equal(a: Intervals | Boxes, b: Intervals | Boxes) -> bool:
    """In every value and in order; not a number is itself."""
    one, other = a.columns(), b.columns()
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=True) for name in one
    )


def _structured(table: Table) -> NDArray[Any]:
    rows = len(next(iter(table.values())))
    out = np.empty(rows, [(name, column.dtype) for name, column in table.items()])
    for name, column in table.items():
        out[name] = column
    return out


def _known(kind: type[Intervals] | type[Boxes], table: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a table that the kind has; raises ArgumentError where one is missing."""
    names = [field.name for field in fields(kind)]
    needed = names[:3] if kind is Intervals else names[:6]
    if missing := [name for name in needed if name not in table]:
        raise ArgumentError(
            f"{kind.__name__} need the columns {', '.join(needed)}; missing {', '.join(missing)}"
        )
    return {name: table[name] for name in names if name in table}


def _from_side(kind: type[Labels], table: Mapping[str, NDArray[Any]]) -> Labels:
    try:
        return kind(**_known(kind, table))
    except ArgumentError as error:
        raise CorruptError(f"rows of a side stream are no {kind.__name__}: {error}") from None


def _check_times(start: int, stop: int) -> None:
    if start > stop:
        raise ArgumentError(f"start {start} us lies after stop {stop} us")
