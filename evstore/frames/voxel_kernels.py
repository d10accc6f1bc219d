"""Events added to voxel grids: each to the bins before and after its time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.frames.column_kernels import PIECE, unpack
from evstore.frames.histogram_kernels import RIGHT, fault
from evstore.frames.time_kernels import steps_back
from evstore.jit import kernel

STEPS_BACK = 3  # beside what `fault` finds: a time is before the one in front of it


class Grid(NamedTuple):
    """What does not change from piece to piece; arrays of PIECE values to work in."""

    cells: Any  # all bins, flat
    parts: Any  # float64: how far an event is past the bin before it
    places: Any  # int64: its cell in that bin
    width: int
    height: int
    least: int  # no time is before it
    scale: float  # the bins that lie
    span: float  # in so many microseconds


@kernel
def place(t: Any, x: Any, y: Any, grid: Any) -> None:
    """Where events lie; no branches: LLVM makes vector code of it."""
    plane = np.int64(grid.width * grid.height)
    for k in range(t.size):
        # Of unsigned numbers: the difference of any two times fits.
        at = grid.scale * np.float64(np.uint64(t[k]) - np.uint64(grid.least)) / grid.span
        before = np.int64(at)
        grid.parts[k] = at - np.float64(before)
        grid.places[k] = before * plane + np.int64(y[k]) * grid.width + np.int64(x[k])


@kernel
def share(p: Any, grid: Any) -> None:
    """Add each event's sign to two bins, by its distance to each; those past the last get none."""
    cells = grid.cells
    plane = np.uint64(grid.width * grid.height)
    end = np.uint64(cells.size)
    for k in range(p.size):
        i = np.uint64(grid.places[k])
        sign = np.float64(2 * np.int64(p[k]) - 1)
        after = sign * grid.parts[k]
        if i + plane < end:
            cells[i] += sign - after
            cells[i + plane] += after
        elif i < end:
            cells[i] += sign - after


@kernel
def fill(t: Any, x: Any, y: Any, p: Any, grid: Any) -> Any:
    """Add events to a grid; RIGHT, or what is wrong with some, and they are not added."""
    for start in range(0, t.size, PIECE):
        stop = min(start + PIECE, t.size)
        some_x, some_y, some_p = x[start:stop], y[start:stop], p[start:stop]
        found = fault(some_x, some_y, some_p, grid.width, grid.height)
        if found != RIGHT:
            return found
        place(t[start:stop], some_x, some_y, grid)
        share(some_p, grid)
    return RIGHT


@kernel
def fill_apart(t: Any, x: Any, y: Any, p: Any, grid: Any, piece: Any) -> Any:
    """The same of columns that lie apart; STEPS_BACK where a time is before the one before."""
    last = grid.least
    for start in range(0, t.size, PIECE):
        stop = min(start + PIECE, t.size)
        unpack(t[start:stop], x[start:stop], y[start:stop], p[start:stop], piece)
        n = stop - start
        if piece.t[0] < last or steps_back(piece.t[:n]):
            return STEPS_BACK
        last = piece.t[n - 1]
        found = fill(piece.t[:n], piece.x[:n], piece.y[:n], piece.p[:n], grid)
        if found != RIGHT:
            return found
    return RIGHT
