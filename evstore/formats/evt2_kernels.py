"""EVT2 words to events."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
HIGH = 0  # time of the last TIME_HIGH in microseconds, wraps included; -1 before the first
TRIGGERS = 1  # edges in the trigger buffer
STATE_SIZE = 2

# Indices into `counts`: word kinds 0 to 15, then:
EVENTS_BEFORE_TIME = 16
TRIGGERS_BEFORE_TIME = 17
COUNTS_SIZE = 18

BLOCK = 32


@kernel
def unpack(words: Any, high: Any, t: Any, x: Any, y: Any, p: Any) -> None:
    """BLOCK words that are all CD_OFF or CD_ON; a loop of fixed length that LLVM vectorises."""
    for k in range(BLOCK):
        w = words[k]
        t[k] = high + np.int64((w >> np.uint32(22)) & np.uint32(63))
        x[k] = np.uint16((w >> np.uint32(11)) & np.uint32(2047))
        y[k] = np.uint16(w & np.uint32(2047))
        p[k] = np.uint8(w >> np.uint32(28))


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
    """Decode until the words end or the outputs are full; returns (position, filled)."""
    high = state[HIGH]
    edges = state[TRIGGERS]
    limit = t.size
    n = filled
    i = position
    full = False
    while i < words.size and not full:
        stop = min(i + BLOCK, words.size)
        if high >= 0 and stop - i == BLOCK and limit - n >= BLOCK:
            block = words[i:stop]
            bits = np.uint32(0)
            for k in range(BLOCK):
                bits |= block[k]
            if bits < np.uint32(0x20000000):
                last = n + BLOCK
                unpack(block, high, t[n:last], x[n:last], y[n:last], p[n:last])
                n = last
                i = stop
                continue
        while i < stop:
            w = np.int64(words[i])
            kind = w >> 28
            if kind <= 1:
                if high < 0:
                    counts[EVENTS_BEFORE_TIME] += 1
                elif n >= limit:
                    full = True
                    break
                else:
                    t[n] = high + ((w >> 22) & 63)
                    x[n] = (w >> 11) & 2047
                    y[n] = w & 2047
                    p[n] = kind
                    n += 1
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
                    full = True
                    break
                else:
                    trigger_t[edges] = high + ((w >> 22) & 63)
                    trigger_id[edges] = (w >> 8) & 31
                    trigger_p[edges] = w & 1
                    edges += 1
            else:
                counts[kind] += 1
            i += 1
    state[HIGH] = high
    state[TRIGGERS] = edges
    return i, n
