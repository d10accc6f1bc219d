"""Events packed into one number each, sorted by time.

A key is ``time << 33 | y << 17 | x << 1 | p`` with the time since a base in 31 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel

TIME_SHIFT = 33
MOST_TIME = (1 << 30) - 1
DIGIT_BITS = 11
DIGITS = 1 << DIGIT_BITS
SMALL_BITS = 8  # of a digit of the rest
FEW = 24  # events that are sorted by insertion

_DIGIT = np.uint64(DIGITS - 1)
_P_BIT, _X_SHIFT, _Y_SHIFT, _T_SHIFT = (np.uint64(n) for n in (1, 1, 17, TIME_SHIFT))
_LOW16 = np.uint64(0xFFFF)


@inlined
def packed(time: Any, place: Any, p: Any) -> Any:
    """A key of a time (int64, at least 0), a place ``y << 16 | x`` (uint32) and a polarity."""
    return (np.uint64(time) << _T_SHIFT) | (np.uint64(place) << _X_SHIFT) | np.uint64(p)


@kernel
def sort_by_time(
    keys: Any, spare: Any, counts: Any, bits: int, ties: bool, base: int,
    t: Any, x: Any, y: Any, p: Any,
) -> None:  # fmt: skip
    """The columns of keys in order of time; keys have times of at most so many bits.

    Stable for equal times or, with ``ties``, in order of place and polarity.

    First by the highest `DIGIT_BITS`, into ``spare``; then each part by the rest, while it is in
    the cache. ``counts`` has room for `DIGITS` numbers twice. Times count from ``base``.
    """
    low = max(bits - DIGIT_BITS, 0)
    ends = counts[:DIGITS]
    _distribute(keys, spare, ends, TIME_SHIFT + low)
    start = 0
    for digit in range(DIGITS):
        stop = ends[digit]
        if stop > start:
            part = spare[start:stop]
            if low and stop - start > 1:
                _sort_part(part, keys[start:stop], counts[DIGITS:], low)
            if ties:
                _insert(part, np.uint64(0))
            unpack(part, base, t[start:stop], x[start:stop], y[start:stop], p[start:stop])
        start = stop


@kernel
def _distribute(keys: Any, out: Any, ends: Any, low_bit: int) -> None:
    """Distribute keys by the digit from ``low_bit`` on, stable; where each digit's part ends."""
    shift = np.uint64(low_bit)
    for digit in range(DIGITS):
        ends[digit] = 0
    for i in range(keys.size):
        ends[(keys[i] >> shift) & _DIGIT] += 1
    total = 0
    for digit in range(DIGITS):
        count = ends[digit]
        ends[digit] = total
        total += count
    for i in range(keys.size):
        digit = (keys[i] >> shift) & _DIGIT
        out[ends[digit]] = keys[i]
        ends[digit] += 1


@kernel
def _sort_part(part: Any, spare: Any, counts: Any, bits: int) -> None:
    """Sort a part by the lowest bits of its times, stable: by insertion, or by digits."""
    if part.size <= FEW:
        _insert(part, _T_SHIFT)
        return
    for low in range(0, bits, SMALL_BITS):
        shift = np.uint64(TIME_SHIFT + low)
        mask = np.uint64((1 << min(SMALL_BITS, bits - low)) - 1)
        n_digits = np.int64(mask) + 1
        for digit in range(n_digits):
            counts[digit] = 0
        for i in range(part.size):
            counts[(part[i] >> shift) & mask] += 1
        total = 0
        for digit in range(n_digits):
            count = counts[digit]
            counts[digit] = total
            total += count
        for i in range(part.size):
            digit = (part[i] >> shift) & mask
            spare[counts[digit]] = part[i]
            counts[digit] += 1
        for i in range(part.size):
            part[i] = spare[i]


@kernel
def _insert(part: Any, shift: Any) -> None:
    """Sort a part that is short, or nearly in order, by its keys without their lowest bits."""
    for i in range(1, part.size):
        key = part[i]
        k = i
        while k > 0 and (part[k - 1] >> shift) > (key >> shift):
            part[k] = part[k - 1]
            k -= 1
        part[k] = key


@kernel
def unpack(keys: Any, base: int, t: Any, x: Any, y: Any, p: Any) -> None:
    """The columns of keys whose times count from ``base``."""
    t, x, y, p = t[: keys.size], x[: keys.size], y[: keys.size], p[: keys.size]
    for i in range(keys.size):
        t[i] = np.int64(keys[i] >> _T_SHIFT) + base
        x[i] = (keys[i] >> _X_SHIFT) & _LOW16
        y[i] = (keys[i] >> _Y_SHIFT) & _LOW16
        p[i] = keys[i] & _P_BIT
