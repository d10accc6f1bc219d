"""Events: four columns of equal length and the sensor's resolution."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from evstore.errors import ArgumentError, MissingDependencyError
from evstore.memory import room

if TYPE_CHECKING:
    import pyarrow
    import torch

#: One event in 13 bytes without padding: what `to_structured` gives unless asked otherwise.
PACKED_DTYPE = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])

COLUMN_DTYPES: dict[str, np.dtype[Any]] = {
    "t": np.dtype(np.int64),
    "x": np.dtype(np.uint16),
    "y": np.dtype(np.uint16),
    "p": np.dtype(np.uint8),
}
COLUMNS = ("t", "x", "y", "p")
ROOM_FROM = 65_536  # events


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Kind and size as numpy writes them of little-endian values, whatever the order.

    Not ``dtype.str``: other packages can leave numpy's own bool as ``<b1``.

    >>> dtype_name(np.dtype(">i4")), dtype_name(np.dtype(bool))
    ('<i4', '|b1')
    """
    return f"{'|' if dtype.itemsize == 1 else '<'}{dtype.kind}{dtype.itemsize}"


def empty_column(name: str, length: int) -> NDArray[Any]:
    """``length`` values of a column, not set. Stores to a long one straddle no cache lines."""
    dtype = COLUMN_DTYPES[name]
    if length < ROOM_FROM:  # which costs more than it gains there
        return np.empty(length, dtype)
    return room(length * dtype.itemsize).view(dtype)


class Events:
    """Consecutive events as a structure of arrays.

    ``t`` int64 microseconds, ``x`` and ``y`` uint16 (column, row), ``p`` uint8 (1 = ON, 0 = OFF),
    all one-dimensional and of equal length; ``resolution`` is ``(width, height)`` or None where
    it is not known. Arrays that already have these dtypes are kept, not copied.

    Raises ArgumentError for columns of different lengths, of more than one dimension, or with
    values their dtype cannot hold.

    >>> events = Events([10, 20], [1, 2], [3, 4], [1, 0], resolution=(34, 34))
    >>> len(events), events[1:].t.tolist()
    (2, [20])
    """

    __slots__ = ("p", "resolution", "t", "x", "y")

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]
    resolution: tuple[int, int] | None

    def __init__(
        self,
        t: ArrayLike,
        x: ArrayLike,
        y: ArrayLike,
        p: ArrayLike,
        resolution: tuple[int, int] | None = None,
    ) -> None:
        self.t = _column("t", t)
        self.x = _column("x", x)
        self.y = _column("y", y)
        self.p = _column("p", p)
        # numpy's integers would count in their own few bits.
        self.resolution = None if resolution is None else (int(resolution[0]), int(resolution[1]))
        lengths = {name: getattr(self, name).size for name in COLUMNS}
        if len(set(lengths.values())) != 1:
            raise ArgumentError(f"columns must be of equal length, got {lengths}")

    def __len__(self) -> int:
        return int(self.t.size)

    def __getitem__(self, which: int | slice | NDArray[Any]) -> Events:
        """A slice (a view), one event, or the events of a mask or an index array (a copy)."""
        if isinstance(which, (int, np.integer)):
            which = one_event(which, len(self))
        return Events.of(
            self.t[which], self.x[which], self.y[which], self.p[which], self.resolution
        )

    def __repr__(self) -> str:
        span = f", t {self.t[0]}..{self.t[-1]} us" if len(self) else ""
        return f"Events({len(self):,} events{span}, resolution={self.resolution})"

    def __eq__(self, other: object) -> bool:
        """Equal in every value and in order; the resolution does not count."""
        if not isinstance(other, Events):
            return NotImplemented
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in COLUMNS)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(
        cls,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        resolution: tuple[int, int] | None = None,
    ) -> Events:
        """Events of columns known to be right: no dtype, length or value is checked."""
        self = object.__new__(cls)
        self.t, self.x, self.y, self.p, self.resolution = t, x, y, p, resolution
        return self

    @classmethod
    def empty(cls, resolution: tuple[int, int] | None = None, length: int = 0) -> Events:
        """``length`` events whose values are not set: a buffer to decode into."""
        t, x, y, p = (empty_column(name, length) for name in COLUMNS)
        return cls.of(t, x, y, p, resolution)

    @classmethod
    def concatenate(cls, parts: Iterable[Events]) -> Events:
        """One Events of many, in the order given; the resolution is the first one's."""
        parts = list(parts)
        if not parts:
            return cls.empty()
        t, x, y, p = (np.concatenate([getattr(part, n) for part in parts]) for n in COLUMNS)
        return cls.of(t, x, y, p, parts[0].resolution)

    @classmethod
    def from_structured(
        cls, array: NDArray[Any], resolution: tuple[int, int] | None = None
    ) -> Events:
        """From a structured array with the fields t, x, y, p, of any integer dtypes and order.

        >>> dtype = [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")]
        >>> a = np.array([(5, 1, 2, True)], dtype)
        >>> Events.from_structured(a).p.tolist()
        [1]
        """
        missing = [n for n in COLUMNS if n not in (array.dtype.names or ())]
        if missing:
            raise ArgumentError(
                f"a structured array needs the fields t, x, y, p; missing {missing}, "
                f"got {array.dtype}"
            )
        return cls(array["t"], array["x"], array["y"], array["p"], resolution)

    def to_structured(self, dtype: DTypeLike = PACKED_DTYPE) -> NDArray[Any]:
        """A fresh structured array; ``dtype`` must have the fields t, x, y, p.

        Raises ArgumentError where a field is missing or an integer field cannot hold a value.

        >>> Events([1], [2], [3], [1]).to_structured().tolist()
        [(1, 2, 3, 1)]
        """
        out = np.empty(len(self), dtype=np.dtype(dtype))
        for name in COLUMNS:
            if name not in (out.dtype.names or ()):
                raise ArgumentError(f"dtype needs the fields t, x, y, p, got {out.dtype}")
            column, wanted = getattr(self, name), out.dtype[name]
            if wanted.kind in "iu":
                _check_range(name, column, wanted)
            out[name] = column
        return out

    def to_torch(self) -> dict[str, torch.Tensor]:
        """Tensors ``t`` int64, ``x`` and ``y`` int32, ``p`` uint8, by name."""
        try:
            import torch
        except ImportError:
            raise MissingDependencyError("torch", "train", "Events.to_torch") from None
        wide = {
            "t": self.t,
            "x": self.x.astype(np.int32),
            "y": self.y.astype(np.int32),
            "p": self.p,
        }
        return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in wide.items()}

    @classmethod
    def from_arrow(cls, table: pyarrow.Table | pyarrow.RecordBatch) -> Events:
        """From a pyarrow Table or RecordBatch with the columns t, x, y, p, of any integer types.

        t may be timestamps or durations in microseconds. Columns in one piece that have the types
        of `to_arrow` are not copied, and cannot be written to. The resolution is what the schema's
        metadata says. Raises ArgumentError for nulls and for values that are no events.
        """
        missing = [n for n in COLUMNS if n not in table.schema.names]
        if missing:
            raise ArgumentError(f"a table needs the columns t, x, y, p; missing {missing}")
        about = table.schema.metadata or {}
        sides = [about.get(name, b"") for name in (b"width", b"height")]
        resolution = (int(sides[0]), int(sides[1])) if all(map(bytes.isdigit, sides)) else None
        t, x, y, p = (_from_arrow(name, table.column(name)) for name in COLUMNS)
        return cls(t, x, y, p, resolution)

    def to_arrow(self) -> pyarrow.Table:
        """A pyarrow Table with the columns t, x, y, p; no copy of the values.

        The resolution goes into the schema's metadata: ``width`` and ``height``.
        """
        try:
            import pyarrow
        except ImportError:
            raise MissingDependencyError("pyarrow", "arrow", "Events.to_arrow") from None
        columns = {name: pyarrow.array(getattr(self, name)) for name in COLUMNS}
        if self.resolution is None:
            return pyarrow.table(columns)
        width, height = map(str, self.resolution)
        return pyarrow.table(columns, metadata={"width": width, "height": height})


