"""Decimal numbers in text to integers, exactly: no float between, whatever the number of digits.

Rounding is half to even, what Python's ``round`` does to the exact decimal. The caller sees to it
that a byte which no number holds (LF) comes before the end of ``data``. Values build up as
negative numbers, whose range has one more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

PLUS, MINUS, POINT, ZERO, UPPER_E, LOWER_E = 43, 45, 46, 48, 69, 101

# What can be wrong with a number.
OK, BAD_NUMBER, TOO_LARGE = 0, 1, 2

LEAST, LEAST_TENTH = -(2**63), -922337203685477580
EXPONENT_LIMIT = 1_000_000


@kernel
def exact_decimal(data: Any, start: Any, scale: Any) -> Any:
    """The number at ``start`` times 10**scale: (negated value, its end, whole?, what is wrong)."""
    at = start
    negative = data[at] == MINUS
    if negative or data[at] == PLUS:
        at += 1
    first = at
    while ZERO <= data[at] <= ZERO + 9:
        at += 1
    whole_digits = at - first
    digits = whole_digits
    if data[at] == POINT:
        at += 1
        while ZERO <= data[at] <= ZERO + 9:
            at += 1
            digits += 1
    if digits == 0:
        return np.int64(0), at, False, BAD_NUMBER
    last = at
    exponent = np.int64(0)
    if data[at] == LOWER_E or data[at] == UPPER_E:
        at += 1
        exponent_negative = data[at] == MINUS
        if exponent_negative or data[at] == PLUS:
            at += 1
        if not ZERO <= data[at] <= ZERO + 9:
            return np.int64(0), at, False, BAD_NUMBER
        while ZERO <= data[at] <= ZERO + 9:
            if exponent < EXPONENT_LIMIT:
                exponent = exponent * 10 + np.int64(data[at]) - ZERO
            at += 1
        if exponent_negative:
            exponent = -exponent
    value, whole, wrong = round_digits(data, first, last, whole_digits + exponent + scale, negative)
    return value, at, whole, wrong


@kernel
def round_digits(data: Any, first: Any, last: Any, keep: Any, negative: bool) -> Any:
    """Digits ``first`` to ``last`` (a point is skipped), rounded after the first ``keep``."""
    value, seen, half, sticky = np.int64(0), 0, np.int64(0), False
    for i in range(first, last):
        if data[i] == POINT:
            continue
        digit = np.int64(data[i]) - ZERO
        if seen < keep:
            if value < LEAST_TENTH or (value == LEAST_TENTH and digit > 8):
                return value, False, TOO_LARGE
            value = value * 10 - digit
        elif seen == keep:
            half = digit
        elif digit != 0:
            sticky = True
        seen += 1
    while seen < keep and value != 0:
        if value < LEAST_TENTH:
            return value, False, TOO_LARGE
        value *= 10
        seen += 1
    if half > 5 or (half == 5 and (sticky or value & 1 == 1)):
        if value == LEAST:
            return value, False, TOO_LARGE
        value -= 1
    if not negative:
        if value == LEAST:
            return value, False, TOO_LARGE
        value = -value
    return value, half == 0 and not sticky, OK
