"""Events by the phase of a flicker's cycle, and those of a part of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

PHASES = 32  # of a cycle
LAST = np.int64(PHASES - 1)
QUIET = 8  # of them, for each polarity, in which flicker makes least


@kernel
def fold(
    t: Any, x: Any, y: Any, p: Any, begin: float, frequency: float, shift: int, across: int,
    counts: Any,
) -> None:  # fmt: skip
    """Count events by block, polarity (OFF first) and phase.

    ``frequency`` in cycles a microsecond; a cycle begins at ``begin``.
    """
    for i in range(t.size):
        home = (np.int64(y[i]) >> shift) * across + (np.int64(x[i]) >> shift)
        phase = (np.float64(t[i]) - begin) * frequency
        part = np.int64((phase - np.floor(phase)) * PHASES)
        counts[(2 * home + p[i]) * PHASES + min(part, LAST)] += 1


@kernel
def choose_quiet(
    t: Any, x: Any, y: Any, p: Any, begin: float, frequency: float, cycles: int, shift: int,
    across: int, first: Any, chosen: Any, times: Any,
) -> Any:  # fmt: skip
    """Which events lie in the quiet part of the next ``cycles``, and when without all other parts.

    ``first``: the phase in which it begins, by block and polarity. Gives how many there are; there
    is room for one more.
    """
    count = np.int64(0)
    length = QUIET / PHASES / frequency
    for i in range(t.size):
        home = (np.int64(y[i]) >> shift) * across + (np.int64(x[i]) >> shift)
        since = (np.float64(t[i]) - begin) * frequency - first[2 * home + p[i]] / PHASES
        cycle = np.floor(since)
        part = (since - cycle) * (PHASES / QUIET)
        chosen[count] = i
        times[count] = np.int64((cycle + min(part, 1.0)) * length)
        count += np.int64((part < 1.0) & (cycle >= 0.0) & (cycle < cycles))
    return count
