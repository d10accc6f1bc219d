"""Events that come at no more than a rate: of each pixel, or of all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import inlined, kernel

U = np.uint64
ONE_EVENT = 1_000_000  # of the bucket: an event is worth so many microseconds at 1 event/s
LEVEL = 1 << 16  # of a pixel: what an event adds
MOST_LEVEL = 1 << 43
TABLE_BITS = 8  # of a half-life: so many parts are told apart
FACTOR_BITS = 20
BRIEF = 1 << TABLE_BITS  # microseconds: a longer half-life has parts of more than one
MOST_HALVINGS = 44  # after them nothing is left of a level


class Bucket(NamedTuple):
    """Of all pixels: a bucket that ``per_s`` events a second fill."""

    per_s: int
    room: int
    state: Any  # what is in the bucket, and the time when it was


class Levels(NamedTuple):
    """Of each pixel: a level that each event raises, and that halves in ``half_life``."""

    width: int
    start: int
    half_life: int
    limit: int
    count_all: bool
    factors: Any
    level: Any  # of each pixel after its last event,
    part: Any  # which was in this part of time


class BriefLevels(NamedTuple):
    """The same of a half-life below `BRIEF`, whose parts since the start may be no uint64."""

    width: int
    start: int
    half_life: int
    limit: int
    count_all: bool
    factors: Any
    level: Any
    time: Any  # of each pixel's last event, since the start


@kernel
def from_bucket(rule: Bucket, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Each event that is kept takes out what it is worth."""
    keep = keep[: t.size]
    per_s, room = rule.per_s, rule.room
    held, time = rule.state[0], rule.state[1]
    longest = room // per_s + 1  # it is full then
    for i in range(t.size):
        held = min(held + min(t[i] - time, longest) * per_s, room)
        time = np.int64(t[i])
        kept = held >= ONE_EVENT
        keep[i] = kept
        held -= ONE_EVENT if kept else 0
    rule.state[0], rule.state[1] = held, time


@inlined
def left_after(parts: Any, level: Any, factors: Any) -> Any:
    """What is left of a level."""
    factor = factors[parts & U((1 << TABLE_BITS) - 1)]
    return ((level * factor) >> U(FACTOR_BITS)) >> (parts >> U(TABLE_BITS))


@kernel
def below_rate(rule: Levels, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Events that find their pixel's level below the limit.

    Time is in parts of a half-life since the start: what is lost of an event's adds up to nothing.
    """
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    width, half, limit = U(rule.width), U(rule.half_life), U(rule.limit)
    start = U(np.int64(rule.start))
    factors, level, part = rule.factors, rule.level, rule.part
    for i in range(t.size):
        pixel = U(y[i]) * width + U(x[i])
        since = U(t[i]) - start
        halves = since // half
        now = (halves << U(TABLE_BITS)) + ((since - halves * half) << U(TABLE_BITS)) // half
        parts = min(now - part[pixel], U(MOST_HALVINGS << TABLE_BITS))
        left = left_after(parts, level[pixel], factors)
        kept = left < limit
        keep[i] = kept
        level[pixel] = min(left + U(LEVEL) * U(kept | rule.count_all), U(MOST_LEVEL))
        part[pixel] = now


@kernel
def below_brief_rate(rule: BriefLevels, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """The same, of the time since the last event: more divisions, but no sum of all parts."""
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    width, half, limit = U(rule.width), U(rule.half_life), U(rule.limit)
    start, longest = U(np.int64(rule.start)), U(MOST_HALVINGS) * half
    factors, level, time = rule.factors, rule.level, rule.time
    for i in range(t.size):
        pixel = U(y[i]) * width + U(x[i])
        since = U(t[i]) - start
        before = time[pixel] % half  # into its half-life
        now = before + min(since - time[pixel], longest)
        parts = (now << U(TABLE_BITS)) // half - (before << U(TABLE_BITS)) // half
        left = left_after(parts, level[pixel], factors)
        kept = left < limit
        keep[i] = kept
        level[pixel] = min(left + U(LEVEL) * U(kept | rule.count_all), U(MOST_LEVEL))
        time[pixel] = since
