"""Events of ROS messages; those of EVT3 packets are decoded by evt3_kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
BASE = 0  # the packet's time, in the unit that its encoding counts from
HIGH = 1  # libcaer_cmp: TIME_HIGH << 12
LOW = 2  # TIME_LOW
X = 3  # ADDR_X; -1 before the first
ROW = 4  # y of the next vector word; -1 before the first VECT_BASE_Y
POLARITY = 5  # of vector words
SKIP = 6  # bits of the current vector word that are already decoded
FAULT = 7  # what is wrong with the event at the position: one of the below
STATE_SIZE = 8

# Values of state[FAULT].
BAD_TIME = 1  # nanoseconds are a second or more
BAD_POLARITY = 2  # neither 0 nor 1
BAD_ROW = 3  # a vector word reaches beyond what 16 bits can say

# Indices into `counts`: kinds of words of libcaer_cmp, 0 to 15, then:
INVALID = 16
EVENTS_BEFORE_X = 17
VECTORS_BEFORE_BASE = 18
COUNTS_SIZE = 19


@kernel
def u16(octets: Any, at: Any, big: Any) -> Any:
    """Two bytes from ``at``, in either order; ``at`` is unsigned, so that no index counts back."""
    first, second = np.uint16(octets[at]), np.uint16(octets[at + np.uint64(1)])
    if big:
        first, second = second, first
    return first | second << np.uint16(8)


@kernel
def u32(octets: Any, at: Any, big: Any) -> Any:
    """Four bytes from ``at``, in either order."""
    first = np.uint32(u16(octets, at, big))
    second = np.uint32(u16(octets, at + np.uint64(2), big))
    if big:
        first, second = second, first
    return first | second << np.uint32(16)


@kernel
def fault_of(nanoseconds: Any, polarity: Any) -> Any:
    """What is wrong with an event, 0 if nothing."""
    if nanoseconds >= np.uint32(1_000_000_000):
        return BAD_TIME
    if polarity > np.uint8(1):
        return BAD_POLARITY
    return 0


@kernel
def packed(
    octets: Any, position: Any, t: Any, x: Any, y: Any, p: Any, filled: Any, state: Any
) -> Any:
    """Events of 13 bytes, as ROS 1 packs them; whole ones only."""
    n, at = np.uint64(filled), np.uint64(position)
    for _ in range(min(t.size - filled, (octets.size - position) // 13)):
        nanoseconds = u32(octets, at + np.uint64(8), False)
        polarity = octets[at + np.uint64(12)]
        fault = fault_of(nanoseconds, polarity)
        if fault != 0:
            state[FAULT] = fault
            break
        seconds = np.int64(u32(octets, at + np.uint64(4), False))
        t[n] = seconds * 1_000_000 + np.int64(nanoseconds // np.uint32(1000))
        x[n] = u16(octets, at, False)
        y[n] = u16(octets, at + np.uint64(2), False)
        p[n] = polarity
        n += np.uint64(1)
        at += np.uint64(13)
    return np.int64(at), np.int64(n)


@kernel
def aligned(
    octets: Any, position: Any, t: Any, x: Any, y: Any, p: Any, filled: Any, state: Any, big: Any
) -> Any:
    """Events of CDR: y at each 16 bytes, x before it, and gaps that align the time.

    The first x is at 0 instead, and its y behind it.
    """
    n, at = np.uint64(filled), np.uint64(position)
    for _ in range(min(t.size - filled, (octets.size - position + 3) // 16)):
        nanoseconds = u32(octets, at + np.uint64(8), big)
        polarity = octets[at + np.uint64(12)]
        fault = fault_of(nanoseconds, polarity)
        if fault != 0:
            state[FAULT] = fault
            break
        # Signed in ROS 2.
        seconds = np.int64(np.int32(u32(octets, at + np.uint64(4), big)))
        t[n] = seconds * 1_000_000 + np.int64(nanoseconds // np.uint32(1000))
        start = at if at == 0 else at - np.uint64(2)
        x[n] = u16(octets, start, big)
        y[n] = u16(octets, start + np.uint64(2), big)
        p[n] = polarity
        n += np.uint64(1)
        at += np.uint64(16)
    return np.int64(at), np.int64(n)


@kernel
def mono(words: Any, position: Any, t: Any, x: Any, y: Any, p: Any, filled: Any, state: Any) -> Any:
    """Words of 64 bits: 31..0 nanoseconds, 47..32 x, 62..48 y, 63 polarity."""
    base = state[BASE]
    n = filled
    i = position
    while n < t.size and i < words.size:
        w = words[i]
        t[n] = (base + np.int64(w & np.uint64(0xFFFFFFFF))) // 1000
        x[n] = np.uint16(w >> np.uint64(32))
        y[n] = np.uint16((w >> np.uint64(48)) & np.uint64(0x7FFF))
        p[n] = np.uint8(w >> np.uint64(63))
        n += 1
        i += 1
    return i, n


@kernel
def libcaer(
    words: Any, position: Any, t: Any, x: Any, y: Any, p: Any, filled: Any, state: Any, counts: Any
) -> Any:
    """Pairs of 32 bits: 0 valid, 1 polarity, 16..2 y, 31..17 x; then a signed time in us."""
    base = state[BASE]
    n = filled
    i = position
    while n < t.size and i + 1 < words.size:
        w = np.int64(words[i])
        after = np.int64(words[i + 1])
        i += 2
        if w & 1 == 0:
            counts[INVALID] += 1
            continue
        if after >= 1 << 31:
            after -= 1 << 32
        t[n] = base + after
        x[n] = w >> 17
        y[n] = (w >> 2) & 0x7FFF
        p[n] = (w >> 1) & 1
        n += 1
    return i, n


@kernel
def libcaer_cmp(
    words: Any, position: Any, t: Any, x: Any, y: Any, p: Any, filled: Any, state: Any, counts: Any
) -> Any:
    """Words of 16 bits, their kind in 15..12; vectors run along y."""
    base = state[BASE]
    high = state[HIGH]
    low = state[LOW]
    column = state[X]
    row = state[ROW]
    polarity = state[POLARITY]
    skip = state[SKIP]
    n = filled
    i = position
    while i < words.size:
        w = np.int64(words[i])
        kind = w >> 12
        if kind == 0:
            high = (w & 0xFFF) << 12
        elif kind == 1:
            low = w & 0xFFF
        elif kind == 2:
            column = w & 0x7FF
        elif kind == 3:
            if column < 0:
                counts[EVENTS_BEFORE_X] += 1
            elif n >= t.size:
                break
            else:
                t[n] = base + (high | low)
                x[n] = column
                y[n] = w & 0x7FF
                p[n] = (w >> 11) & 1
                n += 1
        elif kind == 4:
            row = w & 0x7FF
            polarity = (w >> 11) & 1
        elif kind == 5 or kind == 6:
            width = 8 if kind == 5 else 12
            k = skip
            while k < width:
                if (w >> k) & 1:
                    if row < 0:
                        counts[VECTORS_BEFORE_BASE] += 1
                    elif column < 0:
                        counts[EVENTS_BEFORE_X] += 1
                    elif n >= t.size:
                        break
                    elif row + k > 65_535:
                        state[FAULT] = BAD_ROW
                        break
                    else:
                        t[n] = base + (high | low)
                        x[n] = column
                        y[n] = row + k
                        p[n] = polarity
                        n += 1
                k += 1
            if k < width:
                skip = k
                break
            skip = 0
            if row >= 0:
                row += width
        else:
            counts[kind] += 1
        i += 1
    state[HIGH] = high
    state[LOW] = low
    state[X] = column
    state[ROW] = row
    state[POLARITY] = polarity
    state[SKIP] = skip
    return i, n
