"""Which events have neighbours that were active shortly before.

Maps have a margin of one pixel. Times never step back, so the last that was written of a pixel,
or of several, is the latest of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel
from evstore.noise.filters.choosing_kernels import STEP, places, steps_back, times

U = np.uint64
ONE, TWO, THREE = U(1), U(2), U(3)
FOUR_WAYS = 4


@kernel
def judge_any(
    t: Any, x: Any, y: Any, before: int, width: int, height: int,
    base: int, window: int, neighbours: int, last: Any, at: Any, now: Any, late: Any, keep: Any,
) -> Any:  # fmt: skip
    """At least one of four or eight. Of eight, ``last`` has two values a pixel: see there."""
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 1, at)
        if fault:
            return fault
        before = some[some.size - 1]
        times(some, base, window, now, late)
        kept = keep[first : first + STEP]
        if neighbours == FOUR_WAYS:
            any_of_four(at[: some.size], now, late, width + 2, last, kept)
        else:
            any_of_eight(at[: some.size], now, late, width + 2, last, kept)
    return 0


@kernel
def any_of_four(at: Any, now: Any, late: Any, stride: int, last: Any, keep: Any) -> None:
    """Left, right, above and below."""
    now, late, keep = now[: at.size], late[: at.size], keep[: at.size]
    row = U(stride)
    for i in range(at.size):
        pixel, limit = U(at[i]), late[i]
        keep[i] = (
            (last[pixel - row] > limit)
            | (last[pixel - ONE] > limit)
            | (last[pixel + ONE] > limit)
            | (last[pixel + row] > limit)
        )
        last[pixel] = now[i]


@kernel
def any_of_eight(at: Any, now: Any, late: Any, stride: int, last: Any, keep: Any) -> None:
    """All around, in four loads: beside its own time each pixel has that of three, of those beside.

    So of the row above one value says all, and of the row below. Both lie in the same cache line.
    """
    now, late, keep = now[: at.size], late[: at.size], keep[: at.size]
    row = TWO * U(stride)
    for i in range(at.size):
        own, limit, time = TWO * U(at[i]), late[i], now[i]
        three = own + ONE
        keep[i] = (
            (last[three - row] > limit)
            | (last[own - TWO] > limit)
            | (last[own + TWO] > limit)
            | (last[three + row] > limit)
        )
        last[own] = time
        last[three] = time
        last[three - TWO] = time
        last[three + TWO] = time


@kernel
def judge_several(
    t: Any, x: Any, y: Any, p: Any, before: int, width: int, height: int,
    base: int, window: int, neighbours: int, support: int, plane: int,
    last: Any, at: Any, now: Any, late: Any, keep: Any,
) -> Any:  # fmt: skip
    """At least ``support`` of them. Each polarity has a map of its own, ``plane`` after the first.

    Or there is one map for both, and ``plane`` is 0.
    """
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 1, at)
        if fault:
            return fault
        before = some[some.size - 1]
        times(some, base, window, now, late)
        polarity, kept = p[first : first + STEP], keep[first : first + STEP]
        if plane:
            in_planes(polarity, plane, at)
        if neighbours == FOUR_WAYS:
            several_of_four(at[: some.size], now, late, width + 2, support, last, kept)
        else:
            several_of_eight(at[: some.size], now, late, width + 2, support, last, kept)
    return 0


@kernel
def in_planes(p: Any, plane: int, at: Any) -> None:
    """Where pixels are, by polarity."""
    at = at[: p.size]
    for i in range(p.size):
        at[i] += np.uint32(plane) * np.uint32(p[i] != 0)


@inlined
def beside(last: Any, pixel: Any, row: Any, limit: Any) -> Any:
    """How many of left, right, above and below are later than ``limit``."""
    return (
        np.int64(last[pixel - row] > limit)
        + np.int64(last[pixel - ONE] > limit)
        + np.int64(last[pixel + ONE] > limit)
        + np.int64(last[pixel + row] > limit)
    )


@inlined
def across(last: Any, pixel: Any, row: Any, limit: Any) -> Any:
    """How many of the corners are."""
    above, below = pixel - row, pixel + row
    return (
        np.int64(last[above - ONE] > limit)
        + np.int64(last[above + ONE] > limit)
        + np.int64(last[below - ONE] > limit)
        + np.int64(last[below + ONE] > limit)
    )


@kernel
def several_of_four(
    at: Any, now: Any, late: Any, stride: int, support: int, last: Any, keep: Any
) -> None:
    """Left, right, above and below."""
    now, late, keep = now[: at.size], late[: at.size], keep[: at.size]
    row = U(stride)
    for i in range(at.size):
        pixel = U(at[i])
        keep[i] = beside(last, pixel, row, late[i]) >= support
        last[pixel] = now[i]


@kernel
def several_of_eight(
    at: Any, now: Any, late: Any, stride: int, support: int, last: Any, keep: Any
) -> None:
    """All around."""
    now, late, keep = now[: at.size], late[: at.size], keep[: at.size]
    row = U(stride)
    for i in range(at.size):
        pixel = U(at[i])
        limit = late[i]
        found = beside(last, pixel, row, limit) + across(last, pixel, row, limit)
        keep[i] = found >= support
        last[pixel] = now[i]


@kernel
def supporting_times(
    t: Any, x: Any, y: Any, p: Any, width: int, plane: int, neighbours: int,
    never: int, last: Any, latest: Any, out: Any,
) -> None:  # fmt: skip
    """Of each event the time of the so-manieth latest neighbour, as many as ``latest`` has room.

    Of coordinates that lie inside; times are whole, and ``last`` begins with ``never``.
    """
    x, y, p, out = x[: t.size], y[: t.size], p[: t.size], out[: t.size]
    row = U(width + 2)
    for i in range(t.size):
        pixel = (U(y[i]) + ONE) * row + U(x[i]) + ONE + U(plane) * U(p[i] != 0)
        latest[:] = never
        for up in range(U(3)):
            for right in range(U(3)):
                if (up == ONE) & (right == ONE):
                    continue
                if neighbours == FOUR_WAYS and up != ONE and right != ONE:
                    continue
                time = last[pixel + U(up) * row + U(right) - row - ONE]
                for k in range(latest.size):
                    held = latest[k]
                    latest[k] = max(held, time)
                    time = min(held, time)
        out[i] = latest[latest.size - 1]
        last[pixel] = t[i]
