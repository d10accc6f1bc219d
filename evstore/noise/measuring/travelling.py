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
#: Radians (root of the mean square) within blocks that are hardly by chance, of pixels that have
#: phases of their own; and as how many blocks of equal height those must count.
FAR, MANY = 0.7, 8.0


def travels(
    series: Series, frequency_hz: float, lit: NDArray[np.bool_], sure: float = SURE
) -> bool:
    """Whether the wave of that frequency moves through the blocks that are ``lit``.

    Told from the last one to two seconds. Pixels of a lamp may be late by as much as they like, and
    lamps differ in phase: then quarters of blocks differ this way and that, or in few blocks.
    ``sure``: deviations; the fewer the blocks, the fewer there are at best.
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
    return any(_turns(turn, sure) for turn in turns) or _turn_far(
        np.array([turn.sum(1) for turn in turns])
    )


def _turns(turn: NDArray[np.complex128], sure: float) -> bool:
    """Whether most of all pairs of quarters have phases that differ by the same."""
    mean = complex(turn.sum())
    angle = math.atan2(mean.imag, mean.real)
    heights = abs(turn)
    alike = heights[np.angle(turn * np.exp(-0.5j * angle)) * angle > 0].sum()
    if abs(angle) < LEAST or alike < ALIKE * heights.sum():
        return False
    # Where it turns by more than a quarter of the circle, that it does so is seen along it.
    across = turn.imag if mean.real > 0 else turn.real
    return bool(abs(across.sum()) > sure * math.sqrt(float((across**2).sum())))


def _turn_far(turn: NDArray[np.complex128]) -> bool:
    """Whether phases differ within blocks, each in a direction of its own: around a turning fan.

    ``turn``: along x and y of each block.
    """
    weights = abs(turn) ** 2  # of quarters that lie in it as a whole, above all
    whole, blocks = float(weights.sum()), weights.sum(0)
    many = whole**2 > MANY * float((blocks**2).sum())
    return bool(many and (weights * np.angle(turn) ** 2).sum() > FAR**2 / 2 * whole)
