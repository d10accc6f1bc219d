"""Which events come after their pixel's dead time."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.filters.choosing_kernels import STEP, places, steps_back, times

U = np.uint64


@kernel
def judge(
    t: Any, x: Any, y: Any, before: int, width: int, height: int,
    base: int, period: int, since_any: bool, last: Any, at: Any, now: Any, late: Any, keep: Any,
) -> Any:  # fmt: skip
    """``since_any``: counted from the pixel's last event, else from the last that was kept."""
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 0, at)
        if fault:
            return fault
        before = some[some.size - 1]
        times(some, base, period, now, late)
        if since_any:
            judge_since_any(at[: some.size], now, late, last, keep[first : first + STEP])
        else:
            judge_since_kept(at[: some.size], now, late, last, keep[first : first + STEP])
    return 0


@kernel
def judge_since_any(at: Any, now: Any, late: Any, last: Any, keep: Any) -> None:
    """``late``: before it the pixel's last event must have been."""
    now, late, keep = now[: at.size], late[: at.size], keep[: at.size]
    for i in range(at.size):
        pixel = U(at[i])
        keep[i] = last[pixel] < late[i]
        last[pixel] = now[i]


@kernel
def judge_since_kept(at: Any, now: Any, late: Any, last: Any, keep: Any) -> None:
    """The same, where only events that are kept count."""
    now, late, keep = now[: at.size], late[: at.size], keep[: at.size]
    for i in range(at.size):
        pixel = U(at[i])
        earlier = last[pixel]
        kept = earlier < late[i]
        keep[i] = kept
        last[pixel] = now[i] if kept else earlier
