"""Events added to voxel grids: each to the bins before and after its time."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.frames.histogram_kernels import PIECE, RIGHT, fault
from evstore.jit import kernel


@kernel
def add(
    t: Any, x: Any, y: Any, p: Any, cells: Any, bins: int, row: int, plane: int,
    least: int, scale: float, span: float,
) -> None:  # fmt: skip
    """Share each event's sign between two bins, by its distance to each.

    No time is before ``least``, and ``x + y * row < plane``. A time that is ``span`` later lies at
    ``scale`` bins.
    """
    last = np.float64(bins)
    for k in range(x.size):
        # Of unsigned numbers: the difference of any two times fits.
        place = scale * np.float64(np.uint64(t[k]) - np.uint64(least)) / span
        if place < last:
            bin_before = np.uint64(place)
            part = place - np.float64(bin_before)
            sign = np.float64(2 * np.int64(p[k]) - 1)
            i = np.uint64(y[k]) * np.uint64(row) + np.uint64(x[k]) + bin_before * np.uint64(plane)
            cells[i] += sign * (1.0 - part)
            if bin_before + np.uint64(1) < np.uint64(bins):
                cells[i + np.uint64(plane)] += sign * part


@kernel
def fill(
    t: Any, x: Any, y: Any, p: Any, cells: Any, bins: int, width: int, height: int,
    least: int, scale: float, span: float,
) -> Any:  # fmt: skip
    """Add events to a grid; RIGHT, or what is wrong with some, and they are not added."""
    for start in range(0, t.size, PIECE):
        stop = min(start + PIECE, t.size)
        some_x, some_y, some_p = x[start:stop], y[start:stop], p[start:stop]
        found = fault(some_x, some_y, some_p, width, height)
        if found != RIGHT:
            return found
        some_t = t[start:stop]
        add(
            some_t, some_x, some_y, some_p, cells, bins, width, width * height,
            least, scale, span,
        )  # fmt: skip
    return RIGHT
