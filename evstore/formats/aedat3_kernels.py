"""Polarity events of AEDAT 3.1 packets."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
INVALID = 0  # events so far whose valid bit is 0
FAULT = 1  # 1 where a time is negative
STATE_SIZE = 2


@kernel
def decode(
    words: Any,
    position: Any,
    base: Any,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: Any,
    state: Any,
) -> Any:
    """Pairs of u32, until they end, the batch is full or a time is negative; ``base`` is what the
    packet adds to every time. Returns (position, filled).
    """
    n = filled
    i = position
    while i + 1 < words.size and n < t.size:
        address = np.int64(words[i])
        stored = np.int64(words[i + 1])
        if address & 1 == 0:
            state[INVALID] += 1
            i += 2
            continue
        if stored > 0x7FFFFFFF:
            state[FAULT] = 1
            break
        t[n] = base + stored
        x[n] = address >> 17
        y[n] = (address >> 2) & 0x7FFF
        p[n] = (address >> 1) & 1
        i += 2
        n += 1
    return i, n
