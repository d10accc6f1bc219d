"""The least time between two events of a pixel, from a histogram of all times between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.counting_kernels import AN_OCTAVE, INTERVAL_BINS

LEAST_COUNT = 50
PART = 0.01


def edges_us() -> NDArray[np.float64]:
    """Where the bins of intervals begin, and where the last one ends; from 1 us upward."""
    octave, eighth = np.divmod(np.arange(INTERVAL_BINS + 1), AN_OCTAVE)
    found: NDArray[np.float64] = np.ldexp(1.0 + eighth / AN_OCTAVE, octave)
    return found


def refractory_us(intervals: NDArray[np.int64]) -> float | None:
    """The least interval after which there are many in the next octave and few before; or None.

    Without a refractory time intervals are as dense below as above, and there is no such place.
    """
    below = np.concatenate([[0], np.cumsum(intervals)])
    edges = edges_us()
    # Of integers below 8 us some bins hold none: such times cannot be told.
    for at in range(3 * AN_OCTAVE, INTERVAL_BINS - AN_OCTAVE):
        octave = below[at + AN_OCTAVE] - below[at]
        if octave >= LEAST_COUNT and below[at] <= PART * octave:
            end = at + AN_OCTAVE
            first = int(np.searchsorted(below[: end + 1], PART * below[end], side="right")) - 1
            return float(edges[max(first, at)])
    return None
