"""Events to EVT3 words."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel

# Indices into `state`.
TIME = 0  # the time the words written so far say, in microseconds; -1 before the first TIME_HIGH
ROW = 1  # the last ADDR_Y; -1 before the first
SINCE_HIGH = 2  # words since the last TIME_HIGH
FAULT = 3  # why the event at the returned position cannot be written, 0 where it can
STATE_SIZE = 4

# Values of FAULT.
NEGATIVE, BACKWARD, FAR, WIDE, TALL = 1, 2, 3, 4, 5

#: A TIME_HIGH is repeated after this many words, so that a reader can join in the middle.
REPEAT_HIGH = 1024

#: The longest silence that is written: every 16.8 s of it cost two words.
MAX_GAP = 1 << 40

#: Words that one call of `set_time` and one row may write; a kernel stops where fewer are left.
ROOM = 64


@kernel
def set_time(now: int, out: Any, n: int, state: Any) -> Any:
    """Words that bring the time to ``now``; returns the new length of ``out``.

    Stops early, with state[TIME] not yet ``now``, where ``out`` runs short. A wrap is always
    written as TIME_HIGH 4095 and then 0: every reader takes that for a wrap, and no other step.
    """
    before = state[TIME]
    if now == before:
        return n
    while (now >> 24) > (before >> 24) or before < 0:
        if n + ROOM // 2 > out.size:
            state[TIME] = before
            return n
        if before < 0:
            before = 0
            if now >> 24 == 0:
                break
        out[n] = 0x8FFF
        out[n + 1] = 0x8000
        n += 2
        before = ((before >> 24) + 1) << 24
        state[SINCE_HIGH] = 0
    high = (now >> 12) & 4095
    if state[TIME] < 0 or before != state[TIME] or high != (before >> 12) & 4095:
        out[n] = 0x8000 | high
        n += 1
        # A new TIME_HIGH sets the low part to 0 in one reader and not in another: always say it.
        out[n] = 0x6000 | (now & 4095)
        n += 1
        state[SINCE_HIGH] = 0
    else:
        if state[SINCE_HIGH] >= REPEAT_HIGH:
            out[n] = 0x8000 | high
            n += 1
            state[SINCE_HIGH] = 0
        out[n] = 0x6000 | (now & 4095)
        n += 1
    state[TIME] = now
    return n


@kernel
def time_fault(now: int, before: int) -> int:
    """Why EVT3 cannot go from time ``before`` to ``now``; 0 where it can."""
    if now < 0:
        return NEGATIVE
    if now - max(before, 0) > MAX_GAP:
        return FAR
    # Back within one turn of the 24-bit clock, and by less than what reads as a wrap.
    near = (now >> 24) == (before >> 24) and (before >> 12) - (now >> 12) < 2048
    return BACKWARD if now < before and not near else 0


@kernel
def row_length(t: Any, x: Any, y: Any, p: Any, first: int) -> int:
    """How many events from ``first`` on one VECT_BASE_X and three vectors (32 pixels) can hold."""
    stop = first + 1
    while (
        stop < t.size
        and x[stop] > x[stop - 1]
        and x[stop] < 2048
        and int(x[stop]) - int(x[first]) < 32
        and t[stop] == t[first]
        and y[stop] == y[first]
        and p[stop] == p[first]
    ):
        stop += 1
    return stop - first


@kernel
def write_row(x: Any, first: int, count: int, polarity: int, out: Any, n: int) -> Any:
    """``count`` events of one time, row and polarity: as vectors where that takes fewer words."""
    span = int(x[first + count - 1]) - int(x[first])
    vectors = span // 12 + 1 if span < 24 else 3
    if count <= vectors + 1:
        for k in range(first, first + count):
            out[n] = 0x2000 | polarity << 11 | int(x[k])
            n += 1
        return n
    bits = 0
    for k in range(first, first + count):
        bits |= 1 << (int(x[k]) - int(x[first]))
    out[n] = 0x3000 | polarity << 11 | int(x[first])
    out[n + 1] = 0x4000 | bits & 4095
    if vectors > 1:
        out[n + 2] = 0x4000 | (bits >> 12) & 4095
    if vectors > 2:
        out[n + 3] = 0x5000 | (bits >> 24) & 255
    return n + 1 + vectors


@kernel
def encode(t: Any, x: Any, y: Any, p: Any, first: int, out: Any, state: Any) -> Any:
    """Write events from ``first`` on until they end, ``out`` is full, or one cannot be held.

    Returns (events done, words written); state[FAULT] says why the next one cannot be held.
    """
    i = first
    n = 0
    while i < t.size:
        now = t[i]
        fault = time_fault(now, state[TIME])
        if x[i] >= 2048:
            fault = WIDE
        elif y[i] >= 2048:
            fault = TALL
        if fault != 0:
            state[FAULT] = fault
            break
        start = n
        if now != state[TIME]:
            n = set_time(now, out, n, state)
        if state[TIME] != now or n + ROOM // 2 > out.size:
            break
        if state[ROW] != y[i]:
            state[ROW] = y[i]
            out[n] = int(y[i])
            n += 1
        count = 1
        # A call with arrays costs more than an event: made only where a vector may come of it.
        if i + 1 < t.size and t[i + 1] == now and y[i + 1] == y[i] and x[i + 1] > x[i]:
            count = row_length(t, x, y, p, i)
        if count == 1:
            out[n] = 0x2000 | int(p[i] != 0) << 11 | int(x[i])
            n += 1
        else:
            n = write_row(x, i, count, int(p[i] != 0), out, n)
        state[SINCE_HIGH] += n - start
        i += count
    return i, n


@kernel
def encode_trigger(now: int, channel: int, value: int, out: Any, state: Any) -> Any:
    """One edge; returns (1 where it is written, words): call again where ``out`` ran short."""
    fault = time_fault(now, state[TIME])
    if fault != 0:
        state[FAULT] = fault
        return 0, 0
    n = set_time(now, out, 0, state)
    if state[TIME] != now:
        return 0, n
    out[n] = 0xA000 | channel << 8 | value
    state[SINCE_HIGH] += 1
    return 1, n + 1
