"""DAT records to events."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel

# Indices into `state`.
LAST = 0  # the last time as stored; -1 before the first record
LOOP = 1  # what wraps of the 32-bit clock add
FAULT = 2  # of a v1 file: 1 where high bits are set, 2 where time steps back
STATE_SIZE = 3


@kernel
def decode(
    words: Any, position: int, t: Any, x: Any, y: Any, p: Any, filled: int, state: Any
) -> Any:
    """Version 2: pairs of u32, until they end or the batch is full; returns (position, filled)."""
    last = state[LAST]
    loop = state[LOOP]
    count = min((words.size - position) // 2, t.size - filled)
    for k in range(count):
        stored = int(words[position + 2 * k])
        word = int(words[position + 2 * k + 1])
        # Only a step back of more than half the range is a wrap; smaller ones are kept as they are.
        if last - stored > 0x80000000:
            loop += 0x100000000
        last = stored
        t[filled + k] = loop + stored
        x[filled + k] = word & 0x3FFF
        y[filled + k] = (word >> 14) & 0x3FFF
        p[filled + k] = (word >> 28) & 1
    state[LAST] = last
    state[LOOP] = loop
    return position + 2 * count, filled + count


@kernel
def decode_v1(
    words: Any, position: int, t: Any, x: Any, y: Any, p: Any, filled: int, state: Any
) -> Any:
    """Version 1, which has no header: stops at the first record that cannot be one."""
    last = state[LAST]
    count = min((words.size - position) // 2, t.size - filled)
    for k in range(count):
        stored = int(words[position + 2 * k])
        word = int(words[position + 2 * k + 1])
        if word >> 18 != 0 or stored < last:
            state[FAULT] = 1 if word >> 18 != 0 else 2
            count = k
            break
        last = stored
        t[filled + k] = stored
        x[filled + k] = word & 0x1FF
        y[filled + k] = (word >> 9) & 0xFF
        p[filled + k] = (word >> 17) & 1
    state[LAST] = last
    return position + 2 * count, filled + count
