"""Events whose times are out of order by little, put in order.

Entries that are sorted hold a time, counted from where the sort begins, above the event's number:
so equal times keep their order. Places, polarity and label of an event lie together meanwhile:
memory is waited for once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

TAKEN = 1024  # words at a time, in the first cache

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

    ``entries``, unsigned and wide enough, has room for as many as there are events.
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
    entries: Any, number_bits: int, base: int, words: Any, taken: Any,
    to_t: Any, to_x: Any, to_y: Any, to_p: Any, to_k: Any,
) -> None:  # fmt: skip
    """The events of entries, in their order; ``taken`` (uint64) is room for some words."""
    put_times(entries, number_bits, base, to_t)
    for i in range(0, entries.size, taken.size):
        some = taken[: min(taken.size, entries.size - i)]
        take(entries[i:], number_bits, words, some)
        put_apart(some, to_x[i:], to_y[i:], to_p[i:], to_k[i:])


@kernel
def put_times(entries: Any, number_bits: int, base: int, t: Any) -> None:
    """The entries' times."""
    t, up = t[: entries.size], np.uint64(number_bits)
    for o in range(entries.size):
        t[o] = base + np.int64(np.uint64(entries[o]) >> up)


@kernel
def take(entries: Any, number_bits: int, words: Any, out: Any) -> None:
    """The words of as many entries as ``out`` has room for."""
    entries, mask = entries[: out.size], (np.uint64(1) << np.uint64(number_bits)) - np.uint64(1)
    for o in range(out.size):
        out[o] = words[np.uint64(entries[o]) & mask]


@kernel
def put_apart(words: Any, x: Any, y: Any, p: Any, k: Any) -> None:
    """What `put_together` has put together."""
    x, y, p, k = x[: words.size], y[: words.size], p[: words.size], k[: words.size]
    for o in range(words.size):
        word = words[o]
        x[o] = word >> _S16 & _LOW16
        y[o] = word >> _S32
        p[o] = word & _LOW8
        k[o] = word >> _S8 & _LOW8
