"""Events that come at no more than a rate: of each pixel, or of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.filters.choosing_kernels import STEP, places, steps_back

U = np.uint64
ONE_EVENT = 1_000_000  # of the bucket: an event is worth so many microseconds at 1 event/s
LEVEL = 1 << 16  # of a pixel: what an event adds
MOST_LEVEL = 1 << 43
TABLE_BITS = 8  # of a half-life: so many parts are told apart
FACTOR_BITS = 20
MOST_HALVINGS = 44  # after them nothing is left of a level


@kernel
def judge_all(
    t: Any, x: Any, y: Any, before: int, width: int, height: int,
    per_s: int, room: int, state: Any, at: Any, keep: Any,
) -> Any:  # fmt: skip
    """``state``: what is in the bucket, and the time when it was."""
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 0, at)
        if fault:
            return fault
        before = some[some.size - 1]
        from_bucket(some, per_s, room, state, keep[first : first + STEP])
    return 0


@kernel
def from_bucket(t: Any, per_s: int, room: int, state: Any, keep: Any) -> None:
    """Each event that is kept takes out what it is worth."""
    keep = keep[: t.size]
    held, time = state[0], state[1]
    longest = room // per_s + 1  # it is full then
    for i in range(t.size):
        held = min(held + min(t[i] - time, longest) * per_s, room)
        time = t[i]
        kept = held >= ONE_EVENT
        keep[i] = kept
        held -= ONE_EVENT if kept else 0
    state[0], state[1] = held, time


@kernel
def judge_pixels(
    t: Any, x: Any, y: Any, before: int, width: int, height: int,
    start: int, half_life: int, limit: int, count_all: bool,
    factors: Any, level: Any, part: Any, at: Any, keep: Any,
) -> Any:  # fmt: skip
    """``level``: of each pixel after its last event, which was in the ``part``-th part of time."""
    for first in range(0, t.size, STEP):
        some = t[first : first + STEP]
        fault = steps_back(some, before)
        fault |= places(x[first : first + STEP], y[first : first + STEP], width, height, 0, at)
        if fault:
            return fault
        before = some[some.size - 1]
        below_rate(
            some, at, start, half_life, limit, count_all, factors, level, part,
            keep[first : first + STEP],
        )  # fmt: skip
    return 0


@kernel
def below_rate(
    t: Any, at: Any, start: int, half_life: int, limit: int, count_all: bool,
    factors: Any, level: Any, part: Any, keep: Any,
) -> None:  # fmt: skip
    """Events that find their pixel's level, which halves in ``half_life``, below the limit.

    Time is in parts of a half-life since the start: what is lost of an event's adds up to nothing.
    """
    at, keep = at[: t.size], keep[: t.size]
    half = U(half_life)
    for i in range(t.size):
        pixel = U(at[i])
        since = U(t[i]) - U(start)
        halves = since // half
        now = (halves << U(TABLE_BITS)) + ((since - halves * half) << U(TABLE_BITS)) // half
        parts = min(now - part[pixel], U(MOST_HALVINGS << TABLE_BITS))
        factor = factors[parts & U((1 << TABLE_BITS) - 1)]
        left = ((level[pixel] * factor) >> U(FACTOR_BITS)) >> (parts >> U(TABLE_BITS))
        kept = left < U(limit)
        keep[i] = kept
        level[pixel] = min(left + U(LEVEL) * U(kept | count_all), U(MOST_LEVEL))
        part[pixel] = now
