"""Columns to lines of text."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

LF, COMMA, MINUS, ZERO = 10, 44, 45, 48
LEAST = -(2**63)
LEAST_DIGITS = np.frombuffer(b"9223372036854775808", np.uint8)
LINE_BYTES = 36  # the longest line: 20 + 5 + 5 + 1 digits and signs, 3 commas, LF


@kernel
def write_number(out: Any, at: Any, value: Any) -> Any:
    """``value`` in decimal at ``out[at:]``, which has room for 20 bytes; returns the end."""
    if value < 0:
        out[at] = MINUS
        at += 1
        if value == LEAST:  # it has no positive twin
            for i in range(LEAST_DIGITS.size):
                out[at + i] = LEAST_DIGITS[i]
            return at + LEAST_DIGITS.size
        value = -value
    size, rest = 1, value // 10
    while rest > 0:
        size += 1
        rest //= 10
    for i in range(at + size - 1, at - 1, -1):
        out[i] = ZERO + value % 10
        value //= 10
    return at + size


@kernel
def write_lines(t: Any, x: Any, y: Any, p: Any, out: Any) -> Any:
    """``t,x,y,p`` lines in decimal into ``out`` (LINE_BYTES an event); returns the bytes."""
    at = 0
    for i in range(t.size):
        at = write_number(out, at, t[i])
        out[at] = COMMA
        at = write_number(out, at + 1, np.int64(x[i]))
        out[at] = COMMA
        at = write_number(out, at + 1, np.int64(y[i]))
        out[at] = COMMA
        out[at + 1] = ZERO + p[i]
        out[at + 2] = LF
        at += 3
    return at
