"""Each n-th event."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.filters.choosing_kernels import STEP, places, steps_back

U = np.uint64


@kernel
def judge_pixels(
    t: Any, x: Any, y: Any, before: int, width: int, height: int,
    n: int, left: Any, at: Any, keep: Any,
) -> Any:  # fmt: skip
    """Of each pixel; ``left``: how many are to come until one is kept, less 1."""
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 0, at)
        if fault:
            return fault
        before = some[some.size - 1]
        each_of_pixels(at[: some.size], n, left, keep[first : first + STEP])
    return 0


@kernel
def each_of_pixels(at: Any, n: int, left: Any, keep: Any) -> None:
    """Counts down, pixel by pixel; without a branch, which would be guessed wrong."""
    keep = keep[: at.size]
    for i in range(at.size):
        pixel = U(at[i])
        more = np.int64(left[pixel]) - 1
        keep[i] = more < 0
        left[pixel] = more + (n & (more >> 63))


@kernel
def judge_stream(
    t: Any, x: Any, y: Any, before: int, width: int, height: int, at: Any, keep: Any
) -> Any:
    """Nothing but what cannot be judged."""
    keep[:] = 0
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 0, at)
        if fault:
            return fault
        before = some[some.size - 1]
    return 0
