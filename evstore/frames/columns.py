"""The four columns of whatever holds events, without a copy where that can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events, dtype_name, empty_column
from evstore.frames.spec import check_resolution

#: Fields that kernels read where they lie, by the type they are read as. A negative coordinate is
#: then a large one, which lies outside every sensor of at most 32,768 pixels a side.
READ_AS = {
    "t": {"<i8": "i8"},
    "x": {"<u2": "u2", "<i2": "u2"},
    "y": {"<u2": "u2", "<i2": "u2"},
    "p": {"|u1": "u1", "|b1": "u1", "|i1": "u1"},
}
SIGNED_SIDE = 1 << 15


class Columns(NamedTuple):
    """Columns with the values of Events; a structured array's lie apart, and unaligned."""

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]
    resolution: tuple[int, int]

    def extent(self) -> tuple[int, int]:
        """The least time, and the greatest plus one; both 0 where there are no events."""
        from evstore.frames.time_kernels import extent

        if not self.t.size:
            return 0, 0
        least, greatest = extent(self.t)
        return int(least), int(greatest) + 1

    @property
    def together(self) -> bool:
        """Whether the values of each column follow each other in memory."""
        return all(column.flags.c_contiguous for column in (self.t, self.x, self.y, self.p))

    def copied(self) -> Columns:
        """The same, together."""
        from evstore.frames.column_kernels import unpack

        made = piece(self.t.size)
        unpack(self.t, self.x, self.y, self.p, made)
        return Columns(made.t, made.x, made.y, made.p, self.resolution)


def piece(length: int | None = None) -> Any:
    """Room for `column_kernels.unpack`; of as many events as it takes at once unless said."""
    from evstore.frames.column_kernels import PIECE, Piece
    from evstore.frames.vector_unpack import BYTES

    size = PIECE if length is None else length
    t, x, y, p = (empty_column(name, size) for name in COLUMNS)
    return Piece(t, x, y, p, np.empty(BYTES, np.uint8))


def is_tensors(events: Any) -> bool:
    """Whether they are torch tensors by name, as `Events.to_torch` gives them."""
    return isinstance(events, Mapping) and not isinstance(events.get("t"), np.ndarray)


def columns_of(events: Any, resolution: tuple[int, int] | None) -> Columns:
    """Columns of Events, or of a structured array with the fields t, x, y, p.

    The resolution is that of the events unless it is given. Raises ArgumentError for anything
    else, and where no resolution is known.
    """
    if isinstance(events, Events):
        sides = check_resolution(events.resolution if resolution is None else resolution)
        return Columns(events.t, events.x, events.y, events.p, sides)
    if not isinstance(events, np.ndarray) or events.dtype.names is None:
        raise ArgumentError(
            "events must be Events, a structured array with the fields t, x, y, p, or torch "
            f"tensors by these names, got {type(events).__name__}"
        )
    sides = check_resolution(resolution)
    found: Any = fields_as_columns(events) if max(sides) <= SIGNED_SIDE else None
    if found is None:
        made = Events.from_structured(events)
        found = [made.t, made.x, made.y, made.p]
    t, x, y, p = found
    return Columns(t, x, y, p, sides)


def fields_as_columns(events: NDArray[Any]) -> list[Any] | None:
    """The fields t, x, y, p as they lie, read by kernels as `READ_AS`; None where they can't be."""
    fields: Any = events.dtype.fields or {}
    if events.ndim != 1 or not set(COLUMNS) <= set(fields):
        return None  # Events says what is wrong with it
    found = []
    for name in COLUMNS:
        dtype = fields[name][0]  # whose own `str` is not to be trusted: see dtype_name
        as_type = READ_AS[name].get(dtype_name(dtype))
        if as_type is None or not dtype.isnative:
            return None
        found.append(events[name].view(as_type))
    return found
