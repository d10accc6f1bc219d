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
LANES = 4
PLACES = LANES << DIGIT_BITS  # uint32 numbers that a pass needs

_NUMBER_BITS = np.uint64(NUMBER_BITS)
_NUMBER = np.uint64((1 << NUMBER_BITS) - 1)
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
_COUNT = np.uint32(1)


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
def count_digits(entries: Any, by: Any, mask: Any, counts: Any) -> None:
    """How many entries have each digit, in each of the lanes."""
    part = entries.size // LANES
    second, third, fourth = entries[part:], entries[2 * part :], entries[3 * part :]
    size = mask + _ONE
    counts_2, counts_3, counts_4 = counts[size:], counts[_TWO * size :], counts[_THREE * size :]
    for i in range(part):
        counts[entries[i] >> by & mask] += _COUNT
        counts_2[second[i] >> by & mask] += _COUNT
        counts_3[third[i] >> by & mask] += _COUNT
        counts_4[fourth[i] >> by & mask] += _COUNT
    for i in range(part, fourth.size):
        counts_4[fourth[i] >> by & mask] += _COUNT


@kernel
def counts_to_places(counts: Any, size: Any) -> None:
    """Where the entries of each digit begin, those of one lane after those of the other."""
    total = np.uint32(0)
    for digit in range(size):
        for lane in range(LANES):
            at = np.uint64(lane) * size + np.uint64(digit)
            count = counts[at]
            counts[at] = total
            total += count


@kernel
def put_one(entry: Any, out: Any, by: Any, mask: Any, places: Any) -> None:
    """To the next place of its digit."""
    digit = entry >> by & mask
    place = places[digit]
    out[np.uint64(place)] = entry
    places[digit] = place + _COUNT


@kernel
def sort_digit(entries: Any, out: Any, shift: int, width: int, places: Any) -> None:
    """Entries in the order of one digit of ``width`` bits, stable.

    In lanes, each with a part of the entries: of entries that are nearly in order one goes where
    the one before went, and would wait until it is known where that is.
    """
    by, size = np.uint64(shift), _ONE << np.uint64(width)
    mask = size - _ONE
    places = places[: np.uint64(LANES) * size]
    for k in range(places.size):
        places[k] = 0
    count_digits(entries, by, mask, places)
    counts_to_places(places, size)
    part = entries.size // LANES
    second, third, fourth = entries[part:], entries[2 * part :], entries[3 * part :]
    places_2, places_3, places_4 = places[size:], places[_TWO * size :], places[_THREE * size :]
    for i in range(part):
        put_one(entries[i], out, by, mask, places)
        put_one(second[i], out, by, mask, places_2)
        put_one(third[i], out, by, mask, places_3)
        put_one(fourth[i], out, by, mask, places_4)
    for i in range(part, fourth.size):
        put_one(fourth[i], out, by, mask, places_4)


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
