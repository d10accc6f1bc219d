"""What all filters share: where and when events are, and moving those that are kept together.

Filters go through `STEP` events at a time, so that what is found of them stays in the first cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.vector_kept import move_16, move_kept

U, U32 = np.uint64, np.uint32
STEP = 2048  # events
STEPS_BACK, OUTSIDE = 1, 2  # why events cannot be judged


@kernel
def steps_back(t: Any, before: int) -> Any:
    """STEPS_BACK if a time lies before the one before it; else 0."""
    later, earlier = t[1:], t[:-1]
    stepped = np.int64(0)
    for i in range(later.size):
        stepped |= np.int64(later[i] < earlier[i])
    return STEPS_BACK if stepped or t[0] < before else 0


@kernel
def places(x: Any, y: Any, width: int, height: int, margin: int, at: Any) -> Any:
    """Where each pixel is in a map with so wide a margin; OUTSIDE if one is not of the sensor."""
    y, at = y[: x.size], at[: x.size]
    stride, first = U32(width + 2 * margin), U32(margin * (width + 2 * margin) + margin)
    w, h = U32(width), U32(height)
    outside = np.int64(0)
    for i in range(x.size):
        column, row = U32(x[i]), U32(y[i])
        outside |= np.int64(column >= w) | np.int64(row >= h)
        at[i] = U32(row * stride) + U32(column + first)
    return OUTSIDE if outside else 0


@kernel
def times(t: Any, base: int, window: int, now: Any, late: Any) -> None:
    """Times since ``base``, and what lies ``window`` before them; both of the map's dtype."""
    now, late = now[: t.size], late[: t.size]
    for i in range(t.size):
        now[i] = t[i] - base
        late[i] = t[i] - base - window


@kernel
def move_columns(
    keep: Any, t: Any, x: Any, y: Any, p: Any, to_t: Any, to_x: Any, to_y: Any, to_p: Any
) -> Any:
    """How many are kept; there is room for as many as there are events."""
    move_kept(keep, x, to_x)
    move_kept(keep, y, to_y)
    move_kept(keep, p, to_p)
    return move_kept(keep, t, to_t)


@kernel
def move_labels(keep: Any, label: Any, out: Any) -> Any:
    """The same of labels."""
    return move_kept(keep, label, out)


@kernel
def move_records(keep: Any, octets: Any, size: int, out: Any) -> Any:
    """The same of records of ``size`` bytes: more than each has, 16 at a time, where it fits."""
    wide = U(size)
    whole = (wide + U(15)) // U(16) * U(16)
    number, limit = U(keep.size), U(min(octets.size, out.size))
    fitting = U(0)
    if limit >= whole:
        fitting = min((limit - whole) // wide + U(1), number)
    at = to = U(0)
    if whole == U(16):
        for i in range(fitting):
            move_16(octets, at, out, to)
            at += wide
            to += wide * U(keep[i] != 0)
    else:
        for i in range(fitting):
            for k in range(U(0), whole, U(16)):
                move_16(octets, at + k, out, to + k)
            at += wide
            to += wide * U(keep[i] != 0)
    for i in range(fitting, number):
        if keep[i]:
            for k in range(wide):
                out[to + k] = octets[at + k]
            to += wide
        at += wide
    return np.int64(to // wide)
