"""Which events have neighbours that were active shortly before.

Maps have a margin of one pixel. Times never step back, so the last that was written of a pixel,
or of several, is the latest of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import inlined, kernel

U = np.uint64
ONE, TWO = U(1), U(2)
FOUR_WAYS = 4


class AnyOfFour(NamedTuple):
    """At least one of left, right, above and below, in the ``window`` before."""

    stride: int  # of the map: the width and both margins
    base: int  # of the times that it has
    window: int
    last: Any  # a time of each pixel


class AnyOfEight(NamedTuple):
    """At least one of all around."""

    stride: int
    base: int
    window: int
    last: Any  # two times of each pixel: see `any_of_eight`


class SeveralOfFour(NamedTuple):
    """At least ``support`` of left, right, above and below."""

    stride: int
    base: int
    window: int
    support: int
    plane: int  # the map of ON events lies so far behind that of OFF; 0: one map for both
    last: Any


class SeveralOfEight(NamedTuple):
    """At least ``support`` of all around."""

    stride: int
    base: int
    window: int
    support: int
    plane: int
    last: Any


@kernel
def any_of_four(rule: AnyOfFour, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Left, right, above and below."""
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    row, base, window, last = U(rule.stride), rule.base, rule.window, rule.last
    for i in range(t.size):
        pixel = (U(y[i]) + ONE) * row + U(x[i]) + ONE
        now = t[i] - base
        above, below = last[pixel - row], last[pixel + row]
        left, right = last[pixel - ONE], last[pixel + ONE]
        keep[i] = max(max(above, below), max(left, right)) > now - window
        last[pixel] = now


@kernel
def any_of_eight(rule: AnyOfEight, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """All around, in three loads: a pixel has the time of both beside it, and of all three.

    The first says all of its own row, the other all of that above or below. What is stored for an
    event lies in one row, and so mostly in one cache line.
    """
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    row, base, window, last = TWO * U(rule.stride), rule.base, rule.window, rule.last
    for i in range(t.size):
        beside = (U(y[i]) + ONE) * row + TWO * U(x[i]) + TWO
        three = beside + ONE
        now = t[i] - base
        keep[i] = max(max(last[three - row], last[three + row]), last[beside]) > now - window
        last[three] = now
        last[beside - TWO] = now
        last[three - TWO] = now
        last[beside + TWO] = now
        last[three + TWO] = now


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
def several_of_four(rule: SeveralOfFour, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Left, right, above and below."""
    x, y, p, keep = x[: t.size], y[: t.size], p[: t.size], keep[: t.size]
    row, base, window, last = U(rule.stride), rule.base, rule.window, rule.last
    for i in range(t.size):
        pixel = (U(y[i]) + ONE) * row + U(x[i]) + ONE + U(rule.plane) * U(p[i] != 0)
        now = t[i] - base
        keep[i] = beside(last, pixel, row, last.dtype.type(now - window)) >= rule.support
        last[pixel] = now


@kernel
def several_of_eight(rule: SeveralOfEight, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """All around."""
    x, y, p, keep = x[: t.size], y[: t.size], p[: t.size], keep[: t.size]
    row, base, window, last = U(rule.stride), rule.base, rule.window, rule.last
    for i in range(t.size):
        pixel = (U(y[i]) + ONE) * row + U(x[i]) + ONE + U(rule.plane) * U(p[i] != 0)
        now = t[i] - base
        limit = last.dtype.type(now - window)
        found = beside(last, pixel, row, limit) + across(last, pixel, row, limit)
        keep[i] = found >= rule.support
        last[pixel] = now


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
