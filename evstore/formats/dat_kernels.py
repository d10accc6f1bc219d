"""DAT records to events, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
LAST = 0  # the last time as stored; -1 before the first record
LOOP = 1  # what wraps of the 32-bit clock add
FAULT = 2  # of a v1 file: 1 where high bits are set, 2 where time steps back
STATE_SIZE = 3

#: Records taken apart at once.
PIECE = 1024


@kernel
def wraps(records: Any, last: int) -> Any:
    """Whether the 32-bit clock wraps: only a step back of over half its range is that."""
    found = np.int64(last - np.int64(records[0] & np.uint64(0xFFFFFFFF)) > 0x80000000)
    for k in range(1, records.size):
        before = np.int64(records[k - 1] & np.uint64(0xFFFFFFFF))
        found += np.int64(before - np.int64(records[k] & np.uint64(0xFFFFFFFF)) > 0x80000000)
    return found != 0


@kernel
def unpack(records: Any, t: Any, x: Any, y: Any, p: Any, loop: int) -> None:
    """The fields of records, as if no time wrapped; one loop a column: LLVM vectorises each."""
    for k in range(records.size):
        t[k] = loop + np.int64(records[k] & np.uint64(0xFFFFFFFF))
    for k in range(records.size):
        x[k] = np.uint16((records[k] >> np.uint64(32)) & np.uint64(0x3FFF))
    for k in range(records.size):
        y[k] = np.uint16((records[k] >> np.uint64(46)) & np.uint64(0x3FFF))
    for k in range(records.size):
        p[k] = np.uint8((records[k] >> np.uint64(60)) & np.uint64(1))


@kernel
def decode(
    records: Any, position: int, t: Any, x: Any, y: Any, p: Any, filled: int, state: Any
) -> Any:
    """Version 2: u64 records, until they end or the batch is full; returns (position, filled).

    A piece at a time: its records stay in the cache while each column is made from them.
    """
    last = state[LAST]
    loop = state[LOOP]
    end = position + min(records.size - position, t.size - filled)
    i = position
    n = filled
    while i < end:
        count = min(PIECE, end - i)
        some = records[i : i + count]
        unpack(some, t[n : n + count], x[n : n + count], y[n : n + count], p[n : n + count], loop)
        if wraps(some, last):
            for k in range(count):
                stored = np.int64(some[k] & np.uint64(0xFFFFFFFF))
                if last - stored > 0x80000000:
                    loop += 0x100000000
                t[n + k] = loop + stored
                last = stored
        last = np.int64(some[count - 1] & np.uint64(0xFFFFFFFF))
        i += count
        n += count
    state[LAST] = last
    state[LOOP] = loop
    return i, n


@kernel
def decode_v1(
    records: Any, position: int, t: Any, x: Any, y: Any, p: Any, filled: int, state: Any
) -> Any:
    """Version 1, which has no header: stops at the first record that cannot be one."""
    last = state[LAST]
    count = min(records.size - position, t.size - filled)
    for k in range(count):
        stored = np.int64(records[position + k] & np.uint64(0xFFFFFFFF))
        word = np.int64(records[position + k] >> np.uint64(32))
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
    return position + count, filled + count


@kernel
def pack(t: Any, x: Any, y: Any, p: Any, records: Any) -> None:
    """Version 2 records of events that fit."""
    for k in range(records.size):
        word = np.uint32(p[k] != 0) << np.uint32(28) | np.uint32(y[k]) << np.uint32(14)
        word |= np.uint32(x[k])
        records[k] = np.uint64(word) << np.uint64(32) | np.uint64(t[k])
