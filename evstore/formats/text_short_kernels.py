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
BEYOND = U(0xF800000000)
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
    """1 where the ``count`` digits from ``at`` on, at most 10, round up a number before them."""
    first = u64(octets, at) ^ ZEROS
    half = first & U(0xFF)
    if count <= U(8):
        rest = first << (U(64) - U(8) * count) >> (U(64) - U(8) * count) >> U(8)
    else:
        rest = first >> U(8) | digits(octets, at + U(8), count - U(8))
    odd = U(rest != U(0)) | (value & U(1))
    return U(half > U(5)) | (U(half == U(5)) & odd)


@kernel
def parse_short(
    data: Any, line: Any, delimiter: Any, seconds: bool, limit: Any, t: Any, x: Any, y: Any,
    p: Any, n: Any,
) -> Any:  # fmt: skip
    """Lines from ``line`` on while they are of the shape; (where another begins, events in all).

    The shape: digits, of ``seconds`` a point and 1 to 16 more; x and y of at most four digits
    each; 0 or 1; LF; one ``delimiter`` between. The first event goes to ``t[n]``.
    """
    at, event, end = U(line), U(n), U(t.size)
    longest = min(U(CHARACTERS), U(limit) + U(1))
    while event < end and at + U(LOOKED_AT) <= U(data.size):
        # Beyond the characters there are five more, so that there always are five.
        marks = no_digits(data, at) | BEYOND
        point = lowest_bit(marks)
        first, others = point, marks
        if seconds:
            others &= others - U(1)
            first = lowest_bit(others)
        others &= others - U(1)
        second = lowest_bit(others)
        others &= others - U(1)
        third = lowest_bit(others)
        others &= others - U(1)
        last = lowest_bit(others)
        x_digits, y_digits = second - first - U(1), third - second - U(1)
        polarity = U(data[at + third + U(1)]) ^ U(48)
        # The four or five are delimiters, but for the last and, of seconds, the first.
        apart = (marks ^ equal_to(data, at, delimiter)) & ((U(2) << last) - U(1))
        good = apart == (U(1) << last | (U(1) << point if seconds else U(0)))
        good &= U(data[at + last]) == LF
        good &= (x_digits - U(1) < U(4)) & (y_digits - U(1) < U(4))  # not 0, which becomes large
        good &= (last - third == U(2)) & (polarity <= U(1)) & (last < longest)
        good &= point - U(1) < (WHOLE_DIGITS if seconds else U(16))
        places = first - point - U(1)
        if seconds:
            good &= (U(data[at + point]) == POINT_AT) & (places - U(1) < U(16))
        if not good:
            break
        time = whole(data, at, point)
        if seconds:
            kept = min(places, FRACTION)
            # Its first digit goes to the third of eight bytes; those that it has not are 0.
            fraction = digits(data, at + point + U(1), kept) >> (U(8) * (FRACTION - kept))
            time = time * U(1_000_000) + (fours(fraction) * EIGHT >> U(32))
            if places > FRACTION:
                behind = at + point + U(1) + FRACTION
                time += rounded_up(data, behind, places - FRACTION, time)
        places_of = digits(data, at + first + U(1), x_digits) >> U(32)
        places_of |= digits(data, at + second + U(1), y_digits) & U(0xFFFFFFFF00000000)
        both = fours(places_of)
        t[event] = np.int64(time)
        x[event] = both & U(0xFFFF)
        y[event] = both >> U(32)
        p[event] = polarity
        event += U(1)
        at += last + U(1)
    return np.int64(at), np.int64(event)
