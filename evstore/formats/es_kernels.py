"""Event Stream bytes to events."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Index into `state`.
TIME = 0  # microseconds that all bytes so far add up to
STATE_SIZE = 1

# Both kernels stop at the first byte of an event that has no room, or whose end is not there yet:
# what is left over is never a reset or an overflow. Unsigned indices spare a test for negative
# ones at each access.


@kernel
def decode_dvs(
    octets: Any,
    position: int,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: int,
    other_t: Any,
    other_x: Any,
    other_y: Any,
    other_p: Any,
    other: int,
    state: Any,
) -> Any:
    """Decode DVS bytes; returns (position, filled, other). There are no other events."""
    now = state[TIME]
    limit = np.uint64(t.size)
    size = np.uint64(octets.size)
    n = np.uint64(filled)
    i = np.uint64(position)
    while i < size:
        first = octets[i]
        if first < np.uint8(0xFE):
            if n >= limit or i + np.uint64(5) > size:
                break
            now += np.int64(first >> np.uint8(1))
            t[n] = now
            x[n] = np.uint16(octets[i + np.uint64(1)]) | np.uint16(octets[i + np.uint64(2)]) << 8
            y[n] = np.uint16(octets[i + np.uint64(3)]) | np.uint16(octets[i + np.uint64(4)]) << 8
            p[n] = first & np.uint8(1)
            n += np.uint64(1)
            i += np.uint64(5)
        else:
            now += np.int64(127) * np.int64(first & np.uint8(1))
            i += np.uint64(1)
    state[TIME] = now
    return np.int64(i), np.int64(n), other


@kernel
def decode_atis(
    octets: Any,
    position: int,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: int,
    other_t: Any,
    other_x: Any,
    other_y: Any,
    other_p: Any,
    other: int,
    state: Any,
) -> Any:
    """Decode ATIS bytes; returns (position, filled, other), where others are of exposure.

    Each event is written to both and counted in one: which it is cannot be foretold.
    """
    now = state[TIME]
    limit = np.uint64(t.size)
    room = np.uint64(other_t.size)
    size = np.uint64(octets.size)
    n = np.uint64(filled)
    m = np.uint64(other)
    i = np.uint64(position)
    while i < size:
        first = octets[i]
        if first < np.uint8(0xFC):
            if n >= limit or m >= room or i + np.uint64(5) > size:
                break
            now += np.int64(first >> np.uint8(2))
            column = np.uint16(octets[i + np.uint64(1)]) | np.uint16(octets[i + np.uint64(2)]) << 8
            row = np.uint16(octets[i + np.uint64(3)]) | np.uint16(octets[i + np.uint64(4)]) << 8
            polarity = (first >> np.uint8(1)) & np.uint8(1)
            t[n] = now
            other_t[m] = now
            x[n] = column
            other_x[m] = column
            y[n] = row
            other_y[m] = row
            p[n] = polarity
            other_p[m] = polarity
            crossing = np.uint64(first & np.uint8(1))
            n += np.uint64(1) - crossing
            m += crossing
            i += np.uint64(5)
        else:
            now += np.int64(63) * np.int64(first & np.uint8(3))
            i += np.uint64(1)
    state[TIME] = now
    return np.int64(i), np.int64(n), np.int64(m)
