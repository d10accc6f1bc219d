"""Two streams in order of time made one."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel


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
def merge(
    t1: Any, x1: Any, y1: Any, p1: Any, k1: Any,
    t2: Any, x2: Any, y2: Any, p2: Any, k2: Any,
    t: Any, x: Any, y: Any, p: Any, k: Any,
) -> None:  # fmt: skip
    """Merge columns sorted by time; at equal times the first stream's come before.

    Out has room for both.
    """
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
