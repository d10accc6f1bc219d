"""What a readout does to times, and which events it has no room for. All of it in integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Places in the state of a queue.
TIME = 0  # of the event that came last
WORK = 1  # that was left to do then
STATE_SIZE = 2

# Whole numbers below are divided by whole numbers in float64, which processors do many at once: a
# quotient that is no whole number is further from the next one than it is rounded by.
EXACT = 1 << 52

_MOST = (1 << 63) - 1
_LEAST = -(1 << 63)


@kernel
def queue(
    t: Any, a_us: int, an_event: int, room: int, longest: int, state: Any, work: Any, keep: Any
) -> None:
    """Let events queue: of each, whether it finds a place, and the work that is then to be done.

    ``a_us`` units of work are done in a microsecond, ``an_event`` units are an event's. An event
    finds a place where ``room`` units or fewer are left to do; ``longest`` microseconds are
    enough for any work.
    """
    work, keep = work[: t.size], keep[: t.size]
    before, left = state[TIME], state[WORK]
    for i in range(t.size):
        # Unsigned: from the least int64 to the greatest is no int64.
        passed = np.uint64(t[i]) - np.uint64(before)
        done = np.int64(min(passed, np.uint64(longest))) * a_us
        # Each event waits for the one before it: what can be is worked out beside each other.
        left -= done
        fits = left <= room
        more = max(left, 0) + an_event
        left = more if fits else left
        work[i] = left
        keep[i] = fits
        before = t[i]
    state[TIME], state[WORK] = before, left


@kernel
def stamp_when_read(t: Any, work: Any, a_us: int, most: int) -> None:
    """In place of its work, the time at which each event has been read. ``most``: of any work."""
    work = work[: t.size]
    if most < EXACT:
        for i in range(t.size):
            work[i] = np.int64(np.divide(np.float64(work[i]), np.float64(a_us)))
    else:
        for i in range(t.size):
            work[i] = np.int64(np.uint64(work[i]) // np.uint64(a_us))
    for i in range(t.size):
        # Compared first: a sum may not be what it was.
        work[i] = min(t[i], _MOST - work[i]) + work[i]


@kernel
def quantise(t: Any, step: int, offset: int, out: Any) -> None:
    """The last of the times ``offset + k * step`` that is not after each; 0 <= offset < step.

    Where that is no int64, the least there is.
    """
    out = out[: t.size]
    cell = _LEAST  # none yet ...
    length = np.uint64(0)
    for i in range(t.size):
        since = np.uint64(t[i]) - np.uint64(cell)
        if since >= length:
            over = t[i] % step - offset
            over += step if over < 0 else 0
            cell = _LEAST if t[i] < _LEAST + over else t[i] - over
            length = np.uint64(t[i]) - np.uint64(cell) - np.uint64(over) + np.uint64(step)
        out[i] = cell
