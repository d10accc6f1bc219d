"""40-bit records to events."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel

# Index into `state`.
SHIFT = 0  # what overflow markers have added to the time
STATE_SIZE = 1


@kernel
def decode(
    octets: Any, position: int, t: Any, x: Any, y: Any, p: Any, filled: int, state: Any
) -> Any:
    """Decode until the bytes end or the batch is full; returns (position, filled)."""
    shift = state[SHIFT]
    limit = t.size
    n = filled
    i = position
    while i + 5 <= octets.size:
        row = octets[i + 1]
        if row == 240:
            shift += 8192
        else:
            if n >= limit:
                break
            high = int(octets[i + 2])
            t[n] = shift + ((high & 127) << 16 | int(octets[i + 3]) << 8 | int(octets[i + 4]))
            x[n] = octets[i]
            y[n] = row
            p[n] = high >> 7
            n += 1
        i += 5
    state[SHIFT] = shift
    return i, n
