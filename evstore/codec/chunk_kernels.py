"""What the index keeps of a chunk, measured in one pass a column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.jit import kernel


@kernel
def measure_times(t: NDArray[np.int64]) -> tuple[bool, np.int64, np.int64]:
    """(time never steps back, least, greatest)."""
    least = t[0]
    most = t[0]
    for i in range(t.size):
        least = min(least, t[i])
        most = max(most, t[i])
    back = 0
    for i in range(1, t.size):
        back += int(t[i] < t[i - 1])
    return back == 0, least, most


@kernel
def measure_coordinates(
    x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8]
) -> tuple[np.uint16, np.uint16, np.uint16, np.uint16, int]:
    """(least x, greatest x, least y, greatest y, ON events)."""
    x0 = x[0]
    x1 = x[0]
    for i in range(x.size):
        x0 = min(x0, x[i])
        x1 = max(x1, x[i])
    y0 = y[0]
    y1 = y[0]
    for i in range(y.size):
        y0 = min(y0, y[i])
        y1 = max(y1, y[i])
    on = 0
    for i in range(p.size):
        on += int(p[i])
    return x0, x1, y0, y1, on


@kernel
def touch_pages(memory: NDArray[np.uint8]) -> None:
    """Write a byte of each page, so that the system hands all of them out now.

    It clears a page before, through the cache. Clearing many first, and storing past the cache
    then, keeps the two from getting into each other's way.
    """
    for i in range(0, memory.size, 4096):
        memory[i] = np.uint8(0)
