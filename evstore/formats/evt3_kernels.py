"""EVT3 words to events."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
HIGH = 0  # loop << 24 | TIME_HIGH << 12; -1 before the first
LOW = 1  # TIME_LOW
ROW = 2  # ADDR_Y; -1 before the first
BASE = 3  # x of the next vector word; -1 before the first VECT_BASE_X
POLARITY = 4  # of vector words
SKIP = 5  # bits of the current vector word that are already decoded
TRIGGERS = 6  # edges in the trigger buffer
FAULT = 7  # 1 where a vector word reaches beyond what 16 bits can say
STATE_SIZE = 8

# Indices into `counts`: word kinds 0 to 15, then:
EVENTS_BEFORE_TIME = 16
EVENTS_BEFORE_ROW = 17
VECTORS_BEFORE_BASE = 18
TRIGGERS_BEFORE_TIME = 19
SLAVE_ROWS = 20
COUNTS_SIZE = 21

# Slots that the fast path of a vector word may write.
SLOTS = 16
MAX_BASE = 65_536 - 12

# For each byte: the positions of its set bits (eight slots a byte), and how many they are.
BIT_POSITIONS = np.zeros(256 * 8, np.uint16)
BIT_COUNTS = np.zeros(256, np.int64)
for _byte in range(256):
    _set = [k for k in range(8) if _byte >> k & 1]
    BIT_POSITIONS[_byte * 8 : _byte * 8 + len(_set)] = _set
    BIT_COUNTS[_byte] = len(_set)


@kernel
def expand(mask: int, base: int, now: int, row: int, polarity: int, t: Any, x: Any, y: Any, p: Any) -> Any:
    """Write eight events, of which as many count as ``mask`` has bits; returns that number.

    Free of branches: which bits are set is noise, and a loop over them mispredicts.
    """
    positions = BIT_POSITIONS[mask * 8 : mask * 8 + 8]
    for k in range(8):
        t[k] = now
        x[k] = np.uint16(base) + positions[k]
        y[k] = row
        p[k] = polarity
    return BIT_COUNTS[mask]


@kernel
def decode(
    words: Any,
    position: int,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: int,
    state: Any,
    counts: Any,
    trigger_t: Any,
    trigger_id: Any,
    trigger_p: Any,
) -> Any:
    """Decode until the words end, the outputs are full or a fault; returns (position, filled)."""
    high = state[HIGH]
    low = state[LOW]
    row = state[ROW]
    base = state[BASE]
    polarity = state[POLARITY]
    skip = state[SKIP]
    edges = state[TRIGGERS]
    limit = t.size
    n = filled
    i = position
    # Events have a place to go; 0 while time or row are not known, so that one check does for all.
    room = limit if high >= 0 and row >= 0 else 0
    while i < words.size:
        w = np.int64(words[i])
        kind = w >> 12
        if kind == 2:
            if n >= room:
                if room > 0:
                    break
                counts[EVENTS_BEFORE_TIME if high < 0 else EVENTS_BEFORE_ROW] += 1
            else:
                t[n] = high + low
                x[n] = w & 2047
                y[n] = row
                p[n] = (w >> 11) & 1
                n += 1
        elif kind == 0:
            row = w & 2047
            counts[SLAVE_ROWS] += (w >> 11) & 1
            if high >= 0:
                room = limit
        elif kind == 4 or kind == 5:
            width = 12 if kind == 4 else 8
            mask = w & ((1 << width) - 1)
            if room > 0 and base >= 0 and base <= MAX_BASE and skip == 0 and n + SLOTS <= limit:
                last = n + 8
                now = high + low
                n += expand(
                    mask & 255, base, now, row, polarity, t[n:last], x[n:last], y[n:last], p[n:last]
                )
                if kind == 4:
                    last = n + 8
                    n += expand(
                        mask >> 8, base + 8, now, row, polarity,
                        t[n:last], x[n:last], y[n:last], p[n:last],
                    )  # fmt: skip
                base += width
            else:
                full = False
                for k in range(skip, width):
                    if (mask >> k) & 1 == 0:
                        continue
                    if high < 0:
                        counts[EVENTS_BEFORE_TIME] += 1
                    elif row < 0:
                        counts[EVENTS_BEFORE_ROW] += 1
                    elif base < 0:
                        counts[VECTORS_BEFORE_BASE] += 1
                    elif base + k > 65_535:
                        state[FAULT] = 1
                        full = True
                        break
                    elif n >= limit:
                        skip = k
                        full = True
                        break
                    else:
                        t[n] = high + low
                        x[n] = base + k
                        y[n] = row
                        p[n] = polarity
                        n += 1
                if full:
                    break
                skip = 0
                if base >= 0:
                    base += width
        elif kind == 6:
            low = w & 4095
        elif kind == 8:
            # 24 bits of time; a step back of more than half of them is a wrap.
            new = (w & 4095) << 12
            if high < 0:
                high = new
                low = 0
                if row >= 0:
                    room = limit
            else:
                new += high - (high & 0xFFFFFF)
                if new != high:
                    if high - new > 0x800000:
                        new += 0x1000000
                    high = new
                    low = 0
        elif kind == 3:
            base = w & 2047
            polarity = (w >> 11) & 1
        elif kind == 10:
            if high < 0:
                counts[TRIGGERS_BEFORE_TIME] += 1
            elif edges >= trigger_t.size:
                break
            else:
                trigger_t[edges] = high + low
                trigger_id[edges] = (w >> 8) & 15
                trigger_p[edges] = w & 1
                edges += 1
        else:
            counts[kind] += 1
        i += 1
    state[HIGH] = high
    state[LOW] = low
    state[ROW] = row
    state[BASE] = base
    state[POLARITY] = polarity
    state[SKIP] = skip
    state[TRIGGERS] = edges
    return i, n
