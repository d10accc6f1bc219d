"""What frames, voxel grids and time surfaces are, one event at a time, in plain Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from evstore.events import Events
from evstore.frames import Frames

Rows = list[tuple[int, int, int, int]]


def rows(events: Events) -> Rows:
    columns = (events.t, events.x, events.y, events.p)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def edges(spec: Frames, times: list[int]) -> list[tuple[int, int]]:
    """The intervals, found by going on from one to the next."""
    n = len(times)
    if spec.count is not None:
        return _walk(0, n, n, spec.count, spec.stride or spec.count, spec.partial)
    if spec.event_bins is not None:
        length = max(1, n // spec.event_bins)
        return [(k * length, (k + 1) * length) for k in range(spec.event_bins)]
    first = spec.start if spec.start is not None else min(times, default=0)
    last = max(times, default=-1)
    if spec.bins is not None:
        length = max(1, ((last if spec.stop is None else spec.stop) - first) // spec.bins)
        return [(first + k * length, first + (k + 1) * length) for k in range(spec.bins)]
    assert spec.duration is not None
    complete = last if spec.stop is None else spec.stop
    every = last + 1 if spec.stop is None else spec.stop
    stride = spec.stride or spec.duration
    return _walk(first, complete, every, spec.duration, stride, spec.partial)


def _walk(
    first: int, complete: int, every: int, length: int, stride: int, partial: bool
) -> list[tuple[int, int]]:
    found = [(first, first + length)]
    while True:
        start = found[-1][0] + stride
        if partial and (start >= every or found[-1][1] >= every):
            return found
        if not partial and start + length > complete:
            return found
        found.append((start, start + length))


def frames(events: Events, spec: Frames, resolution: tuple[int, int]) -> Any:
    """The frames as integers that hold anything, before the dtype."""
    given = rows(events)
    found = []
    for start, stop in edges(spec, [row[0] for row in given]):
        frame = np.zeros(spec.shape(resolution, 1)[1:], object)
        for k, (t, x, y, p) in enumerate(given):
            at = place(spec, resolution, x, y)
            if at is not None and start <= (t if spec.by_time else k) < stop:
                channel = p if spec.kind == "on_off" else 0
                amount = -1 if spec.kind == "signed" and not p else 1
                frame[(channel, *at)] += amount
        found.append(np.minimum(frame, 1) if spec.binary else frame)
    return np.array(found)


def place(spec: Frames, resolution: tuple[int, int], x: int, y: int) -> tuple[int, int] | None:
    x0, y0, x1, y1 = spec.crop or (0, 0, *resolution)
    if not (x0 <= x < x1 and y0 <= y < y1):
        return None
    width, height = spec.size or (x1 - x0, y1 - y0)
    column, line = (x - x0) * width // (x1 - x0), (y - y0) * height // (y1 - y0)
    return (
        height - 1 - line if spec.flip_y else line,
        width - 1 - column if spec.flip_x else column,
    )


def voxel_grid(
    events: Events, bins: int, resolution: tuple[int, int], to_last: bool = False
) -> Any:
    given = rows(events)
    grid = np.zeros((bins, 1, resolution[1], resolution[0]))
    times = [row[0] for row in given]
    for t, x, y, p in given:
        span = max(1, max(times) - min(times))
        at = (bins - 1 if to_last else bins) * float(t - min(times)) / span
        for b in range(bins):
            grid[b, 0, y, x] += (1 if p else -1) * max(0.0, 1 - abs(b - at))
    return grid


def time_surfaces(events: Events, duration: int, tau: float, resolution: tuple[int, int]) -> Any:
    given = rows(events)
    found = []
    for _, stop in edges(Frames(duration=duration), [row[0] for row in given]):
        surface = np.zeros((2, resolution[1], resolution[0]))
        for t, x, y, p in given:
            if t < stop:
                surface[p, y, x] = max(surface[p, y, x], math.exp(-(stop - t) / tau))
        found.append(surface)
    return np.array(found)


def averaged(
    events: Events, resolution: tuple[int, int], cell: int, side: int, window: int, tau: float,
    decay: str,
) -> Any:  # fmt: skip
    given = rows(events)
    across, down = math.ceil(resolution[0] / cell), math.ceil(resolution[1] / cell)
    made = np.zeros((across * down, 2, side, side))
    counts = np.zeros((across * down, 2, 1, 1))
    for k, (t, x, y, p) in enumerate(given):
        of = y // cell * across + x // cell
        counts[of, p] += 1
        made[of, p, side // 2, side // 2] += 1
        for t2, x2, y2, p2 in given[:k]:
            dx, dy = x2 - x + side // 2, y2 - y + side // 2
            same = p2 == p and y2 // cell * across + x2 // cell == of
            if same and t - t2 <= window and 0 <= dx < side and 0 <= dy < side:
                age = t - t2
                made[of, p, dy, dx] += (
                    math.exp(-age / tau) if decay == "exp" else 1 - age / (3 * tau)
                )
    return made / np.maximum(counts, 1)
