"""ECF blocks to events: one block is one chunk of ``/CD/events``.

Runs and packed groups may write some values past the last event, where that is cheaper than to
ask: the output arrays have `SLACK` values more than a block has events.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

#: Values that are written behind the last event.
SLACK = 16

#: Bytes of a block before its first step of time: the count and its two flags, then the time.
COUNT_BYTES = 4
HEADER_BYTES = 12

# Indices into `state`.
FAULT = 0  # why the block cannot be decoded, 0 where it can
AT = 1  # the byte after the last that was taken
STATE_SIZE = 2

# Values of FAULT.
ENDS_EARLY, TOO_LONG_A_RUN, TOO_LONG_A_STEP = 1, 2, 3


@kernel
def word16(data: Any, at: Any) -> Any:
    """A little-endian u16, wherever it lies."""
    return np.uint64(data[at]) | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)


@kernel
def word24(data: Any, at: Any) -> Any:
    """Three bytes of which the first is the least."""
    return word16(data, at) | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)


@kernel
def times(data: Any, count: Any, t: Any, state: Any) -> None:
    """Steps of time: a nibble of step and one of count, both with longer forms."""
    size = np.uint64(data.size)
    one = np.uint64(1)
    two = np.uint64(2)
    at = np.uint64(HEADER_BYTES)
    now = np.uint64(0)
    for k in range(8):
        now |= np.uint64(data[COUNT_BYTES + k]) << np.uint64(8 * k)
    i = np.uint64(0)
    while i < count:
        if at >= size:
            state[FAULT] = ENDS_EARLY
            return
        v = np.uint64(data[at])
        at += one
        if v >= np.uint64(0xF0):
            # A long step, four bits a byte, the least first.
            step = np.uint64(0)
            shift = np.uint64(0)
            while v >= np.uint64(0xF0):
                if shift >= np.uint64(64):
                    state[FAULT] = TOO_LONG_A_STEP
                    return
                if at >= size:
                    state[FAULT] = ENDS_EARLY
                    return
                step |= (v & np.uint64(15)) << shift
                shift += np.uint64(4)
                v = np.uint64(data[at])
                at += one
            now += step
        now += v >> np.uint64(4)
        run = v & np.uint64(15)
        if run == np.uint64(15):
            if at + two > size:
                state[FAULT] = ENDS_EARLY
                return
            run = word16(data, at)
            at += two
        if run > count - i:
            state[FAULT] = TOO_LONG_A_RUN
            return
        value = np.int64(now)
        if run <= np.uint64(4):
            for k in range(4):
                t[i + np.uint64(k)] = value
        else:
            for k in range(run):
                t[i + np.uint64(k)] = value
        i += run
    state[AT] = at


@kernel
def packed(data: Any, count: Any, x: Any, y: Any, p: Any, state: Any) -> None:
    """Four events in three u32: y, x and polarity in 24 bits each."""
    at = np.uint64(state[AT])
    groups = (count + np.uint64(3)) >> np.uint64(2)
    if groups * np.uint64(12) > np.uint64(data.size) - at:
        state[FAULT] = ENDS_EARLY
        return
    state[AT] = at + groups * np.uint64(12)
    for g in range(groups):
        from_ = at + np.uint64(12) * np.uint64(g)
        i = np.uint64(4) * np.uint64(g)
        a = word24(data, from_ + np.uint64(1))
        b = np.uint64(data[from_]) | word16(data, from_ + np.uint64(6)) << np.uint64(8)
        c = word16(data, from_ + np.uint64(4)) | np.uint64(
            data[from_ + np.uint64(11)]
        ) << np.uint64(16)
        d = word24(data, from_ + np.uint64(8))
        for k, v in enumerate((a, b, c, d)):
            y[i + np.uint64(k)] = (v >> np.uint64(12)) & np.uint64(2047)
            x[i + np.uint64(k)] = (v >> np.uint64(1)) & np.uint64(2047)
            p[i + np.uint64(k)] = v & np.uint64(1)


@kernel
def rows(data: Any, count: Any, y: Any, state: Any) -> None:
    """Runs of y: 11 bits of y and 5 of count."""
    size = np.uint64(data.size)
    two = np.uint64(2)
    at = np.uint64(state[AT])
    i = np.uint64(0)
    while i < count:
        if at + two > size:
            state[FAULT] = ENDS_EARLY
            return
        v = word16(data, at)
        at += two
        run = v & np.uint64(31)
        if run == np.uint64(31):
            if at + two > size:
                state[FAULT] = ENDS_EARLY
                return
            run = word16(data, at)
            at += two
        if run > count - i:
            state[FAULT] = TOO_LONG_A_RUN
            return
        value = np.uint16(v >> np.uint64(5))
        if run <= np.uint64(8):
            for k in range(8):
                y[i + np.uint64(k)] = value
        else:
            for k in range(run):
                y[i + np.uint64(k)] = value
        i += run
    state[AT] = at


@kernel
def packed_columns(data: Any, count: Any, x: Any, p: Any, state: Any) -> None:
    """Four events in three u16: x and polarity in 12 bits each."""
    at = np.uint64(state[AT])
    groups = (count + np.uint64(3)) >> np.uint64(2)
    if groups * np.uint64(6) > np.uint64(data.size) - at:
        state[FAULT] = ENDS_EARLY
        return
    state[AT] = at + groups * np.uint64(6)
    for g in range(groups):
        from_ = at + np.uint64(6) * np.uint64(g)
        i = np.uint64(4) * np.uint64(g)
        first = word16(data, from_)
        second = word16(data, from_ + np.uint64(2))
        third = word16(data, from_ + np.uint64(4))
        a = first >> np.uint64(4)
        b = first & np.uint64(15) | second >> np.uint64(8) << np.uint64(4)
        c = second & np.uint64(255) | third >> np.uint64(12) << np.uint64(8)
        d = third & np.uint64(4095)
        for k, v in enumerate((a, b, c, d)):
            x[i + np.uint64(k)] = v >> np.uint64(1)
            p[i + np.uint64(k)] = v & np.uint64(1)


@kernel
def columns(data: Any, count: Any, x: Any, state: Any) -> None:
    """11 bits of x, and which of the five columns right of it follow.

    The vendor's encoder may set bits for columns behind the last event: they say nothing.
    """
    size = np.uint64(data.size)
    at = np.uint64(state[AT])
    i = np.uint64(0)
    one = np.uint64(1)
    while i < count:
        if at + np.uint64(2) > size:
            state[FAULT] = ENDS_EARLY
            return
        v = word16(data, at)
        at += np.uint64(2)
        first = v >> np.uint64(5)
        x[i] = first
        i += one
        if v & np.uint64(31):
            # Each is written and kept only where its bit is set: no branch to guess.
            for k in range(5):
                x[i] = first + np.uint64(k + 1)
                i += (v >> np.uint64(4 - k)) & one
    state[AT] = at


@kernel
def polarities(data: Any, count: Any, p: Any, state: Any) -> None:
    """Runs of polarity: one bit of it and 7 of count."""
    size = np.uint64(data.size)
    at = np.uint64(state[AT])
    i = np.uint64(0)
    while i < count:
        if at >= size:
            state[FAULT] = ENDS_EARLY
            return
        v = np.uint64(data[at])
        at += np.uint64(1)
        run = v & np.uint64(127)
        if run == np.uint64(127):
            if at + np.uint64(2) > size:
                state[FAULT] = ENDS_EARLY
                return
            run = word16(data, at)
            at += np.uint64(2)
        if run > count - i:
            state[FAULT] = TOO_LONG_A_RUN
            return
        value = np.uint8(v >> np.uint64(7))
        if run <= np.uint64(16):
            for k in range(16):
                p[i + np.uint64(k)] = value
        else:
            for k in range(run):
                p[i + np.uint64(k)] = value
        i += run
    state[AT] = at


@kernel
def decode(data: Any, t: Any, x: Any, y: Any, p: Any, state: Any) -> None:
    """Decode one block; the outputs hold as many events as its header says, and `SLACK` more.

    Where state[FAULT] is set afterwards, the outputs hold nothing of use.
    """
    state[FAULT] = 0
    state[AT] = 0
    if data.size < HEADER_BYTES:
        state[FAULT] = ENDS_EARLY
        return
    header = word16(data, np.uint64(0)) | word16(data, np.uint64(2)) << np.uint64(16)
    count = header >> np.uint64(2)
    room = np.uint64(min(t.size, x.size, y.size, p.size))
    if count + np.uint64(SLACK) > room:
        state[FAULT] = TOO_LONG_A_RUN
        return
    times(data, count, t, state)
    if state[FAULT]:
        return
    if header & np.uint64(2):
        packed(data, count, x, y, p, state)
        return
    rows(data, count, y, state)
    if state[FAULT]:
        return
    if header & np.uint64(1):
        packed_columns(data, count, x, p, state)
        return
    columns(data, count, x, state)
    if state[FAULT] == 0:
        polarities(data, count, p, state)
