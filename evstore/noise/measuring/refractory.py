"""The least time between two events of a pixel, from a histogram of all times between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.counting_kernels import AN_OCTAVE, INTERVAL_BINS

LEAST_COUNT = 50
PART = 0.01
#: How dense intervals are in two bins behind the edge, and in the rest of the octave, as a part of
#: the octave's mean, at least. Of intervals that grow dense by and by (a scene's, or regular ones)
#: the former are few; of those that are all of one length, a lamp's half cycle, the latter.
LEAST_BEHIND, LEAST_LATER = 0.5, 0.2
#: Of intervals of the background alone so many are missed, if no more than this part of them came.
LEAST_MISSED, MOST_CAME = 50, 0.1


def edges_us() -> NDArray[np.float64]:
    """Where the bins of intervals begin, and where the last one ends; from 1 us upward."""
    octave, eighth = np.divmod(np.arange(INTERVAL_BINS + 1), AN_OCTAVE)
    found: NDArray[np.float64] = np.ldexp(1.0 + eighth / AN_OCTAVE, octave)
    return found


def refractory_us(intervals: NDArray[np.int64], shot_per_us: float = 0.0) -> float | None:
    """The interval below which there are few, and from which on at once as many as later; or None.

    Without a refractory time intervals are as dense below as above, or grow dense by and by; and
    shorter ones come of the background alone: ``shot_per_us`` of each length.
    """
    below = np.concatenate([[0], np.cumsum(intervals)])
    edges = edges_us()
    # Of integers below 8 us some bins hold none: such times cannot be told.
    for at in range(3 * AN_OCTAVE, INTERVAL_BINS - 2 * AN_OCTAVE):
        octave = below[at + AN_OCTAVE] - below[at]
        if octave >= LEAST_COUNT and below[at] <= PART * octave:
            end = at + AN_OCTAVE
            first = int(np.searchsorted(below[: end + 1], PART * below[end], side="right")) - 1
            first = max(first, at)
            due = shot_per_us * edges[first]
            missed = due >= LEAST_MISSED and below[first] <= MOST_CAME * due
            return float(edges[first]) if missed or _is_sharp(below, edges, first) else None
    return None


def _is_sharp(below: NDArray[np.int64], edges: NDArray[np.float64], first: int) -> bool:
    """Whether intervals are dense right behind the bin ``first``, and are not all there."""

    def density(start: int, stop: int) -> float:
        return float((below[stop] - below[start]) / (edges[stop] - edges[start]))

    mean = density(first, first + AN_OCTAVE)
    behind = density(first + 1, first + 3)
    later = density(first + AN_OCTAVE // 2, first + AN_OCTAVE)
    return behind >= LEAST_BEHIND * mean and later >= LEAST_LATER * mean
