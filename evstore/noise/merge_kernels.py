"""Two streams in order of time made one."""

from __future__ import annotations

from typing import Any

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

    Neither is empty, and out has room for both. The comparison chooses where to read from, so
    that nothing has to be guessed.
    """
    i = j = 0
    n1, n2 = t1.size, t2.size
    end = n1 + n2
    o = 0
    while i < n1 and j < n2:
        a, b = t1[i], t2[j]
        second = b < a
        if second:
            t[o], x[o], y[o], p[o], k[o] = b, x2[j], y2[j], p2[j], k2[j]
        else:
            t[o], x[o], y[o], p[o], k[o] = a, x1[i], y1[i], p1[i], k1[i]
        j += second
        i += 1 - second
        o += 1
    rest = end - o
    if i < n1:
        t[o:end], x[o:end], y[o:end] = t1[i:], x1[i:], y1[i:]
        p[o:end], k[o:end] = p1[i:], k1[i:]
    elif rest:
        t[o:end], x[o:end], y[o:end] = t2[j:], x2[j:], y2[j:]
        p[o:end], k[o:end] = p2[j:], k2[j:]
