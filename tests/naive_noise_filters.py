"""Filters as their definitions say them: one event after the other, in plain Python.

Each gives whether events are kept, of rows (t, x, y, p) in order of time.
"""

from __future__ import annotations

import math
from collections import defaultdict

Row = tuple[int, int, int, int]
FOUR = ((0, -1), (-1, 0), (1, 0), (0, 1))
EIGHT = (*FOUR, (-1, -1), (1, -1), (-1, 1), (1, 1))


def refractory(rows: list[Row], period: int, restart: str) -> list[bool]:
    last: dict[tuple[int, int], int] = {}
    found = []
    for t, x, y, _ in rows:
        kept = (x, y) not in last or t - last[x, y] > period
        if kept or restart == "all":
            last[x, y] = t
        found.append(kept)
    return found


def neighbour_ages(
    rows: list[Row], size: tuple[int, int], neighbours: int, same_polarity: bool, active: bool
) -> list[list[int]]:
    """Of each event how long ago its neighbours were active, the least first."""
    last: dict[tuple[int, int, int], int] = {}
    if active:
        last = {(x, y, p): 0 for x in range(size[0]) for y in range(size[1]) for p in (0, 1)}
    found = []
    for t, x, y, p in rows:
        p = p if same_polarity else 0
        around = [(x + dx, y + dy, p) for dx, dy in (FOUR if neighbours == 4 else EIGHT)]
        found.append(sorted(t - last[pixel] for pixel in around if pixel in last))
        last[x, y, p] = t
    return found


def supported(ages: list[list[int]], window: int, support: int) -> list[bool]:
    return [sum(age < window for age in some) >= support for some in ages]


def decimation(rows: list[Row], n: int, by: str) -> list[bool]:
    seen: dict[tuple[int, int] | None, int] = defaultdict(int)
    found = []
    for _, x, y, _ in rows:
        key = (x, y) if by == "pixel" else None
        seen[key] += 1
        found.append(seen[key] % n == (0 if by == "pixel" else 1 % n))
    return found


def rate_limit(rows: list[Row], events_per_s: int, burst: int) -> list[bool]:
    """The bucket in parts of a millionth of an event."""
    held = burst * 10**6
    before = rows[0][0] if rows else 0
    found = []
    for t, *_ in rows:
        held = min(held + (t - before) * events_per_s, burst * 10**6)
        before = t
        kept = held >= 10**6
        held -= kept * 10**6
        found.append(kept)
    return found


def pixel_rate_levels(
    rows: list[Row], max_rate_hz: float, half_life: int, counts: str
) -> tuple[list[float], float]:
    """The level that each event finds, and the limit: by floats, so equal only nearly."""
    limit = max_rate_hz * half_life / 1e6 / math.log(2)
    state: dict[tuple[int, int], tuple[float, int]] = {}
    found = []
    for t, x, y, _ in rows:
        part = (t - rows[0][0]) * 256 // half_life
        level, last = state.get((x, y), (0.0, part))
        level *= 0.5 ** ((part - last) / 256)
        found.append(level)
        state[x, y] = level + (level < limit or counts == "all"), part
    return found, limit


def masked(rows: list[Row], pixels: set[tuple[int, int]]) -> list[bool]:
    return [(x, y) not in pixels for _, x, y, _ in rows]
