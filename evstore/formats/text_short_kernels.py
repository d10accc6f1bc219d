"""Lines ``t x y p`` of at most 32 bytes to columns, eight characters at a time.

Where a line's fields end is known from one number, a bit for each character that is no digit; so
a line does not wait for its own fields, nor the next line for more than that number. Digits
become a number in three multiplications: of neighbours to pairs, of pairs to fours, of fours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.codec.vector_encoding import lowest_bit
from evstore.formats.decimal_kernels import POINT
from evstore.formats.octet_kernels import u64
from evstore.formats.vector_marks import CHARACTERS, equal_to, no_digits
from evstore.jit import kernel

U = np.uint64
LF = U(10)
LOOKED_AT = 56  # bytes from a line's begin on that are read, and some
BEYOND = U(0xF800000000)  # marks behind the characters, so that there always are five
UPPER = U(0xFFFFFFFF00000000)
ZEROS = U(0x3030303030303030)

PAIRS, PAIRS_OF = U(2561), U(0x00FF00FF00FF00FF)  # 10 * first + second
FOURS, FOURS_OF = U(6553601), U(0x0000FFFF0000FFFF)  # 100 * first + second
EIGHT = U(42949672960001)  # 10000 * first + second

PLACES = 6  # of a second in microseconds
POINT_AT, FRACTION = U(POINT), U(PLACES)
WHOLE_DIGITS = U(12)  # of seconds: with six places always in int64


@kernel
def fours(v: Any) -> Any:
    """Two numbers of four digits each (not characters), the first in the lower half."""
    v = (v * PAIRS >> U(8)) & PAIRS_OF
    return (v * FOURS >> U(16)) & FOURS_OF


@kernel
def digits(octets: Any, at: Any, count: Any) -> Any:
    """1 to 8 digits, the last of them in the highest byte, zeros below the first."""
    return (u64(octets, at) ^ ZEROS) << (U(64) - U(8) * count)


@kernel
def whole(octets: Any, at: Any, count: Any) -> Any:
    """The number that 1 to 16 digits make."""
    if count <= U(8):
        return fours(digits(octets, at, count)) * EIGHT >> U(32)
    high = fours(digits(octets, at, count - U(8))) * EIGHT >> U(32)
    low = fours(u64(octets, at + count - U(8)) ^ ZEROS) * EIGHT >> U(32)
    return high * U(100_000_000) + low


@kernel
def rounded_up(octets: Any, at: Any, count: Any, value: Any) -> Any:
    """1 where the ``count`` digits from ``at`` on, 0 to 10, round up the number before them.

    Lines differ in how many there are, so no branch asks, up to seven of them.
    """
    first, last = u64(octets, at) ^ ZEROS, U(0)
    if count < U(8):
        first &= (U(1) << (U(8) * count)) - U(1)
    elif count > U(8):
        last = digits(octets, at + U(8), count - U(8))
    half, rest = first & U(0xFF), first >> U(8) | last
    odd = U(rest != U(0)) | (value & U(1))
    return U(half > U(5)) | (U(half == U(5)) & odd)


@kernel
def ends(marks: Any) -> Any:
    """The places of three marks behind the first."""
    marks &= marks - U(1)
    second = lowest_bit(marks)
    marks &= marks - U(1)
    third = lowest_bit(marks)
    marks &= marks - U(1)
    return second, third, lowest_bit(marks)


@kernel
def fits(data: Any, at: Any, first: Any, second: Any, third: Any, last: Any) -> Any:
    """Whether x, y and p between the ends of a line's fields are of the shape."""
    x_digits, y_digits = second - first - U(1), third - second - U(1)
    good = (x_digits - U(1) < U(4)) & (y_digits - U(1) < U(4))  # not 0, which becomes large
    good &= (last - third == U(2)) & (U(data[at + third + U(1)]) ^ U(48) <= U(1))
    return good & (U(data[at + last]) == LF)


@kernel
def coordinates(data: Any, at: Any, first: Any, second: Any, third: Any) -> Any:
    """x and y of 1 to 4 digits each, in the lower and the upper half."""
    both = digits(data, at + first + U(1), second - first - U(1)) >> U(32)
    both |= digits(data, at + second + U(1), third - second - U(1)) & UPPER
    return fours(both)


@kernel
def fraction(data: Any, at: Any, places: Any) -> Any:
    """Microseconds that 1 to 6 digits behind a point make."""
    # The first digit goes to the third of eight bytes; those that there are not are 0.
    return fours(digits(data, at, places) >> (U(8) * (FRACTION - places))) * EIGHT >> U(32)


@kernel
def parse_seconds(
    data: Any, line: Any, delimiter: Any, limit: Any, t: Any, x: Any, y: Any, p: Any, n: Any
) -> Any:
    """Lines from ``line`` on while they are of the shape; (where another begins, events in all).

    The shape: 1 to 12 digits, a point, 1 to 16 more; x and y of at most four digits each; 0 or 1;
    LF; one ``delimiter`` between; in all 32 characters or ``limit``. The first goes to ``t[n]``.
    """
    at, event, end = U(line), U(n), U(t.size)
    longest = min(U(CHARACTERS), U(limit) + U(1))
    while event < end and at + U(LOOKED_AT) <= U(data.size):
        marks = no_digits(data, at) | BEYOND
        point, others = lowest_bit(marks), marks & (marks - U(1))
        first = lowest_bit(others)
        second, third, last = ends(others)
        places = first - point - U(1)
        # All are delimiters, but for the point and the last.
        apart = (marks ^ equal_to(data, at, delimiter)) & ((U(2) << last) - U(1))
        good = (apart == (U(1) << last | U(1) << point)) & (last < longest)
        good &= (U(data[at + point]) == POINT_AT) & (places - U(1) < U(16))
        good &= point - U(1) < WHOLE_DIGITS
        if not (good and fits(data, at, first, second, third, last)):
            break
        behind = at + point + U(1)
        kept = min(places, FRACTION)
        time = whole(data, at, point) * U(1_000_000) + fraction(data, behind, kept)
        time += rounded_up(data, behind + kept, places - kept, time)
        both = coordinates(data, at, first, second, third)
        t[event], p[event] = np.int64(time), data[at + third + U(1)] & 1
        x[event], y[event] = both & U(0xFFFF), both >> U(32)
        event += U(1)
        at += last + U(1)
    return np.int64(at), np.int64(event)


@kernel
def parse_whole(
    data: Any, line: Any, delimiter: Any, limit: Any, t: Any, x: Any, y: Any, p: Any, n: Any
) -> Any:
    """As `parse_seconds`, of times without a point: 1 to 16 digits."""
    at, event, end = U(line), U(n), U(t.size)
    longest = min(U(CHARACTERS), U(limit) + U(1))
    while event < end and at + U(LOOKED_AT) <= U(data.size):
        marks = no_digits(data, at) | BEYOND
        first = lowest_bit(marks)
        second, third, last = ends(marks)
        apart = (marks ^ equal_to(data, at, delimiter)) & ((U(2) << last) - U(1))
        good = (apart == U(1) << last) & (last < longest) & (first - U(1) < U(16))
        if not (good and fits(data, at, first, second, third, last)):
            break
        both = coordinates(data, at, first, second, third)
        t[event], p[event] = np.int64(whole(data, at, first)), data[at + third + U(1)] & 1
        x[event], y[event] = both & U(0xFFFF), both >> U(32)
        event += U(1)
        at += last + U(1)
    return np.int64(at), np.int64(event)
