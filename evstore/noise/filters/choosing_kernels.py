"""What all filters share: a step of events is looked at, judged and moved while the first cache
has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel
from evstore.noise.filters.choices import judge, move
from evstore.noise.filters.record_kernels import load

STEP = 2048  # events
STEPS_BACK, OUTSIDE = 1, 2  # why events cannot be judged


@kernel
def choose(
    rule: Any, t: Any, x: Any, y: Any, p: Any, before: int, width: int, height: int,
    target: Any, keep: Any,
) -> Any:  # fmt: skip
    """Move those that are kept; gives how many, and why the next ones cannot be judged, or 0.

    Of contiguous columns. ``before``: what no time may be less than. ``keep``: uint8, a step's.
    """
    count = 0
    for first in range(0, t.size, STEP):
        stop = min(first + STEP, t.size)
        fault, kept = choose_step(
            rule, t[first:stop], x[first:stop], y[first:stop], p[first:stop], before, width, height,
            target, keep, first, count,
        )  # fmt: skip
        if fault:
            return count, fault
        count += kept
        before = t[stop - 1]
    return count, 0


@kernel
def choose_records(
    rule: Any, t: Any, x: Any, y: Any, p: Any, polarity: bool, before: int, width: int, height: int,
    target: Any, keep: Any, own_t: Any, own_x: Any, own_y: Any, own_p: Any,
) -> Any:  # fmt: skip
    """The same of fields of any integers, by columns that a step has room in.

    ``polarity``: whether it is looked at; all are 0 or 1 then.
    """
    count = 0
    for first in range(0, t.size, STEP):
        stop = min(first + STEP, t.size)
        size = stop - first
        times, columns, rows = own_t[:size], own_x[:size], own_y[:size]
        if not load(t[first:stop], x[first:stop], y[first:stop], times, columns, rows):
            return count, OUTSIDE
        if polarity:
            for i in range(size):
                own_p[i] = p[first + i]
        fault, kept = choose_step(
            rule, times, columns, rows, own_p[:size], before, width, height,
            target, keep, first, count,
        )  # fmt: skip
        if fault:
            return count, fault
        count += kept
        before = times[size - 1]
    return count, 0


@inlined
def choose_step(
    rule: Any, t: Any, x: Any, y: Any, p: Any, before: Any, width: Any, height: Any,
    target: Any, keep: Any, first: Any, count: Any,
) -> Any:  # fmt: skip
    """A fault or 0, and how many are kept."""
    fault = steps_back(t, before) | outside(x, width) | outside(y, height)
    kept = keep[: t.size]
    if fault:
        return fault, 0
    judge(rule, t, x, y, p, kept)
    return 0, move(target, kept, first, count)


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
    """OUTSIDE if a coordinate is none of so long a side; else 0. In their own dtype: fast."""
    most = place[0]
    for i in range(place.size):
        most = max(most, place[i])
    return OUTSIDE if np.int64(most) >= length else 0
