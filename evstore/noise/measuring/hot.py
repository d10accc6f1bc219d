"""Hot pixels: those that fire all the time, and far more than the pixels around them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Sensor
from evstore.noise.measuring import counting_kernels as kernels
from evstore.noise.measuring.slices import Slices

#: A hot pixel as `Measurement.hot_pixels` has it.
HOT_DTYPE = np.dtype([("x", "<u2"), ("y", "<u2"), ("rate_hz", "<f8"), ("on_fraction", "<f8")])
RADIUS = 3
LEAST_EVENTS = 8
CHANCE, HARDLY = 3.0, 2.0  # deviations of a count: what may be missing, or there, by chance
#: A pixel of the least rate has in each slice, but for one of 10,000, this part of what it should.
PART, IN_SLICES = 0.3, 0.75


def hot_pixels(
    slices: Slices, duration_us: int, min_rate_hz: float, area: NDArray[np.bool_] | None = None
) -> NDArray[np.void]:
    """The hot pixels of what was counted, by row, with what each fires beyond its surroundings.

    ``area``, by pixel: what flickers, and hides the hot pixels beside it unless it is known.
    """
    sensor = slices.sensor
    on, off = slices.totals()
    totals = on + off
    where = _standing_out(totals, sensor, duration_us, min_rate_hz)
    if area is not None and area.any() and not area.all():
        level = int(np.median(totals[area]) - np.median(totals[~area]))
        beside = _standing_out(
            totals - np.where(area, np.minimum(level, totals), 0), sensor, duration_us, min_rate_hz
        )
        # Not those that touch it: they may be of it.
        grid = np.pad(area.reshape(sensor.height, sensor.width), 1)
        sides = (slice(0, -2), slice(1, -1), slice(2, None))
        touched = np.any([grid[v, u] for v in sides for u in sides], axis=0).ravel()
        where = np.union1d(where, beside[~touched[beside]])
    where = where[_always(slices, where, duration_us, min_rate_hz)]
    around = _around(totals, sensor, where, area)
    found = np.empty(where.size, HOT_DTYPE)
    found["y"], found["x"] = np.divmod(where, sensor.width)
    found["rate_hz"] = (totals[where] - around) / duration_us * 1e6
    found["on_fraction"] = on[where] / totals[where]
    return found


def _around(
    totals: NDArray[np.int64], sensor: Sensor, where: NDArray[np.intp],
    area: NDArray[np.bool_] | None,
) -> NDArray[np.float64]:  # fmt: skip
    """The median of the pixels around each, of those that flicker as it does."""
    grid = totals.reshape(sensor.height, sensor.width)
    lit = np.zeros(grid.shape, bool) if area is None else area.reshape(grid.shape)
    found = np.zeros(where.size)
    for at, (y, x) in enumerate(zip(*np.divmod(where, sensor.width), strict=True)):
        near = (
            slice(max(y - RADIUS, 0), y + RADIUS + 1),
            slice(max(x - RADIUS, 0), x + RADIUS + 1),
        )
        found[at] = np.median(grid[near][lit[near] == lit[y, x]])
    return found


def _standing_out(
    totals: NDArray[np.int64], sensor: Sensor, duration_us: int, min_rate_hz: float
) -> NDArray[np.intp]:
    expected = min_rate_hz * duration_us / 1e6
    # As few as a pixel of that rate may have by chance, but not less than half.
    need = np.maximum(expected - CHANCE * np.sqrt(totals), expected / 2)
    need = np.maximum(need, LEAST_EVENTS).astype(np.int64)
    out = np.zeros(sensor.pixels, np.uint8)
    room = np.zeros((2 * RADIUS + 1) ** 2, np.int64)
    kernels.stands_out(totals, *sensor, RADIUS, room, need, out)
    return np.flatnonzero(out)


def never_hot_hz(duration_us: int, min_rate_hz: float) -> float:
    """A pixel of that rate, or of less, has by chance alone, and rarely, what a hot one needs."""
    expected = min_rate_hz * duration_us / 1e6
    # The number n of which ``n + CHANCE * sqrt(n)`` are as many as expected.
    least = (math.sqrt(expected + CHANCE**2 / 4) - CHANCE / 2) ** 2
    least = max(least, expected / 2, LEAST_EVENTS)
    return (math.sqrt(least + HARDLY**2 / 4) - HARDLY / 2) ** 2 / duration_us * 1e6


def _always(
    slices: Slices, where: NDArray[np.intp], duration_us: int, min_rate_hz: float
) -> NDArray[np.bool_]:
    on, off = slices.counts(duration_us)
    counts = on[:, where] + off[:, where]
    length_us = min(slices.slice_us, duration_us)
    least = max(PART * min_rate_hz * length_us / 1e6, 1.0)
    found: NDArray[np.bool_] = (counts >= least).mean(0) >= IN_SLICES
    return found
