"""Which line of a spectrum a light's row of harmonics begins with.

``whole``: a spectrum over its floor, 1 where nothing stands out. ``power``: what is beyond the
floor, of the blocks that have the strongest line. Lines are numbered from 0 Hz, `STEP_HZ` apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.series import BIN_US, BINS

Spectrum = NDArray[np.float64]

STEP_HZ = 1e6 / BIN_US / (2 * BINS)
RATE = 2 * BINS  # of bins, in lines: what is beyond half of it is folded back
LEAST_HZ, MOST_HZ = 30.0, 900.0  # of the strongest line, which may be a harmonic of one below
FIRST, END = round(LEAST_HZ / STEP_HZ), round(MOST_HZ / STEP_HZ)
LOWEST_HZ = 10.0  # of light: what is slower is told from what moves no more
HARMONICS = 6
#: A line is one where it is that many deviations above the floor, and by that part of it.
DEVIATIONS, MORE = 10.0, 0.5
LEAST_PART = 0.05  # of the strongest line, which the lowest of a row of harmonics has
SLOWEST = 5  # lines: harmonics that are nearer to each other are not told apart
IN_A_ROW = 3  # harmonics, of a light that is slower than the strongest line may be
NEAR = 2  # lines on either side that belong to one, as the window spreads it
FOLDED = 12  # harmonics of the strongest line may be folded back, and so much stronger than most
OVER = 1.2
BESIDE, BY_FAR = 12, 10.0  # lines on either side, over whose median a fundamental alone stands out


class Strongest(NamedTuple):
    """``least``: what a line is higher than."""

    line: int
    middle: float
    least: float


def strongest(whole: Spectrum, chance: float) -> Strongest | None:
    """The strongest line of those from `LEAST_HZ` on; None where none is beyond ``chance``."""
    band = whole[FIRST:END]
    middle = float(np.median(band))
    spread = 1.4826 * float(np.median(np.abs(band - middle)))
    least = max(middle + max(DEVIATIONS * spread, MORE * middle), chance)
    best = FIRST + int(np.argmax(band))
    return None if whole[best] <= least else Strongest(best, middle, least)


def fundamental(whole: Spectrum, power: Spectrum, top: Strongest) -> float:
    """The line, with a fraction, that the strongest one is a harmonic of, or itself."""
    floor = max(top.least, LEAST_PART * (whole[top.line] - top.middle) + top.middle)
    place = _refined(whole, top.line)
    for part in range(int(place / SLOWEST), 1, -1):
        low = place / part
        if not _stands(whole, low, floor):
            continue
        seen, may_be = _row(whole, power, place, part, floor)
        # What moves is strong at low frequencies: there one line alone says nothing.
        if (part <= HARMONICS and seen > 0) if low >= FIRST else seen >= min(may_be, IN_A_ROW):
            return low  # the strongest line says it best
    return place


def slower(whole: Spectrum, power: Spectrum, line: float, chance: float) -> Iterator[float]:
    """Lines below `LEAST_HZ` that ``line`` may be a harmonic of, the slowest first.

    Less says so than `fundamental` asks for: pixels that are late by a part of the cycle leave
    hardly more than the fundamental, a lamp that rises as it falls odd harmonics only; then it has
    more power than the harmonic, and by far more than lines beside it. And of short flashes the
    fundamental is weak, but harmonics are many.
    """
    most = _peak(power, line)
    floor = max(chance, LEAST_PART * _peak(whole, line))
    for part in range(int(line * STEP_HZ / LOWEST_HZ + 0.5), 1, -1):
        low = line / part
        if low >= FIRST or not _stands(whole, low, chance):
            continue
        at, peak = round(low), _peak(power, low)
        near = [power[at - BESIDE : at - NEAR - 1], power[at + NEAR + 2 : at + BESIDE + 1]]
        alone = peak >= most and peak > BY_FAR * float(np.median(np.concatenate(near)))
        seen, may_be = _row(whole, power, line, part, floor)
        if alone or seen >= min(may_be, IN_A_ROW):
            yield low


def _row(
    whole: Spectrum, power: Spectrum, place: float, part: int, floor: float
) -> tuple[int, int]:
    """How many harmonics there are of the line of which ``place`` is one, and might be at most.

    Without those of ``place`` itself, folded back or not.
    """
    low = place / part
    row = [n * low for n in range(1, HARMONICS + 2) if n % part and n * low < END]
    seen = [at for at in row if _stands(whole, at, floor) and not _is_folded(power, place, at)]
    return len(seen), len(row)


def _is_folded(power: Spectrum, place: float, line: float) -> bool:
    """Whether harmonics of ``place`` that are folded back may be all that is at ``line``.

    Those of light that flashes shortly are the highest, the nth one n times the first; but of waves
    that are summed by bins there is left sin(x) / x, x growing as n. So of whichever harmonic it
    is, a line is as high, against the first, as the sines of their own places say.
    """
    beyond = np.arange(math.ceil(RATE / 2 / place), FOLDED + 1) * place
    if not (np.abs(np.abs(beyond - RATE * np.round(beyond / RATE)) - line) <= NEAR).any():
        return False
    most = math.sin(math.pi * line / RATE) / math.sin(math.pi * place / RATE)
    return _peak(power, line) <= OVER * most**2 * _peak(power, place)


def _peak(power: Spectrum, line: float) -> float:
    at = round(line)
    return float(power[at - 1 : at + 2].max())


def _stands(whole: Spectrum, line: float, floor: float) -> bool:
    """Whether there is a line: higher than those beside it, and than ``floor``."""
    at = round(line)
    top = at - 1 + int(np.argmax(whole[at - 1 : at + 2]))
    peak = whole[top] >= whole[max(top - NEAR, 0) : top + NEAR + 1].max()
    return bool(peak and whole[top] > floor)


def _refined(whole: Spectrum, top: int) -> float:
    """The top of a parabola through the logarithms of a line and its neighbours."""
    left, middle, right = np.log(np.maximum(whole[top - 1 : top + 2], 1e-12))
    bend = left - 2 * middle + right
    return float(top + (0.5 * (left - right) / bend if bend < 0 else 0.0))
