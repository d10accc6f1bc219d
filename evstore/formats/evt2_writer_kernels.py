"""Events to EVT2 words."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
TIME = 0  # what the last TIME_HIGH says, in microseconds, turns of the clock included; -1 before
FAULT = 1  # why the event at the returned position cannot be written, 0 where it can
STATE_SIZE = 2

# Values of FAULT.
NEGATIVE, BACKWARD, FAR, WIDE, TALL = 1, 2, 3, 4, 5

#: The longest silence that is written: every 4.77 h of it cost two words.
MAX_GAP = 1 << 40

#: Words that one event and the silence before it may take: two for each of 65 turns, and two.
ROOM = 132


@kernel
def time_fault(now: int, before: int) -> int:
    """Why EVT2 cannot go from the TIME_HIGH of ``before`` to ``now``; 0 where it can."""
    if now < 0:
        return NEGATIVE
    if now - max(before, 0) > MAX_GAP:
        return FAR
    # Back within one turn of the 34-bit clock, and by less than what reads as a wrap.
    near = (now >> 34) == (before >> 34) and before - now < 0x200000000
    return BACKWARD if now < before and not near else 0


@kernel
def set_high(now: int, out: Any, n: Any, state: Any) -> Any:
    """TIME_HIGH of ``now``; returns the new length of ``out``, which has `ROOM`.

    A wrap is always written as the greatest TIME_HIGH and then 0: every reader that knows wraps
    takes that for one, and no other step.
    """
    before = state[TIME]
    turn = max(before, 0) >> 34
    while turn < now >> 34:
        out[n] = np.uint32(0x8FFFFFFF)
        out[n + 1] = np.uint32(0x80000000)
        n += 2
        turn += 1
        before = turn << 34
    if before < 0 or now >> 6 != before >> 6:
        out[n] = np.uint32(0x80000000 | (now >> 6) & 0x0FFFFFFF)
        n += 1
    state[TIME] = now >> 6 << 6
    return n


@kernel
def encode(t: Any, x: Any, y: Any, p: Any, first: int, out: Any, state: Any) -> Any:
    """Write events from ``first`` on until they end, ``out`` is full, or one cannot be held.

    Returns (events done, words written); state[FAULT] says why the next one cannot be held.
    """
    i = np.uint64(first)
    n = np.uint64(0)
    high = state[TIME]
    # Indices without a sign: a negative one would be counted from the end, at a cost.
    while i < np.uint64(t.size) and n + np.uint64(ROOM) <= np.uint64(out.size):
        now = t[i]
        outside = (x[i] | y[i]) >= 2048
        if high < 0 or now >> 34 != high >> 34 or high - now >= 0x200000000 or outside:
            fault = time_fault(now, high) if now & ~63 != high else 0
            if x[i] >= 2048:
                fault = WIDE
            elif y[i] >= 2048:
                fault = TALL
            if fault != 0:
                state[FAULT] = fault
                break
            state[TIME] = high
            n = np.uint64(set_high(now, out, np.int64(n), state))
            high = state[TIME]
        # Written in any case, and written over where it has not changed: at low rates no branch
        # predictor can know which.
        out[n] = np.uint32(0x80000000) | np.uint32((now >> 6) & 0x0FFFFFFF)
        n += np.uint64(now & ~63 != high)
        high = now & ~63
        low = np.uint32(now & 63) << np.uint32(22) | np.uint32(x[i]) << np.uint32(11)
        out[n] = np.uint32(p[i] != 0) << np.uint32(28) | low | np.uint32(y[i])
        n += np.uint64(1)
        i += np.uint64(1)
    state[TIME] = high
    return np.int64(i), np.int64(n)


@kernel
def encode_trigger(now: int, channel: int, value: int, out: Any, state: Any) -> Any:
    """One edge; returns (1 where it is written, words)."""
    n = 0
    if now >> 6 << 6 != state[TIME]:
        fault = time_fault(now, state[TIME])
        if fault != 0:
            state[FAULT] = fault
            return 0, 0
        n = set_high(now, out, n, state)
    out[n] = np.uint32(0xA0000000 | (now & 63) << 22 | channel << 8 | value)
    return 1, n + 1
