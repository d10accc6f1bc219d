"""Events whose times are out of order by little, put in order.

Entries that are sorted hold a time, counted from where the sort begins, above the event's number:
so equal times keep their order. Places, polarity and label of an event lie together meanwhile:
memory is waited for once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

_S8, _S16, _S32 = np.uint64(8), np.uint64(16), np.uint64(32)
_LOW8, _LOW16 = np.uint64(0xFF), np.uint64(0xFFFF)


@kernel
def end_before(t: Any, latest: int) -> None:
    """No time later than this."""
    for i in range(t.size):
        t[i] = min(t[i], latest)


@kernel
def count_parts(t: Any, base: int, latest: int, shift: int, which: Any, counts: Any) -> None:
    """Which part of the time each event is of, the last one from ``latest`` on; ``counts`` is 0."""
    which = which[: t.size]
    origin, down, last = np.uint64(base), np.uint64(shift), np.uint64(counts.size - 1)
    for i in range(t.size):
        part = (np.uint64(t[i]) - origin) >> down
        part = last if t[i] > latest else part
        which[i] = part
        counts[part] += 1


@kernel
def divide(
    which: Any, places: Any, t: Any, x: Any, y: Any, p: Any, k: Any,
    to_t: Any, to_x: Any, to_y: Any, to_p: Any, to_k: Any,
) -> None:  # fmt: skip
    """Events to the parts that they are of, in their order; ``places``: where each part begins."""
    for i in range(which.size):
        part = np.uint64(which[i])
        at = np.uint64(places[part])
        places[part] += 1
        to_t[at] = t[i]
        to_x[at] = x[i]
        to_y[at] = y[i]
        to_p[at] = p[i]
        to_k[at] = k[i]


@kernel
def make_entries(t: Any, base: int, latest: int, number_bits: int, entries: Any, later: Any) -> Any:
    """Entries of the events up to ``latest``; how many. ``later`` flags the others.

    ``entries``, unsigned and wide enough, has room for one more than there are events.
    """
    later = later[: t.size]
    at = np.uint64(0)
    origin, up = np.uint64(base), np.uint64(number_bits)
    for i in range(t.size):
        entries[at] = (np.uint64(t[i]) - origin) << up | np.uint64(i)
        settled = t[i] <= latest
        later[i] = 1 - settled
        at += np.uint64(settled)
    return np.int64(at)


@kernel
def put_together(x: Any, y: Any, p: Any, k: Any, words: Any) -> None:
    """What an event has beside its time, in one number."""
    y, p, k, words = y[: x.size], p[: x.size], k[: x.size], words[: x.size]
    for i in range(x.size):
        low = np.uint64(p[i]) | np.uint64(k[i]) << _S8
        words[i] = low | np.uint64(x[i]) << _S16 | np.uint64(y[i]) << _S32


@kernel
def gather(
    entries: Any, number_bits: int, base: int, words: Any,
    to_t: Any, to_x: Any, to_y: Any, to_p: Any, to_k: Any,
) -> None:  # fmt: skip
    """The events of entries, in their order."""
    n = entries.size
    to_t, to_x, to_y, to_p, to_k = to_t[:n], to_x[:n], to_y[:n], to_p[:n], to_k[:n]
    up = np.uint64(number_bits)
    mask = (np.uint64(1) << up) - np.uint64(1)
    for o in range(n):
        entry = np.uint64(entries[o])
        word = words[entry & mask]
        to_t[o] = base + np.int64(entry >> up)
        to_x[o] = word >> _S16 & _LOW16
        to_y[o] = word >> _S32
        to_p[o] = word & _LOW8
        to_k[o] = word >> _S8 & _LOW8
