"""What all filters share: a step of events is looked at, judged and moved while the first cache
has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.filters.choices import judge, move

STEP = 2048  # events
STEPS_BACK, OUTSIDE = 1, 2  # why events cannot be judged


@kernel
def choose(
    rule: Any, t: Any, x: Any, y: Any, p: Any, before: int, width: int, height: int,
    target: Any, keep: Any,
) -> Any:  # fmt: skip
    """Move those that are kept; gives how many, and why the next ones cannot be judged, or 0.

    Columns are contiguous, of the dtypes that those of events have. ``before``: what no time may
    be less than. ``keep``: uint8, as many as a step has.
    """
    count = 0
    for first in range(0, t.size, STEP):
        stop = min(first + STEP, t.size)
        times, columns, rows = t[first:stop], x[first:stop], y[first:stop]
        fault = steps_back(times, before) | outside(columns, width) | outside(rows, height)
        if fault:
            return count, fault
        before = times[times.size - 1]
        kept = keep[: times.size]
        judge(rule, times, columns, rows, p[first:stop], kept)
        count += move(target, kept, first, count)
    return count, 0


@kernel
def steps_back(t: Any, before: int) -> Any:
    """STEPS_BACK if a time lies before the one before it; else 0."""
    later, earlier = t[1:], t[:-1]
    stepped = np.int64(0)
    for i in range(later.size):
        stepped |= np.int64(later[i] < earlier[i])
    return STEPS_BACK if stepped or t[0] < before else 0


@kernel
def outside(place: Any, length: int) -> Any:
    """OUTSIDE if a coordinate, uint16, is none of so long a side; else 0."""
    most = place[0]
    for i in range(place.size):
        most = max(most, place[i])
    return OUTSIDE if np.int64(most) >= length else 0
