"""Two streams in order of time made one.

Whose each event is, is found first, of some thousand at a time: at four places at once, since each
comparison waits for the one before it. Then the columns are moved, one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.vector_merge import merge_column

AT_ONCE = 4096  # events: their columns stay in the first cache
FEWEST = 64  # for which it is worth it
LANES = 4

_ONE = np.uint64(1)


@kernel
def is_sorted(t: Any) -> Any:
    """Whether no time steps back."""
    later, earlier = t[1:], t[:-1]
    stepped = 0
    for i in range(later.size):
        stepped |= later[i] < earlier[i]
    return stepped == 0


@kernel
def count_outside(x: Any, y: Any, width: int, height: int) -> Any:
    """How many coordinates do not lie inside."""
    found = 0
    y = y[: x.size]
    for i in range(x.size):
        found += (x[i] >= width) | (y[i] >= height)
    return found


@kernel
def both_last(t1: Any, t2: Any) -> Any:
    """How many events come, of both together, until one of them has no more."""
    n1, n2 = t1.size, t2.size
    if not n1 or not n2:
        return 0
    if t1[n1 - 1] <= t2[n2 - 1]:
        return n1 + np.searchsorted(t2, t1[n1 - 1])
    return n2 + np.searchsorted(t1, t2[n2 - 1], "right")


@kernel
def of_first(t1: Any, t2: Any, count: int) -> Any:
    """How many of the first ``count`` events of both are the first stream's."""
    low, high = max(0, count - t2.size), min(count, t1.size)
    while low < high:
        middle = (low + high) >> 1
        if t1[middle] <= t2[count - middle - 1]:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def flag_lanes(t1: Any, t2: Any, flags: Any) -> None:
    """1 for each event that is the second stream's. Neither ends before as many are merged."""
    part = flags.size // LANES
    o1, o2, o3 = np.uint64(part), np.uint64(2 * part), np.uint64(3 * part)
    i0 = np.uint64(0)
    i1 = np.uint64(of_first(t1, t2, part))
    i2 = np.uint64(of_first(t1, t2, 2 * part))
    i3 = np.uint64(of_first(t1, t2, 3 * part))
    for k in range(o1):
        second = t2[k - i0] < t1[i0]
        flags[k] = second
        i0 += _ONE - np.uint64(second)
        second = t2[k + o1 - i1] < t1[i1]
        flags[k + o1] = second
        i1 += _ONE - np.uint64(second)
        second = t2[k + o2 - i2] < t1[i2]
        flags[k + o2] = second
        i2 += _ONE - np.uint64(second)
        second = t2[k + o3 - i3] < t1[i3]
        flags[k + o3] = second
        i3 += _ONE - np.uint64(second)


@kernel
def merge(
    t1: Any, x1: Any, y1: Any, p1: Any, k1: Any,
    t2: Any, x2: Any, y2: Any, p2: Any, k2: Any,
    t: Any, x: Any, y: Any, p: Any, k: Any, flags: Any,
) -> None:  # fmt: skip
    """Merge columns sorted by time; at equal times the first stream's come before.

    Out has room for both, ``flags`` (uint8) for `AT_ONCE` or fewer.
    """
    both = both_last(t1, t2)
    i = j = 0
    while both - i - j >= FEWEST:
        size = min(flags.size, both - i - j) // LANES * LANES
        o, now = i + j, flags[:size]
        flag_lanes(t1[i:], t2[j:], now)
        merge_column(now, t1[i:], t2[j:], t[o:])
        merge_column(now, x1[i:], x2[j:], x[o:])
        merge_column(now, y1[i:], y2[j:], y[o:])
        merge_column(now, p1[i:], p2[j:], p[o:])
        merge_column(now, k1[i:], k2[j:], k[o:])
        i += of_first(t1[i:], t2[j:], size)
        j = o + size - i
    o = i + j
    _merge_few(
        t1[i:], x1[i:], y1[i:], p1[i:], k1[i:], t2[j:], x2[j:], y2[j:], p2[j:], k2[j:],
        t[o:], x[o:], y[o:], p[o:], k[o:],
    )  # fmt: skip


@kernel
def _merge_few(
    t1: Any, x1: Any, y1: Any, p1: Any, k1: Any,
    t2: Any, x2: Any, y2: Any, p2: Any, k2: Any,
    t: Any, x: Any, y: Any, p: Any, k: Any,
) -> None:  # fmt: skip
    """As `merge`, one event after the other."""
    i = j = o = np.int64(0)
    n1, n2 = t1.size, t2.size
    while i < n1 and j < n2:
        second = t2[j] < t1[i]
        # Both are read and one is taken: a branch here would be guessed wrong half of the time.
        a, b = t1[i], t2[j]
        t[o] = b if second else a
        a, b = x1[i], x2[j]
        x[o] = b if second else a
        a, b = y1[i], y2[j]
        y[o] = b if second else a
        a, b = p1[i], p2[j]
        p[o] = b if second else a
        a, b = k1[i], k2[j]
        k[o] = b if second else a
        j += np.int64(second)
        i += 1 - np.int64(second)
        o += 1
    if i < n1:
        _copy(t1[i:], x1[i:], y1[i:], p1[i:], k1[i:], t[o:], x[o:], y[o:], p[o:], k[o:])
    else:
        _copy(t2[j:], x2[j:], y2[j:], p2[j:], k2[j:], t[o:], x[o:], y[o:], p[o:], k[o:])


@kernel
def _copy(
    t1: Any, x1: Any, y1: Any, p1: Any, k1: Any, t: Any, x: Any, y: Any, p: Any, k: Any
) -> None:  # fmt: skip
    for i in range(t1.size):
        t[i] = t1[i]
    for i in range(x1.size):
        x[i] = x1[i]
    for i in range(y1.size):
        y[i] = y1[i]
    for i in range(p1.size):
        p[i] = p1[i]
    for i in range(k1.size):
        k[i] = k1[i]
