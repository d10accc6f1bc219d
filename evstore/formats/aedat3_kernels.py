"""Polarity events of AEDAT 3.1 packets."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
INVALID = 0  # events so far whose valid bit is 0
FAULT = 1  # 1 where a time is negative
STATE_SIZE = 2

# Unsigned indices: numba need not look whether they count from the end.
ONE, TWO = np.uint64(1), np.uint64(2)


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
    n = np.uint64(filled)
    i = np.uint64(position)
    while i + ONE < np.uint64(words.size) and n < np.uint64(t.size):
        address = np.int64(words[i])
        stored = np.int64(words[i + ONE])
        if address & 1 == 0:
            state[INVALID] += 1
            i += TWO
            continue
        if stored > 0x7FFFFFFF:
            state[FAULT] = 1
            break
        t[n] = base + stored
        x[n] = address >> 17
        y[n] = (address >> 2) & 0x7FFF
        p[n] = (address >> 1) & 1
        i += TWO
        n += ONE
    return np.int64(i), np.int64(n)
