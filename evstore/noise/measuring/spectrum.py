"""Flicker in spectra: lines that stand out of what moves, and the frequency that they are of."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.coherence import steady
from evstore.noise.measuring.series import BIN_US, BINS, Series

STEP_HZ = 1e6 / BIN_US / (2 * BINS)  # between the lines of a spectrum
LEAST_HZ, MOST_HZ = 30.0, 900.0
FLOOR_HZ = 20.0  # the floor is the median over so much
HARMONICS = 6
#: A line is one where it is that many deviations above the floor, and by that part of it.
DEVIATIONS, MORE = 10.0, 0.5
LEAST_PART = 0.05  # of the strongest line, which the lowest of a row of harmonics has
NEAR = 2  # lines on either side that belong to one, as the window spreads it
SURE, OWN = (
    5.5,
    4.5,
)  # deviations of a normal law that chance does not reach, in a spectrum, a block
HOT_PART = 1.5  # the power that hot pixels may have at any frequency, against their rate's


class Lines(NamedTuple):
    """The spectrum of all blocks over its floor, by line; 1 where nothing stands out.

    ``steady``: whether the light flickers all of the last one to two seconds.
    """

    ratio: NDArray[np.float64]
    frequency_hz: float | None
    blocks: NDArray[np.bool_]  # that flicker
    coherent: float = 0.0  # events a cycle of all these blocks together, at least
    steady: bool = False


def lines(series: Series, hot_hz: NDArray[np.float64]) -> Lines:
    """``hot_hz``: the root of the sum of the squares of the rates of each block's hot pixels."""
    most = (HOT_PART * hot_hz / (1e6 / BIN_US))[:, None] ** 2
    power = series.power / max(series.windows, 1)
    seen = power[:, 1:].any(1)
    ratio = np.ones_like(power)
    floor = _floor(power[seen])
    ratio[seen] = np.maximum(power[seen] - most[seen], floor) / floor
    # A block that flickers strongly says more than many; but none says all.
    whole = np.minimum(ratio, 1e6)[seen].mean(0) if seen.any() else np.ones(BINS + 1)
    independent = 0.6 * max(series.windows, 1)  # windows; those that overlap share what they see
    line = _fundamental(whole, _chance(independent * int(seen.sum()), SURE))
    if line is None:
        return Lines(whole, None, np.zeros(series.blocks, np.bool_))
    own = np.zeros(series.blocks)
    for harmonic in range(1, HARMONICS + 1):
        at = round(line * harmonic)
        if at + 1 < ratio.shape[1]:
            own = np.maximum(own, ratio[:, at - 1 : at + 2].max(1))
    blocks = seen & (own > _chance(independent, OWN))
    top = round(line)
    beyond = np.maximum(power[seen][:, top - 1 : top + 2].max(1) - floor[:, top], 0.0)
    # Half the height of a wave of that many events a bin; each cycle has its part of them.
    waves = np.sqrt(beyond[blocks[seen]]) * (1e6 / BIN_US) / (line * STEP_HZ)
    return Lines(
        whole, line * STEP_HZ, blocks, float(waves.sum()), steady(series, line * STEP_HZ, blocks)
    )


def _chance(spectra: float, deviations: float) -> float:
    """What the mean of that many spectra of noise, each of mean 1, stays below.

    They follow a gamma law; Wilson and Hilferty, "The distribution of chi-square", PNAS 17, 1931.
    """
    degrees = max(spectra, 1.0)
    return float((1 - 1 / (9 * degrees) + deviations / (3 * math.sqrt(degrees))) ** 3)


def _floor(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median over ``FLOOR_HZ`` around each line, between which it is interpolated."""
    step = round(FLOOR_HZ / STEP_HZ)
    whole = (power.shape[1] - 1) // step
    medians = np.median(power[:, 1 : 1 + whole * step].reshape(-1, whole, step), 2)
    # Of a very uneven spectrum the median of neighbours: a line fills a part of one alone.
    at = (np.arange(power.shape[1]) - 1 - step / 2) / step
    low = np.clip(np.floor(at).astype(np.int64), 0, whole - 1)
    high = np.minimum(low + 1, whole - 1)
    part = np.clip(at - low, 0, 1)
    floor = medians[:, low] * (1 - part) + medians[:, high] * part
    least = np.maximum(np.median(medians, 1), 1e-30)[:, None] * 1e-3
    return np.maximum(floor, least)


def _fundamental(whole: NDArray[np.float64], chance: float) -> float | None:
    """The line, with a fraction, that the row of harmonics begins with; None without any."""
    first, end = round(LEAST_HZ / STEP_HZ), round(MOST_HZ / STEP_HZ)
    band = whole[first:end]
    middle = float(np.median(band))
    spread = 1.4826 * float(np.median(np.abs(band - middle)))
    least = max(middle + max(DEVIATIONS * spread, MORE * middle), chance)
    best = first + int(np.argmax(band))
    if whole[best] <= least:
        return None
    floor = max(least, LEAST_PART * (whole[best] - middle) + middle)
    place = _refined(whole, best)
    for part in range(HARMONICS, 1, -1):
        at = round(place / part)
        if at < first:
            continue
        near = slice(at - 1, at + 2)
        top = at - 1 + int(np.argmax(whole[near]))
        peak = whole[top] >= whole[max(top - NEAR, 0) : top + NEAR + 1].max()
        if peak and whole[top] > floor:
            return place / part  # the strongest line says it best
    return place


def _refined(whole: NDArray[np.float64], top: int) -> float:
    """The top of a parabola through the logarithms of a line and its neighbours."""
    left, middle, right = np.log(np.maximum(whole[top - 1 : top + 2], 1e-12))
    bend = left - 2 * middle + right
    return float(top + (0.5 * (left - right) / bend if bend < 0 else 0.0))
