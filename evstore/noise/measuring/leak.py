"""Leak: ON events at regular intervals, unlike those of shot noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.cells import Cells
from evstore.noise.measuring.slices import Slices

MANY = 100  # still pixels
STILL = 0.6  # of the time in which it would be quiet if there were noise alone
LEAST_EVENTS = 2.0  # of a pixel in a half, on the mean: fewer say nothing of intervals
REGULAR = 0.7  # what the variance of counts is, against their mean, of shot noise 1
SURE = 5.0  # deviations by which there are more ON events


def leak_rate_hz(
    cells: Cells, slices: Slices, duration_us: int, left_out: NDArray[np.bool_]
) -> float | None:
    """The rate of ON events a pixel beyond that of OFF, where they are regular; else None.

    Shot noise may have more ON events too, but the counts of a pixel in two halves differ by
    their square root; those of leak hardly do, whatever the spread among pixels.
    """
    still = ~left_out & (cells.exposure_us() >= STILL * cells.still_us())
    on, off = (counts[:, still] for counts in slices.counts(duration_us))
    half = on.shape[0] // 2
    if half == 0 or np.count_nonzero(still) < MANY:
        return None
    first, second = on[:half].sum(0), on[half : 2 * half].sum(0)
    both = float((first + second).mean())
    if both < 2 * LEAST_EVENTS:
        return None
    surplus, deviation = float(on.sum() - off.sum()), float(np.sqrt(on.sum() + off.sum()))
    regular = float(((first - second) ** 2).mean()) / both
    if surplus <= SURE * deviation or regular > REGULAR:
        return None
    seen_s = slices.slice_us * on.shape[0] / 1e6 * np.count_nonzero(still)
    return float(surplus / seen_s)