def one_event(which: int | np.integer[Any], count: int) -> slice:
    """The slice that holds just that event; raises IndexError, as sequences do."""
    index = operator.index(which)
    if not -count <= index < count:
        raise IndexError(f"event {index} of {count}")
    return slice(index, index + 1 or None)


def _from_arrow(name: str, column: Any) -> NDArray[Any]:
    """A pyarrow Array or ChunkedArray as numpy has it, without a copy if it is one piece."""
    if column.null_count:
        raise ArgumentError(f"column {name!r} has {column.null_count} nulls")
    pieces = getattr(column, "chunks", [column])
    arrays = [piece.to_numpy(zero_copy_only=False) for piece in pieces if len(piece)]
    if not arrays:
        return np.empty(0, COLUMN_DTYPES[name])
    array: NDArray[Any] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    is_time = name == "t" and array.dtype in (np.dtype("M8[us]"), np.dtype("m8[us]"))
    return array.view(np.int64) if is_time else array


def _column(name: str, values: ArrayLike) -> NDArray[Any]:
    wanted = COLUMN_DTYPES[name]
    array = np.asarray(values)
    if array.ndim != 1:
        raise ArgumentError(f"column {name!r} must have one dimension, got shape {array.shape}")
    if name == "p":
        return _polarity(array)
    if array.dtype == wanted:
        return array
    if array.size == 0:
        return array.astype(wanted)
    if array.dtype.kind not in "iu":
        raise ArgumentError(f"column {name!r} must hold integers, got {array.dtype}")
    _check_range(name, array, wanted)
    return array.astype(wanted)


def _check_range(name: str, array: NDArray[Any], wanted: np.dtype[Any]) -> None:
    if array.size == 0 or np.can_cast(array.dtype, wanted):
        return
    limits = np.iinfo(wanted)
    low, high = int(array.min()), int(array.max())
    if low < limits.min or high > limits.max:
        raise ArgumentError(
            f"column {name!r} must lie in {limits.min}..{limits.max}, got {low}..{high}"
        )


def check_polarity(array: NDArray[Any]) -> None:
    """Raises ArgumentError for other integers than 0 and 1."""
    if array.size and (array.min() < 0 or array.max() > 1):
        raise ArgumentError(
            f"column 'p' must hold 0 (OFF) and 1 (ON) only, got {array.min()}..{array.max()}. "
            "Map it first, as in (p > 0)"
        )


def _polarity(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.bool_:
        return array.view(np.uint8) if array.flags.c_contiguous else array.astype(np.uint8)
    if array.dtype.kind not in "iu":
        if array.size == 0:
            return array.astype(np.uint8)
        raise ArgumentError(f"column 'p' must hold 0 and 1 (or bool), got {array.dtype}")
    check_polarity(array)
    return array if array.dtype == np.uint8 else array.astype(np.uint8)
