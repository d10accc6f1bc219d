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

#: The first word that is no event: CD_OFF and CD_ON are kinds 0 and 1.
EVENTS_END = 0x20000000


@kernel
def unpack(words: Any, t: Any, x: Any, y: Any, p: Any) -> None:
    """The fields of event words; ``t`` already holds TIME_HIGH.

    One loop a column: LLVM vectorises each.
    """
    for k in range(words.size):
        t[k] += np.int64((words[k] >> np.uint32(22)) & np.uint32(63))
    for k in range(words.size):
        x[k] = np.uint16((words[k] >> np.uint32(11)) & np.uint32(2047))
    for k in range(words.size):
        y[k] = np.uint16(words[k] & np.uint32(2047))
    for k in range(words.size):
        p[k] = np.uint8(words[k] >> np.uint32(28))


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
    gathered: Any,
) -> Any:
    """Decode until the words end or the outputs are full; returns (position, filled).

    Event words are gathered first, each with its TIME_HIGH, and taken apart together afterwards;
    ``gathered`` is scratch as long as the words, or the outputs.
    """
    high = state[HIGH]
    edges = state[TRIGGERS]
    limit = t.size
    n = filled
    i = position
    while i < words.size:
        if high >= 0 and n < limit:
            at = np.uint64(i)
            to = np.uint64(n)
            free = np.uint64(n - filled)
            stop = np.uint64(min(words.size, i + limit - n))
            while at < stop and words[at] < np.uint32(EVENTS_END):
                gathered[free] = words[at]
                free += np.uint64(1)
                t[to] = high
                to += np.uint64(1)
                at += np.uint64(1)
            i = np.int64(at)
            n = np.int64(to)
            if at >= stop:
                continue
        w = np.int64(words[i])
        kind = w >> 28
        if kind <= 1:
            if high >= 0:
                break  # the batch is full
            counts[EVENTS_BEFORE_TIME] += 1
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
        i += 1
    unpack(gathered[: n - filled], t[filled:n], x[filled:n], y[filled:n], p[filled:n])
    state[HIGH] = high
    state[TRIGGERS] = edges
    return i, n
