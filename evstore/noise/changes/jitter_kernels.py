"""Events moved in time or in place, by whole steps near to normally distributed."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import STEP, bell, bits, mixed

_MOST, _LEAST = np.int64((1 << 63) - 1), np.int64(-(1 << 63))
_ZERO = np.int64(0)
# Added before a number is cut off to an integer, which it then never is below 0: so it is rounded
# down. Both are more than any distance: see the limits in time_jitter.py and spatial_jitter.py.
_FAR_US = 1 << 33
_FAR_PX = 1 << 20
_ROUND_US = _FAR_US + 0.5
_ROUND_PX = _FAR_PX + 0.5


@kernel
def move_times(t: Any, seed: int, first: int, scale: float, start: int, out: Any) -> None:
    """Each time by a random distance, not before ``start``; ``first``: the first one's number.

    The times are in order.
    """
    out = out[: t.size]
    if t.size and (t[0] < _LEAST + _FAR_US or t[t.size - 1] > _MOST - _FAR_US):
        move_far_times(t, seed, first, scale, start, out)
        return
    z = np.uint64(seed) + STEP * np.uint64(first)
    for i in range(t.size):
        z += STEP  # one addition for one of three long multiplications
        away = np.int64(bell(mixed(z)) * scale + _ROUND_US) - _FAR_US
        out[i] = max(t[i] + away, start)


@kernel
def move_far_times(t: Any, seed: int, first: int, scale: float, start: int, out: Any) -> None:
    """The same of times from which some distances would lead beyond int64: they end there."""
    for i in range(t.size):
        away = np.int64(bell(bits(seed, first + i)) * scale + _ROUND_US) - _FAR_US
        room = np.int64(min(max(t[i], _LEAST - min(away, _ZERO)), _MOST - max(away, _ZERO)))
        out[i] = max(room + away, start)


@kernel
def move_places(
    x: Any, y: Any, seed: int, first: int, scale: float, width: int, height: int,
    to_x: Any, to_y: Any, inside: Any,
) -> None:  # fmt: skip
    """Each place by two random distances; to the nearest pixel where that is outside."""
    y, to_x, to_y, inside = y[: x.size], to_x[: x.size], to_y[: x.size], inside[: x.size]
    for i in range(x.size):
        number = 2 * (first + i)
        right = np.int64(bell(bits(seed, number)) * scale + _ROUND_PX) - _FAR_PX + x[i]
        down = np.int64(bell(bits(seed, number + 1)) * scale + _ROUND_PX) - _FAR_PX + y[i]
        near_right = min(max(right, 0), width - 1)
        near_down = min(max(down, 0), height - 1)
        to_x[i] = near_right
        to_y[i] = near_down
        inside[i] = (near_right == right) & (near_down == down)
