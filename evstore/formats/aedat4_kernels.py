"""AEDAT 4 packets to columns: where the items of a packet are, and what is in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Why a packet cannot be read: `locate` gives it, negative, in place of a start.
SHORT, PREFIX, KIND, TABLE, VECTOR = 1, 2, 3, 4, 5

#: What sets neither sign bit of the 16-bit x and y of a second word.
NEGATIVE = 0x80008000


@kernel
def u16(octets: Any, at: int) -> Any:
    """Two bytes at ``at``, which the caller has checked."""
    return np.int64(octets[at]) | np.int64(octets[at + 1]) << 8


@kernel
def u32(octets: Any, at: int) -> Any:
    """Four bytes at ``at``, which the caller has checked."""
    return u16(octets, at) | u16(octets, at + 2) << 16


@kernel
def i32(octets: Any, at: int) -> Any:
    """Four bytes at ``at``, signed."""
    value = u32(octets, at)
    return value - 0x100000000 if value >= 0x80000000 else value


@kernel
def field(octets: Any, size: int, table: int, number: int, width: int) -> Any:
    """Where a field's ``width`` bytes are; 0 where it is left out, -1 outside the buffer."""
    if table < 0 or table > size - 4:
        return -1
    fields = table - i32(octets, table)
    if fields < 0 or fields > size - 2:
        return -1
    entry = 4 + 2 * number
    if entry + 2 > u16(octets, fields):
        return 0
    if fields + entry > size - 2:
        return -1
    offset = u16(octets, fields + entry)
    if offset == 0:
        return 0
    return table + offset if table + offset <= size - width else -1


@kernel
def locate(octets: Any, size: int, identifier: int, item_bytes: int) -> Any:
    """Start and count of the items of a packet: the vector that is its root's first field."""
    if size < 12:
        return -SHORT, 0
    if u32(octets, 0) != size - 4:
        return -PREFIX, 0
    if u32(octets, 8) != identifier:
        return -KIND, 0
    slot = field(octets, size, 4 + u32(octets, 4), 0, 4)
    if slot < 0:
        return -TABLE, 0
    if slot == 0:
        return 0, 0
    start = slot + u32(octets, slot)
    if start > size - 4:
        return -VECTOR, 0
    count = u32(octets, start)
    if count > (size - start - 4) // item_bytes:
        return -VECTOR, 0
    return start + 4, count


@kernel
def split(words: Any, first: int, count: int, t: Any, x: Any, y: Any, p: Any, filled: int) -> Any:
    """``count`` events from the ``first`` on, two words each; not 0 if an x or y is negative."""
    # Unsigned: of signed places numba asks whether they count from the end, and then the compiler
    # makes no vectors of the loop.
    word, event = np.uint64(2 * first), np.uint64(filled)
    seen = np.int64(0)
    for _ in range(count):
        packed = words[word + np.uint64(1)]
        t[event] = words[word]
        x[event] = packed & 0xFFFF
        y[event] = packed >> 16 & 0xFFFF
        p[event] = (packed >> 32 & 0xFF) != 0
        seen |= packed
        word += np.uint64(2)
        event += np.uint64(1)
    return seen & NEGATIVE


@kernel
def rows(
    octets: Any, size: int, start: int, count: int, fields: int, width: int, t: Any, values: Any
) -> Any:
    """Tables that begin with a 64-bit time: it, and ``fields`` more of ``width`` (1 or 4) bytes.

    ``start`` is where the vector of their offsets is. Returns the rows that could be read.
    """
    for k in range(count):
        table = start + 4 * k + u32(octets, start + 4 * k)
        slot = field(octets, size, table, 0, 8)
        if slot < 0:
            return k
        t[k] = u32(octets, slot) | i32(octets, slot + 4) << 32 if slot else 0
        for number in range(fields):
            slot = field(octets, size, table, 1 + number, width)
            if slot < 0:
                return k
            at = k * fields + number
            if slot == 0:
                values[at] = 0
            elif width == 1:
                values[at] = octets[slot]
            else:
                values[at] = u32(octets, slot)
    return count
