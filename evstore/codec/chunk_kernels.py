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
    back = np.int64(0)
    for i in range(1, t.size):
        least = min(least, t[i])
        most = max(most, t[i])
        back |= np.int64(t[i] < t[i - 1])
    return back == 0, least, most


@kernel
def extent(values: NDArray[np.uint16]) -> tuple[np.uint16, np.uint16]:
    """(least, greatest)."""
    least = values[0]
    most = values[0]
    for i in range(values.size):
        least = min(least, values[i])
        most = max(most, values[i])
    return least, most


@kernel
def greatest(x: NDArray[np.uint16], y: NDArray[np.uint16]) -> tuple[np.uint16, np.uint16]:
    """The greatest x and the greatest y."""
    return extent(x)[1], extent(y)[1]


@kernel
def measure_block(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    first: bool,
    out: NDArray[np.int64],
) -> None:
    """Bring ``out``, what Measures holds in its order, up to some more events, not none.

    ``first``: they are the chunk's first.
    """
    on = 0
    for i in range(p.size):
        on += int(p[i])
    include(t, measure_times(t), extent(x), extent(y), on, first, out)


@kernel
def include(
    t: NDArray[np.int64],
    times: tuple[bool, np.int64, np.int64],
    x: tuple[np.uint16, np.uint16],
    y: tuple[np.uint16, np.uint16],
    on: int,
    first: bool,
    out: NDArray[np.int64],
) -> None:
    """measure_block, for who knows the block's times, extents and ON events already."""
    ordered, least, most = times
    if first:
        out[0], out[1], out[2], out[3], out[4], out[5] = 1, 0, t[0], t[0], t[0], t[0]
        out[6], out[7], out[8], out[9], out[10] = 65_536, 65_536, 0, 0, 0
    out[0] &= np.int64(ordered) & np.int64(out[3] <= t[0])
    out[1] += t.size
    out[3] = t[t.size - 1]
    out[4], out[5] = min(out[4], least), max(out[5], most)
    out[6], out[7] = min(out[6], np.int64(x[0])), min(out[7], np.int64(y[0]))
    out[8], out[9] = max(out[8], np.int64(x[1]) + 1), max(out[9], np.int64(y[1]) + 1)
    out[10] += on
