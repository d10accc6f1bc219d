"""Events whose times are out of order by little, put in order.

A row is an event: its time, and in a second number all else that it has. Rows are moved to where
they belong by some binary digits of their times at once, lowest first: the order of equal times
stays. So few digits that the places which rows are written to lie in the first cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

ROW = 2  # numbers, uint64

_S8, _S16, _S32 = np.uint64(8), np.uint64(16), np.uint64(32)
_LOW8, _LOW16 = np.uint64(0xFF), np.uint64(0xFFFF)
_ONE, _ROW = np.uint64(1), np.uint64(ROW)


@kernel
def put_apart(rows: Any, t: Any, x: Any, y: Any, p: Any, k: Any) -> None:
    """What `put_together` has put together."""
    size = rows.size // ROW
    t, x, y, p, k = t[:size], x[:size], y[:size], p[:size], k[:size]
    for i in range(size):
        t[i] = rows[2 * i]
        word = rows[2 * i + 1]
        x[i] = word >> _S16 & _LOW16
        y[i] = word >> _S32
        p[i] = word & _LOW8
        k[i] = word >> _S8 & _LOW8


@kernel
def end_before(t: Any, latest: int) -> None:
    """No time later than this."""
    for i in range(t.size):
        t[i] = min(t[i], latest)


@kernel
def count_digits(t: Any, base: int, latest: int, shift: int, counts: Any) -> None:
    """Add how many times have each digit; those after ``latest`` have the last one.

    The digit is that of the time since ``base``, from the binary place ``shift`` on. ``counts``
    has room for 2**n digits and the last one.
    """
    origin, span, down = np.uint64(base), np.uint64(latest) - np.uint64(base), np.uint64(shift)
    last = np.uint64(counts.size - 1)
    for i in range(t.size):
        since = np.uint64(t[i]) - origin
        digit = since >> down & (last - _ONE)
        counts[last if since > span else digit] += 1


@kernel
def to_places(counts: Any) -> None:
    """Of numbers of events, where the row of the first one of each digit goes."""
    place = np.int64(0)
    for i in range(counts.size):
        more = counts[i]
        counts[i] = place
        place += ROW * more


@kernel
def put_together(
    t: Any, x: Any, y: Any, p: Any, k: Any,
    base: int, latest: int, shift: int, places: Any, out: Any,
) -> None:  # fmt: skip
    """Events, as rows, to the places of their digits, in their order."""
    origin, span, down = np.uint64(base), np.uint64(latest) - np.uint64(base), np.uint64(shift)
    last = np.uint64(places.size - 1)
    for i in range(t.size):
        since = np.uint64(t[i]) - origin
        digit = since >> down & (last - _ONE)
        digit = last if since > span else digit
        at = np.uint64(places[digit])
        places[digit] += ROW
        out[at] = t[i]
        low = np.uint64(p[i]) | np.uint64(k[i]) << _S8
        out[at + _ONE] = low | np.uint64(x[i]) << _S16 | np.uint64(y[i]) << _S32


@kernel
def move(rows: Any, base: int, shift: int, places: Any, out: Any) -> None:
    """Rows to the places of their digits, in their order."""
    origin, down, mask = np.uint64(base), np.uint64(shift), np.uint64(places.size - 2)
    for i in range(np.uint64(rows.size) // _ROW):
        t = rows[_ROW * i]
        digit = t - origin >> down & mask
        at = np.uint64(places[digit])
        places[digit] += ROW
        out[at] = t
        out[at + _ONE] = rows[_ROW * i + _ONE]
