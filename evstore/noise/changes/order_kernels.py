"""Events whose times are out of order by little, put in order: a radix sort of few digits.

Each pass is stable and linear, whatever the order was. Entries hold a time, counted from where the
sort begins, above the event's number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

NUMBER_BITS = 24  # of an entry, for the event's number; the others are the time's
DIGIT_BITS = 11  # of a pass at most

_NUMBER_BITS = np.uint64(NUMBER_BITS)
_NUMBER = np.uint64((1 << NUMBER_BITS) - 1)
_ONE = np.uint64(1)


@kernel
def end_before(t: Any, latest: int) -> None:
    """No time later than this."""
    for i in range(t.size):
        t[i] = min(t[i], latest)


@kernel
def make_entries(t: Any, base: int, latest: int, entries: Any, later: Any) -> Any:
    """Entries of the events up to ``latest``; how many. ``later`` flags the others.

    ``entries`` has room for one more than there are events.
    """
    later = later[: t.size]
    at = np.uint64(0)
    origin = np.uint64(base)
    for i in range(t.size):
        entries[at] = (np.uint64(t[i]) - origin) << _NUMBER_BITS | np.uint64(i)
        settled = t[i] <= latest
        later[i] = 1 - settled
        at += np.uint64(settled)
    return np.int64(at)


@kernel
def sort_digit(entries: Any, out: Any, shift: int, width: int, places: Any) -> None:
    """Entries in the order of one digit of ``width`` bits, stable."""
    out = out[: entries.size]
    by, mask = np.uint64(shift), (_ONE << np.uint64(width)) - _ONE
    for k in range(1 << width):
        places[k] = 0
    for i in range(entries.size):
        places[entries[i] >> by & mask] += 1
    total = 0
    for k in range(1 << width):
        count = places[k]
        places[k] = total
        total += count
    for i in range(entries.size):
        digit = entries[i] >> by & mask
        out[np.uint64(places[digit])] = entries[i]
        places[digit] += 1


@kernel
def sort_entries(entries: Any, other: Any, time_bits: int, places: Any) -> Any:
    """Sort by time; whether the result is in ``other``, which has the same size."""
    passes = (time_bits + DIGIT_BITS - 1) // DIGIT_BITS
    done, swapped = 0, False
    for k in range(passes):
        width = (time_bits - done + passes - k - 1) // (passes - k)
        if swapped:
            sort_digit(other, entries, NUMBER_BITS + done, width, places)
        else:
            sort_digit(entries, other, NUMBER_BITS + done, width, places)
        swapped = not swapped
        done += width
    return swapped


@kernel
def gather(
    entries: Any, base: int, x: Any, y: Any, p: Any, k: Any,
    to_t: Any, to_x: Any, to_y: Any, to_p: Any, to_k: Any,
) -> None:  # fmt: skip
    """The events of entries, in their order."""
    n = entries.size
    to_t, to_x, to_y, to_p, to_k = to_t[:n], to_x[:n], to_y[:n], to_p[:n], to_k[:n]
    for o in range(n):
        entry = entries[o]
        i = entry & _NUMBER
        to_t[o] = base + np.int64(entry >> _NUMBER_BITS)
        to_x[o] = x[i]
        to_y[o] = y[i]
        to_p[o] = p[i]
        to_k[o] = k[i]
