"""Events of pixels that are not masked."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.filters.choosing_kernels import STEP, places, steps_back

U = np.uint64


@kernel
def judge(
    t: Any, x: Any, y: Any, before: int, width: int, height: int, good: Any, at: Any, keep: Any
) -> Any:
    """``good``: of each pixel, 1 or 0."""
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 0, at)
        if fault:
            return fault
        before = some[some.size - 1]
        kept = keep[first : first + STEP]
        for i in range(kept.size):
            kept[i] = good[U(at[i])]
    return 0
