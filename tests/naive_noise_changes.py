"""What `evstore.noise.changes` does, an event at a time, in Python's own numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from evstore.noise.batch import Sensor
from evstore.noise.changes.whole_steps import scale_for
from evstore.noise.key import Key

Row = tuple[int, int, int, int, int]  # t, x, y, p, label
MASK = (1 << 64) - 1


def bits(seed: int, number: int) -> int:
    z = (seed + 0x9E3779B97F4A7C15 * (number + 1)) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def lucky(seed: int, number: int, fraction: float) -> bool:
    """True in a share of numbers."""
    return (bits(seed, number) >> 11) < fraction * 2.0**53


def away(seed: int, number: int, scale: float) -> int:
    word = bits(seed, number)
    total = sum((word >> shift) & 0xFFFF for shift in (0, 16, 32, 48))
    return math.floor((total - 131070.0) * (3.0**0.5 / 65536.0) * scale + 0.5)


def event_drop(rows: list[Row], key: Key, fraction: float) -> list[Row]:
    seed = key.number(0, "EventDrop")
    return [row for i, row in enumerate(rows) if not lucky(seed, i, fraction)]


def pixel_drop(rows: list[Row], key: Key, fraction: float, redraw: str = "never") -> list[Row]:
    draw = key.sensor_number if redraw == "never" else key.number
    seed = draw(0, "PixelDrop")
    return [row for row in rows if not lucky(seed, row[2] << 16 | row[1], fraction)]


def pixel_drop_count(rows: list[Row], key: Key, count: int, sensor: Sensor) -> list[Row]:
    seed = key.sensor_number(0, "PixelDrop")
    dead: set[int] = set()
    for last in range(sensor.pixels - count, sensor.pixels):
        pixel = (bits(seed, last) >> 32) * (last + 1) >> 32
        dead.add(last if pixel in dead else pixel)
    assert len(dead) == count
    return [row for row in rows if row[2] * sensor.width + row[1] not in dead]


def polarity_flip(rows: list[Row], key: Key, fraction: float) -> list[Row]:
    seed = key.number(0, "PolarityFlip")
    return [
        (t, x, y, 1 - p if lucky(seed, i, fraction) else p, k)
        for i, (t, x, y, p, k) in enumerate(rows)
    ]


def missing_rows(
    rows: list[Row], key: Key, fraction: float, duration: int | None, axis: str, start: int
) -> list[Row]:
    seed = key.number(0, f"MissingRows {axis}")
    out = []
    for row in rows:
        slot = 0 if duration is None else (row[0] - start) // duration
        line = row[2] if axis == "row" else row[1]
        if not lucky(bits(seed, slot) >> 1, line, fraction):
            out.append(row)
    return out


def spatial_jitter(
    rows: list[Row], key: Key, deviation: float, outside: str, sensor: Sensor
) -> list[Row]:
    seed, scale, out = key.number(0, "SpatialJitter"), scale_for(deviation), []
    for i, (t, x, y, p, k) in enumerate(rows):
        to_x, to_y = x + away(seed, 2 * i, scale), y + away(seed, 2 * i + 1, scale)
        in_x = min(max(to_x, 0), sensor.width - 1)
        in_y = min(max(to_y, 0), sensor.height - 1)
        if outside == "clip" or (in_x, in_y) == (to_x, to_y):
            out.append((t, in_x, in_y, p, k))
    return out


def time_jitter(rows: list[Row], key: Key, deviation: float, start: int, stop: int) -> list[Row]:
    seed, scale = key.number(0, "TimeJitter"), scale_for(deviation)
    out = [
        (min(max(t + away(seed, i, scale), start), stop - 1), x, y, p, k)
        for i, (t, x, y, p, k) in enumerate(rows)
    ]
    return sorted(out, key=lambda row: row[0])  # stable


def bandwidth_limit(rows: list[Row], rate: float, places: int, delay: bool) -> list[Row]:
    """A queue as one would draw it: who waits, and when each will have been read."""
    takes = Fraction(1_000_000) / Fraction(rate).limit_denominator(1000)
    ends: list[Fraction] = []
    out = []
    for t, x, y, p, k in rows:
        ends = [end for end in ends if end > t]
        if len(ends) < places:
            ends.append((ends[-1] if ends else Fraction(t)) + takes)
            out.append((math.floor(ends[-1]) if delay else t, x, y, p, k))
    return out


def timestamp_quantise(rows: list[Row], step: int, offset: int) -> list[Row]:
    return [((t - offset) // step * step + offset, *rest) for t, *rest in rows]  # type: ignore[misc]


Reference = Callable[[list[Row], Key], list[Row]]
