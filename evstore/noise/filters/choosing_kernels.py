"""What all filters share: a step of events is looked at, judged and moved while the first cache
has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.filters.choices import fetch, judge, move

STEP = 2048  # events
STEPS_BACK, OUTSIDE = 1, 2  # why events cannot be judged


@kernel
def choose(
    rule: Any, piece: Any, before: int, width: int, height: int, target: Any, keep: Any
) -> Any:
    """Move those that are kept; gives how many, and why the next ones cannot be judged, or 0.

    ``before``: what no time may be less than. ``keep``: uint8, as many as a step has.
    """
    count = 0
    for first in range(0, piece.t.size, STEP):
        stop = min(first + STEP, piece.t.size)
        t, x, y, p, fault = fetch(piece, first, stop)
        fault |= steps_back(t, before) | outside(x, width) | outside(y, height)
        if fault:
            return count, fault
        before = t[t.size - 1]
        kept = keep[: t.size]
        judge(rule, t, x, y, p, kept)
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
