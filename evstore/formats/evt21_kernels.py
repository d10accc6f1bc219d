"""EVT2.1 words to events."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
HIGH = 0  # time of the last TIME_HIGH in microseconds, wraps included; -1 before the first
REST = 1  # pixels of the word at the returned position that found no room, 0 where all did
TRIGGERS = 2  # edges in the trigger buffer
STATE_SIZE = 3

# Indices into `counts`: word kinds 0 to 15, then:
EVENTS_BEFORE_TIME = 16
TRIGGERS_BEFORE_TIME = 17
COUNTS_SIZE = 18

# Where 2**k leaves the remainder r when divided by 37, LOWEST_BIT[r] is k: all 32 differ.
LOWEST_BIT = np.array([next((k for k in range(32) if 2**k % 37 == r), 0) for r in range(37)])


@kernel
def bits_set(mask: Any) -> int:
    """How many pixels a mask names."""
    found = 0
    while mask != 0:
        mask &= mask - 1
        found += 1
    return found


@kernel
def decode(
    words: Any,
    position: int,
    control: int,
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
    """Decode until the words end or the outputs are full; returns (position, filled).

    ``words`` are the halves of 64-bit words; of each pair, the one at ``control`` (0 or 1) has
    the kind, the other the mask. A word of 32 events may be taken in several calls.
    """
    high = state[HIGH]
    rest = state[REST]
    edges = state[TRIGGERS]
    limit = t.size
    n = filled
    i = position
    while i + 2 <= words.size:
        w = np.int64(words[i + control])
        kind = w >> 28
        if kind <= 1:
            mask = np.int64(words[i + 1 - control]) if rest == 0 else rest
            if high < 0:
                counts[EVENTS_BEFORE_TIME] += bits_set(mask)
                mask = 0
            now = high + ((w >> 22) & 63)
            base = (w >> 11) & 2047
            left = np.uint32(mask)
            to = np.uint64(n)
            while left != 0 and to < np.uint64(limit):
                lowest = left & (~left + np.uint32(1))
                t[to] = now
                x[to] = base + LOWEST_BIT[lowest % np.uint32(37)]
                y[to] = w & 2047
                p[to] = kind
                to += np.uint64(1)
                left ^= lowest
            n = np.int64(to)
            rest = np.int64(left)
            if rest != 0:
                break  # the batch is full
        elif kind == 8:
            # 34 bits of time; a step back of more than half of them is a wrap.
            new = (w & 0x0FFFFFFF) << 6
            if high >= 0:
                new += high - (high & 0x3FFFFFFFF)
                if high - new > 0x200000000:
                    new += 0x400000000
            high = new
        elif kind == 10:
            if high < 0:
                counts[TRIGGERS_BEFORE_TIME] += 1
            elif edges >= trigger_t.size:
                break
            else:
                trigger_t[edges] = high + ((w >> 22) & 63)
                trigger_id[edges] = (w >> 8) & 31
                trigger_p[edges] = w & 1
                edges += 1
        else:
            counts[kind] += 1
        i += 2
    state[HIGH] = high
    state[REST] = rest
    state[TRIGGERS] = edges
    return i, n
