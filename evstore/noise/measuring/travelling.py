"""Whether a line in a spectrum is of light, which is everywhere at once, or of what moves evenly.

A pattern that comes back while it moves at a constant speed gives each pixel a wave of one
frequency, as a lamp does; but its phase grows from pixel to pixel, along x or y or both.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.coherence import SEGMENTS, waves
from evstore.noise.measuring.series import QUARTERS, Series

LEAST = 0.15  # radians from one quarter of a block to the next, the same in most blocks
SURE = 3.5  # deviations by which that is more than 0
ALIKE = 0.6  # of the waves, that turn the same way, by half as much at least
FAR = 0.9  # radians that in one block are no chance, though its pixels have phases of their own


def travels(series: Series, frequency_hz: float, lit: NDArray[np.bool_]) -> bool:
    """Whether the wave of that frequency moves through the blocks that are ``lit``.

    Told from the last one to two seconds. Pixels of a lamp may be late by as much as they like, and
    lamps differ in phase: then quarters of blocks differ this way and that, or in few blocks.
    """
    seen = series.last(lit)
    found = waves(seen.reshape(-1, seen.shape[2]), frequency_hz)
    if not found.size:
        return False
    found = found.reshape(-1, QUARTERS, SEGMENTS)
    turns = [
        (found[:, after] * found[:, before].conj()).sum(2)
        for before, after in (([0, 2], [1, 3]), ([0, 1], [2, 3]))
    ]
    return any(_turns(turn) for turn in turns) or _turn_far(*(turn.sum(1) for turn in turns))


def _turns(turn: NDArray[np.complex128]) -> bool:
    """Whether most of all pairs of quarters have phases that differ by the same."""
    mean = complex(turn.sum())
    angle = math.atan2(mean.imag, mean.real)
    heights = abs(turn)
    alike = heights[np.angle(turn * np.exp(-0.5j * angle)) * angle > 0].sum()
    if abs(angle) < LEAST or alike < ALIKE * heights.sum():
        return False
    # Where it turns by more than a quarter of the circle, that it does so is seen along it.
    across = turn.imag if mean.real > 0 else turn.real
    return bool(abs(across.sum()) > SURE * math.sqrt(float((across**2).sum())))


def _turn_far(along_x: NDArray[np.complex128], along_y: NDArray[np.complex128]) -> bool:
    """Whether the phases differ by much within most blocks, in whatever direction."""
    heights = abs(along_x) + abs(along_y)
    far = np.hypot(np.angle(along_x), np.angle(along_y)) > FAR
    return bool(heights[far].sum() > ALIKE * heights.sum())
