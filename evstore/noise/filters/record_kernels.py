"""Fields of structured arrays become columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel


@kernel
def load(t: Any, x: Any, y: Any, p: Any, to_t: Any, to_x: Any, to_y: Any, to_p: Any) -> Any:
    """Whether all are values that columns hold: all bits that any of them has show it."""
    places, polarities = np.int64(0), np.int64(0)
    for i in range(to_t.size):
        column, row, polarity = np.int64(x[i]), np.int64(y[i]), np.int64(p[i])
        places |= column | row
        polarities |= polarity
        to_t[i] = t[i]
        to_x[i] = column
        to_y[i] = row
        to_p[i] = polarity
    return (places >> 16 == 0) & (polarities >> 1 == 0)


@kernel
def load_places(t: Any, x: Any, y: Any, to_t: Any, to_x: Any, to_y: Any) -> Any:
    """The same of what filters look at that take both polarities alike."""
    places = np.int64(0)
    for i in range(to_t.size):
        column, row = np.int64(x[i]), np.int64(y[i])
        places |= column | row
        to_t[i] = t[i]
        to_x[i] = column
        to_y[i] = row
    return places >> 16 == 0


@kernel
def sides(x: Any, y: Any) -> Any:
    """The width and height that have room for all of them, 1 and 1 at least."""
    width = height = np.int64(1)
    for i in range(x.size):
        width = max(width, np.int64(x[i]) + 1)
        height = max(height, np.int64(y[i]) + 1)
    return width, height
