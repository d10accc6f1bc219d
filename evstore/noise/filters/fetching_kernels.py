"""A step of events as contiguous columns, of whatever holds them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.frames.column_kernels import unpack
from evstore.jit import kernel

UNFIT = 4  # why events cannot be judged, beside those of `choosing_kernels`: p is not 0 or 1


class Piece(NamedTuple):
    """Contiguous columns of events that follow each other. Times may step back."""

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]


class Apart(NamedTuple):
    """The fields of records, read as columns have them: a negative coordinate as a large one."""

    t: Any
    x: Any
    y: Any
    p: Any
    polarity: bool  # whether p is looked at
    room: Any  # a `frames.column_kernels.Piece`, for a step


@kernel
def from_columns(piece: Piece, first: int, stop: int) -> Any:
    """t, x, y, p, and 0."""
    some = slice(first, stop)
    return piece.t[some], piece.x[some], piece.y[some], piece.p[some], 0


@kernel
def from_records(piece: Apart, first: int, stop: int) -> Any:
    """t, x, y, p, until the next are fetched, and UNFIT or 0."""
    room, size = piece.room, stop - first
    unpack(piece.t[first:stop], piece.x[first:stop], piece.y[first:stop], piece.p[first:stop], room)
    polarities = room.p[:size]
    fault = UNFIT if piece.polarity and not_polarities(polarities) else 0
    return room.t[:size], room.x[:size], room.y[:size], polarities, fault


@kernel
def not_polarities(p: Any) -> Any:
    """Whether any is more than 1."""
    found = p[0]
    for i in range(p.size):
        found |= p[i]
    return found > 1
