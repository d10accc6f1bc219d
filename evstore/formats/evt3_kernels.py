"""EVT3 words to events.

`decode` knows every kind of word. The loop at its start takes the stretches of rows, single
events and times, which are nearly everything a sensor sends, without a branch on the kind of
word: their order is noise, and a mispredicted branch costs more than all the work on a word.
"""

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

# By the upper five bits of a word: those that end a plain run. A row with its slave bit,
# VECT_BASE_X, VECT_12, VECT_8 and EXT_TRIGGER; TIME_HIGH does so only where it changes.
ENDS_RUN = (1 << 1) | (3 << 6) | (3 << 8) | (3 << 10) | (3 << 20)


# Where 2**k leaves the remainder r when divided by 13, LOWEST_BIT[r] is k: all twelve differ.
LOWEST_BIT = np.array([0, 0, 1, 4, 2, 9, 5, 11, 3, 8, 10, 7, 6])


@kernel
def split_x(x: Any, p: Any) -> None:
    """Part what `plain_run` left in ``x``: bits 10..0 are x, bit 11 is the polarity."""
    for k in range(x.size):
        p[k] = (x[k] >> np.uint16(11)) & np.uint16(1)
    for k in range(x.size):
        x[k] = x[k] & np.uint16(2047)


@kernel
def count_kind(words: Any, kind: int) -> int:
    """How many words are of a kind; vectorised, unlike a count kept while decoding."""
    found = 0
    wanted = np.uint16(kind)
    for k in range(words.size):
        found += (words[k] >> np.uint16(12)) == wanted
    return found


@kernel
def decode(
    words: Any,
    position: Any,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: Any,
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
    packed = filled  # from here on, x holds the polarity too
    while i < words.size:
        if high >= 0 and row >= 0 and n < limit and skip == 0:
            stop = min(words.size, i + limit - n)
            # Every word writes its event, and only ADDR_X moves on to the next slot.
            high_word = np.uint32(0x8000) | np.uint32((high >> 12) & 4095)
            time = np.uint32(low)
            line = np.uint32(row)
            at = np.uint64(i)
            to = np.uint64(n)
            while at < np.uint64(stop):
                word = np.uint32(words[at])
                code = word >> np.uint32(12)
                if (np.uint32(ENDS_RUN) >> (word >> np.uint32(11))) & np.uint32(1) != 0:
                    break
                # One comparison, and so one branch, for "a TIME_HIGH that differs from the last".
                if (word ^ high_word) - np.uint32(1) < np.uint32(4095):
                    break
                line = word if word < 0x800 else line
                time = word & np.uint32(4095) if code == 6 else time
                t[to] = high + np.int64(time)
                x[to] = np.uint16(word)
                y[to] = np.uint16(line)
                to += np.uint64(code == 2)
                at += np.uint64(1)
            i = np.int64(at)
            n = np.int64(to)
            low = np.int64(time)
            row = np.int64(line)
            if i >= stop:
                continue
        w = np.int64(words[i])
        kind = w >> 12
        if kind == 0:
            row = w & 2047
            counts[SLAVE_ROWS] += (w >> 11) & 1
        elif kind == 2:
            if high < 0:
                counts[EVENTS_BEFORE_TIME] += 1
            elif row < 0:
                counts[EVENTS_BEFORE_ROW] += 1
            else:
                break  # the batch is full
        elif kind == 3:
            base = w & 2047
            polarity = (w >> 11) & 1
        elif kind == 4 or kind == 5:
            width = 12 if kind == 4 else 8
            mask = (w & ((1 << width) - 1)) >> skip << skip
            if mask != 0 and base + width > 2048:
                split_x(x[packed:n], p[packed:n])
                packed = limit
            stopped = False
            while mask != 0:
                k = LOWEST_BIT[(mask & -mask) % 13]
                if high < 0:
                    counts[EVENTS_BEFORE_TIME] += 1
                elif row < 0:
                    counts[EVENTS_BEFORE_ROW] += 1
                elif base < 0:
                    counts[VECTORS_BEFORE_BASE] += 1
                else:
                    if base + k > 65_535:
                        state[FAULT] = 1
                        stopped = True
                        break
                    if n >= limit:
                        skip = k
                        stopped = True
                        break
                    t[n] = high + low
                    x[n] = base + k
                    if packed <= n:
                        x[n] |= polarity << 11
                    else:
                        p[n] = polarity
                    y[n] = row
                    n += 1
                mask &= mask - 1
            if packed == limit:
                packed = n
            if stopped:
                break
            skip = 0
            if base >= 0:
                base += width
        elif kind == 6:
            low = w & 4095
        elif kind == 8:
            # 24 bits of time; a step back of more than half of them is a wrap.
            new = (w & 4095) << 12
            if high >= 0:
                new += high - (high & 0xFFFFFF)
                if high - new > 0x800000:
                    new += 0x1000000
            if new != high:
                high = new
                low = 0
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
        i += 1
    split_x(x[packed:n], p[packed:n])
    for other in (1, 7, 9, 11, 12, 13, 14, 15):
        counts[other] += count_kind(words[position:i], other)
    state[HIGH] = high
    state[LOW] = low
    state[ROW] = row
    state[BASE] = base
    state[POLARITY] = polarity
    state[SKIP] = skip
    state[TRIGGERS] = edges
    return i, n
