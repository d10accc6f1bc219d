"""Events packed into one number each, which sort by time.

A key is ``time << 33 | y << 17 | x << 1 | p`` with the time since a base in 31 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel

MOST_TIME = (1 << 30) - 1
TIME_SHIFT = 33

_P_BIT, _X_SHIFT, _Y_SHIFT, _T_SHIFT = (np.uint64(n) for n in (1, 1, 17, TIME_SHIFT))
_LOW16 = np.uint64(0xFFFF)


@inlined
def packed(time: Any, place: Any, p: Any) -> Any:
    """A key of a time (int64, at least 0), a place ``y << 16 | x`` (uint32) and a polarity."""
    return (np.uint64(time) << _T_SHIFT) | (np.uint64(place) << _X_SHIFT) | np.uint64(p)


@kernel
def unpack(keys: Any, base: int, t: Any, x: Any, y: Any, p: Any) -> None:
    """The columns of keys whose times count from ``base``."""
    t, x, y, p = t[: keys.size], x[: keys.size], y[: keys.size], p[: keys.size]
    for i in range(keys.size):
        t[i] = np.int64(keys[i] >> _T_SHIFT) + base
        x[i] = (keys[i] >> _X_SHIFT) & _LOW16
        y[i] = (keys[i] >> _Y_SHIFT) & _LOW16
        p[i] = keys[i] & _P_BIT


@kernel
def number(keys: Any, number_bits: int, numbers: Any) -> None:
    """Times with the keys' numbers behind; they fit into 32 bits."""
    numbers, up = numbers[: keys.size], np.uint64(number_bits)
    for i in range(keys.size):
        numbers[i] = (keys[i] >> _T_SHIFT) << up | np.uint64(i)


@kernel
def pick(keys: Any, numbers: Any, number_bits: int, out: Any) -> Any:
    """The keys of these numbers, as `number` makes them; whether none is less than one before."""
    out = out[: numbers.size]
    mask = (np.uint32(1) << np.uint32(number_bits)) - np.uint32(1)
    for i in range(numbers.size):
        out[i] = keys[np.uint64(np.uint32(numbers[i]) & mask)]
    stepped = 0
    later = out[1:]
    for i in range(later.size):
        stepped |= later[i] < out[i]
    return stepped == 0
