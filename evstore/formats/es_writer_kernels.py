"""Events to Event Stream bytes."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel

# Indices into `state`.
TIME = 0  # microseconds that the bytes written so far add up to
FAULT = 1  # why the event at the returned position cannot be written, 0 where it can
STATE_SIZE = 2

# Values of FAULT.
NEGATIVE, BACKWARD, FAR, WIDE, TALL = 1, 2, 3, 4, 5

EVENT_BYTES = 5


@kernel
def event_fault(now: int, x: int, y: int, before: int, width: int, height: int, gap: int) -> int:
    """Why an event cannot follow time ``before``; 0 where it can."""
    if now < 0:
        return NEGATIVE
    if now < before:
        return BACKWARD
    if now - before > gap:
        return FAR
    if x >= width:
        return WIDE
    return TALL if y >= height else 0


@kernel
def encode(
    t: Any,
    x: Any,
    y: Any,
    flags: Any,
    first: int,
    flag_bits: int,
    width: int,
    height: int,
    flip: int,
    gap: int,
    out: Any,
    state: Any,
) -> Any:
    """Write events from ``first`` on until they end, ``out`` is full, or one cannot be held.

    The first byte of an event is the time since the one before it above ``flag_bits`` flags: 1 for
    DVS, 2 for ATIS. All ones above the flags make an overflow, and the flags say how many.
    Returns (events done, bytes written). Where ``out`` is full, overflow bytes of the next event
    may be in it already, and their time in state[TIME].
    """
    most = (1 << flag_bits) - 1  # overflows in a byte
    step = (1 << (8 - flag_bits)) - 1
    mark = step << flag_bits
    before = state[TIME]
    i = first
    n = 0
    while i < t.size:
        now = t[i]
        column = int(x[i])
        row = int(y[i])
        fault = event_fault(now, column, row, before, width, height, gap)
        if fault != 0:
            state[FAULT] = fault
            break
        while now - before >= step and n < out.size:
            steps = most
            if now - before < most * step:
                steps = (now - before) // step
            out[n] = mark | steps
            before += steps * step
            n += 1
        if n + EVENT_BYTES > out.size:
            break
        if flip != 0:
            row = height - 1 - row
        out[n] = (now - before) << flag_bits | int(flags[i])
        out[n + 1] = column & 255
        out[n + 2] = column >> 8
        out[n + 3] = row & 255
        out[n + 4] = row >> 8
        before = now
        n += EVENT_BYTES
        i += 1
    state[TIME] = before
    return i, n
