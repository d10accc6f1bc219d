"""Whether hot pixels fire at regular intervals, or at random."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.cells import Cells
from evstore.noise.measuring.counting_kernels import LOWEST_OCTAVE, OCTAVES

Floats = NDArray[np.float64]

MANY = 1000  # pixels that are looked at
LEAST_GAPS = 8  # of a pixel, for its intervals to say something
JITTERS = (0.05, 0.1, 0.15, 0.2, 0.25)  # as `evstore.noise.HotPixels` has it
OTHERS = 0.2  # of the intervals, that may be others: beside regular events there are those of noise
RESTS = (1.0, 1.06, 1.12)  # times what is said, which is where a bin of an eighth octave begins
LEAST = 1e-4  # of a law: that any interval may be
LEAST_LONGER = 0.05  # of the mean interval, that is more than the rest


def hot_jitter(cells: Cells, hot: NDArray[np.void], refractory_us: float | None) -> float | None:
    """How much the intervals of hot pixels vary, as a part of each one's mean; None: at random.

    The likeliest law of their intervals by octave, each pixel counting as much as others: normal,
    or what a pixel has that fires at random and rests after it, the rest and an exponential time.
    """
    hot = hot[:: max(hot.size // MANY, 1)]
    pixel = hot["y"].astype(np.int64) * cells.sensor.width + hot["x"]
    known = pixel & ((1 << cells.state.every) - 1) == 0
    gaps = cells.gaps()[pixel[known] >> cells.state.every].sum(2, dtype=np.float64)
    rates = hot["rate_hz"][known]
    told = (gaps.sum(1) >= LEAST_GAPS) & (rates > 0)
    if not told.any():
        return None
    seen = gaps[told] / gaps[told].sum(1, keepdims=True)
    mean_us = 1e6 / rates[told]
    random = [_at_random(mean_us, rest * (refractory_us or 0.0)) for rest in RESTS]
    regular = [OTHERS * random[0] + (1 - OTHERS) * _normal(mean_us, jitter) for jitter in JITTERS]
    likely = [float((seen * np.log(np.maximum(law, LEAST))).sum()) for law in random + regular]
    best = int(np.argmax(likely)) - len(random)
    return JITTERS[best] if best >= 0 else None


def _at_random(mean_us: Floats, rest_us: float) -> Floats:
    """Shares of intervals by octave: the rest, and an exponential time."""
    longer = np.maximum(mean_us - rest_us, LEAST_LONGER * mean_us)[:, None]
    beyond = np.maximum(_edges_us() - rest_us, 0)[None, :]
    shares: Floats = -np.diff(np.exp(-beyond / longer), axis=1)
    return shares


def _normal(mean_us: Floats, jitter: float) -> Floats:
    deviations = (_edges_us()[None, :] / mean_us[:, None] - 1) / (jitter * math.sqrt(2))
    below = np.array([[math.erf(one) for one in row] for row in deviations.tolist()])
    shares: Floats = np.diff(below, axis=1) / 2
    return shares


def _edges_us() -> Floats:
    edges = np.ldexp(1.0, np.arange(OCTAVES + 1) + LOWEST_OCTAVE)
    edges[0], edges[-1] = 0, np.inf
    return edges
