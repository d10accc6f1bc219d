"""AEDAT 4 packets to columns: where the items of a packet are, and what is in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.formats.aedat4_header import EVENT_BYTES
from evstore.formats.octet_kernels import u64
from evstore.jit import kernel

# Why a packet cannot be read: `locate` gives it, negative, in place of a start.
SHORT, PREFIX, KIND, TABLE, VECTOR = 1, 2, 3, 4, 5

# How the table of packets begins, packed or not. No stream has such a number.
LZ4_FRAME, ZSTD_FRAME, TABLE_ID = 0x184D2204, 0xFD2FB528, 0x42415446

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
def split(octets: Any, start: int, count: int, t: Any, x: Any, y: Any, p: Any, filled: int) -> Any:
    """``count`` events of 16 bytes from ``start`` on; whether an x or y is negative."""
    # Unsigned: of signed places numba asks whether they count from the end, and then the compiler
    # makes no vectors of the loop.
    at, event = np.uint64(start), np.uint64(filled)
    seen = np.uint64(0)
    for _ in range(count):
        packed = u64(octets, at + np.uint64(8))
        t[event] = np.int64(u64(octets, at))
        x[event] = packed & np.uint64(0xFFFF)
        y[event] = packed >> np.uint64(16) & np.uint64(0xFFFF)
        p[event] = (packed >> np.uint64(32) & np.uint64(0xFF)) != 0
        seen |= packed
        at += np.uint64(EVENT_BYTES)
        event += np.uint64(1)
    return seen & np.uint64(NEGATIVE) != 0


@kernel
def events(
    octets: Any, size: int, kind: int, first: int, t: Any, x: Any, y: Any, p: Any, filled: int
) -> Any:
    """A packet's events from the ``first`` on, as many as there is room for behind ``filled``.

    Returns (events in the packet, those taken, whether an x or y of these is negative); in place
    of the first of them why the packet cannot be read, negative.
    """
    start, count = locate(octets, size, kind, EVENT_BYTES)
    if start < 0:
        return start, 0, False
    taken = min(count - first, t.size - filled)
    return count, taken, split(octets, start + EVENT_BYTES * first, taken, t, x, y, p, filled)


@kernel
def find(octets: Any, at: int, end: int, most: int, table: Any) -> Any:
    """The whole packets from ``at`` on, a row of (number, start, end) each; how many there are.

    Ends before whatever is not plainly one: what it is, `Packets.read` says.
    """
    count = 0
    while 3 * count < table.size and end - at >= 12:
        head, size, start = u32(octets, at), i32(octets, at + 4), at + 8
        if size < 0 or size > most or size > end - start:
            break
        if head in (LZ4_FRAME, ZSTD_FRAME) or u32(octets, start) == TABLE_ID:
            break
        table[3 * count] = i32(octets, at)
        table[3 * count + 1], table[3 * count + 2] = start, start + size
        at = start + size
        count += 1
    return count


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
