"""Events to ECF blocks, and to the index of every 2 ms.

A block is encoded as the vendor's encoder would, so that both give the same bytes; only steps
back, which it loses, are kept: as steps of 2^64 less, which its decoder adds up to the same time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

#: The most bytes an event takes: 17 and 3 of time, 4 of y, 2 of x, 3 of polarity.
MOST_BYTES = 32
HEADER_BYTES = 12

# Indices into the state of `index`.
ENTRIES = 0  # entries so far: the next one is for the bin of this number
ID = 1  # the event that began the last bin with events
TIME = 2  # and its time after the first event
LAST_ID = 3  # of the bin before that
LAST_TIME = 4
EVENTS = 5
STATE_SIZE = 6


@kernel
def put16(out: Any, n: Any, value: Any) -> Any:
    """A little-endian u16; returns the next place."""
    out[n] = value & 255
    out[n + 1] = value >> 8 & 255
    return n + 2


@kernel
def put32(out: Any, n: Any, value: Any) -> Any:
    """A little-endian u32; returns the next place."""
    return put16(out, put16(out, n, value & 65_535), value >> 16)


@kernel
def sampled(count: int) -> int:
    """How many events the choice of encoding looks at: a quarter, all of a few."""
    return count if count < 16 else int(0.25 * count + 0.5)


@kernel
def few_in_a_row(y: Any, count: int) -> bool:
    """Whether at most a fifth of the sampled events have the y of the event before."""
    looked = sampled(count)
    same = 0
    for k in range(1, looked):
        same += y[k] == y[k - 1]
    return same <= int(looked * 20.0 / 100 + 0.5)


@kernel
def few_close(x: Any, count: int) -> bool:
    """Whether at most 8 % of the sampled events are right of, and near, those before."""
    looked = sampled(count)
    close = 0
    base = np.int64(x[0])
    for k in range(1, looked):
        if x[k] > x[k - 1] and np.int64(x[k]) <= base + 5:
            close += 1
        else:
            base = np.int64(x[k])
    return close <= int(looked * 8.0 / 100 + 0.5)


@kernel
def put_times(t: Any, count: int, out: Any, n: Any) -> Any:
    """The first time, then a step and a count for each run of equal times."""
    now = t[0]
    n = put32(out, n, now & 0xFFFFFFFF)
    n = put32(out, n, now >> 32 & 0xFFFFFFFF)
    i = 0
    while i < count:
        run = 1
        while i + run < count and t[i + run] == t[i]:
            run += 1
        step = t[i] - now
        if not 0 <= step < 15:
            # A step back is one of 2^64 less: all 16 nibbles.
            nibbles = 0
            while step != 0 and nibbles < 16:
                out[n] = 0xF0 | step & 15
                n += 1
                step >>= 4
                nibbles += 1
            step = 0
        now = t[i]
        nibble = step << 4
        if run < 15:
            out[n] = nibble | run
            n += 1
        else:
            out[n] = nibble | 15
            n = put16(out, n + 1, run)
        i += run
    return n


@kernel
def bits24(x: Any, y: Any, p: Any, k: int, count: int) -> Any:
    """y, x and polarity of event ``k``; zero behind the last."""
    if k >= count:
        return 0
    return np.int64(y[k]) << 12 | np.int64(x[k]) << 1 | np.int64(p[k])


@kernel
def bits12(x: Any, p: Any, k: int, count: int) -> Any:
    """x and polarity of event ``k``; zero behind the last."""
    if k >= count:
        return 0
    return np.int64(x[k]) << 1 | np.int64(p[k])


@kernel
def put_packed(x: Any, y: Any, p: Any, count: int, out: Any, n: Any) -> Any:
    """Four events in three u32."""
    for i in range(0, count, 4):
        a = bits24(x, y, p, i, count)
        b = bits24(x, y, p, i + 1, count)
        c = bits24(x, y, p, i + 2, count)
        d = bits24(x, y, p, i + 3, count)
        n = put32(out, n, a << 8 | b & 0xFF)
        n = put32(out, n, b >> 8 << 16 | c & 0xFFFF)
        n = put32(out, n, c >> 16 << 24 | d)
    return n


@kernel
def put_rows(y: Any, count: int, out: Any, n: Any) -> Any:
    """Runs of y."""
    i = 0
    while i < count:
        run = 1
        while i + run < count and y[i + run] == y[i]:
            run += 1
        if run < 31:
            n = put16(out, n, np.int64(y[i]) << 5 | run)
        else:
            n = put16(out, put16(out, n, np.int64(y[i]) << 5 | 31), run)
        i += run
    return n


@kernel
def put_packed_columns(x: Any, p: Any, count: int, out: Any, n: Any) -> Any:
    """Four events in three u16."""
    for i in range(0, count, 4):
        a = bits12(x, p, i, count)
        b = bits12(x, p, i + 1, count)
        c = bits12(x, p, i + 2, count)
        d = bits12(x, p, i + 3, count)
        n = put16(out, n, a << 4 | b & 15)
        n = put16(out, n, b >> 4 << 8 | c & 255)
        n = put16(out, n, c >> 8 << 12 | d)
    return n


@kernel
def put_columns(x: Any, count: int, out: Any, n: Any) -> Any:
    """x, and a bit for each of the next five columns that follow in order."""
    i = 0
    while i < count:
        first = np.int64(x[i])
        word = first << 5
        i += 1
        for k in range(5):
            if i < count and np.int64(x[i]) == first + k + 1:
                word |= 16 >> k
                i += 1
        n = put16(out, n, word)
    return n


@kernel
def put_polarities(p: Any, count: int, out: Any, n: Any) -> Any:
    """Runs of polarity."""
    i = 0
    while i < count:
        run = 1
        while i + run < count and p[i + run] == p[i]:
            run += 1
        if run < 127:
            out[n] = np.int64(p[i]) << 7 | run
            n += 1
        else:
            out[n] = np.int64(p[i]) << 7 | 127
            n = put16(out, n + 1, run)
        i += run
    return n


@kernel
def encode(t: Any, x: Any, y: Any, p: Any, count: int, out: Any) -> Any:
    """Encode the first ``count`` events, 1 to 65 535 of them; returns the bytes written.

    Returns 0 where ``out`` or a column is too short. x and y are less than 2048, p is 0 or 1.
    """
    if not 0 < count <= min(min(t.size, x.size), min(min(y.size, p.size), 65_535)):
        return 0
    if out.size < HEADER_BYTES + MOST_BYTES * count:
        return 0
    all_packed = few_in_a_row(y, count)
    columns_packed = not all_packed and few_close(x, count)
    n = put32(out, 0, count << 2 | int(all_packed) << 1 | int(columns_packed))
    n = put_times(t, count, out, n)
    if all_packed:
        return put_packed(x, y, p, count, out, n)
    n = put_rows(y, count, out, n)
    if columns_packed:
        return put_packed_columns(x, p, count, out, n)
    return put_polarities(p, count, out, put_columns(x, count, out, n))


@kernel
def index(t: Any, position: int, first: int, period: int, ids: Any, times: Any, state: Any) -> Any:
    """Entries for the events from ``position`` on, until they end or ``ids`` is full.

    Entry k stands for the times from k periods after the first event on; it names the first
    event of the last period before it that has any, as the vendor writes it: a reader that
    starts there has missed nothing. Returns (events done, entries).
    """
    n = 0
    i = position
    due = first + state[ENTRIES] * period
    while i < t.size:
        if t[i] < due:
            i += 1
            continue
        if n >= ids.size or n >= times.size:
            break
        event = state[EVENTS] + i - position
        if event != state[ID]:
            state[LAST_ID] = state[ID]
            state[LAST_TIME] = state[TIME]
        ids[n] = state[LAST_ID]
        times[n] = state[LAST_TIME]
        n += 1
        state[ENTRIES] += 1
        state[ID] = event
        state[TIME] = t[i] - first
        due += period
    state[EVENTS] += i - position
    return i, n
