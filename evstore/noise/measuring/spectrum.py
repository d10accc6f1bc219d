"""Flicker in spectra: lines that stand out of what moves, and the frequency that they are of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.coherence import steady
from evstore.noise.measuring.series import BIN_US, BINS, Series
from evstore.noise.measuring.travelling import SURE as CERTAIN
from evstore.noise.measuring.travelling import travels

STEP_HZ = 1e6 / BIN_US / (2 * BINS)  # between the lines of a spectrum
LEAST_HZ, MOST_HZ = 30.0, 900.0  # of the strongest line, which may be a harmonic of one below
SAME_HZ = 0.5
LOWEST_HZ = 10.0  # of light: what is slower is told from what moves no more
FLOOR_HZ = 20.0  # the floor is the median over so much
HARMONICS = 6
#: A line is one where it is that many deviations above the floor, and by that part of it.
DEVIATIONS, MORE = 10.0, 0.5
LEAST_PART = 0.05  # of the strongest line, which the lowest of a row of harmonics has
SLOWEST = 5  # lines: harmonics that are nearer to each other are not told apart
IN_A_ROW = 3  # harmonics, of a light that is slower than the strongest line may be
NEAR = 2  # lines on either side that belong to one, as the window spreads it
SURE, OWN = (
    5.5,
    4.5,
)  # deviations of a normal law that chance does not reach, in a spectrum, a block
WIDE = 12  # lines on either side, of which some are beside one
MOST_LIGHTS = 8
QUICK_HZ = 12.5  # of a pattern that comes back: it leaves no two cells of time quiet
HOT_PART = 1.5  # the power that hot pixels may have at any frequency, against their rate's


class Lines(NamedTuple):
    """The spectrum of all blocks over its floor, by line; 1 where nothing stands out.

    ``steady``: whether the light flickers all of the last one to two seconds. ``others``: blocks
    in which it is another light that does, or a pattern that comes back as it moves.
    """

    ratio: NDArray[np.float64]
    frequency_hz: float | None
    blocks: NDArray[np.bool_]  # that flicker
    others: NDArray[np.bool_]
    coherent: float = 0.0  # events a cycle of all these blocks together, at least
    steady: bool = False


class _Power(NamedTuple):
    """Of the blocks in which anything happens."""

    own: NDArray[np.float64]  # by block and line
    floor: NDArray[np.float64]
    ratio: NDArray[np.float64]  # without what hot pixels may make
    hot: NDArray[np.bool_]  # blocks that have any
    windows: float  # that are independent: those that overlap share what they see


class _Light(NamedTuple):
    """One line with its harmonics; ``moves``: it is a pattern that comes back as it moves."""

    frequency_hz: float
    blocks: NDArray[np.bool_]
    coherent: float
    steady: bool
    moves: bool


def lines(series: Series, hot_hz: NDArray[np.float64], known_hz: float | None = None) -> Lines:
    """``hot_hz``: the root of the sum of the squares of the rates of each block's hot pixels.

    The strongest light, or that of a frequency that is known already.
    """
    power = series.power / max(series.windows, 1)
    nowhere = np.zeros(series.blocks, np.bool_)
    seen = np.flatnonzero(power[:, 1:].any(1))
    if not seen.size:
        return Lines(np.ones(BINS + 1), None, nowhere, nowhere)
    about = _about(power[seen], hot_hz[seen], 0.6 * max(series.windows, 1))
    found: _Light | None = None
    others, whole = nowhere.copy(), _whole(about.ratio)
    moving: list[float] = []
    for light in _lights(series, about, seen):
        moves = light.moves or any(
            abs(light.frequency_hz - round(light.frequency_hz / hz) * hz) < SAME_HZ for hz in moving
        )
        if moves:
            moving.append(light.frequency_hz)
        if light.frequency_hz < (QUICK_HZ if moves else LOWEST_HZ - STEP_HZ / 2):
            continue
        known = known_hz is not None and abs(light.frequency_hz - known_hz) < SAME_HZ
        if moves:
            others |= light.blocks
        elif found is None or known:
            others |= nowhere if found is None else found.blocks
            found = light
        elif light.steady:
            others |= light.blocks
    if found is None:
        return Lines(whole, None, nowhere, others)
    hz, blocks, coherent, goes_on, _ = found
    return Lines(whole, hz, blocks, others & ~blocks, coherent, goes_on)


def _lights(series: Series, about: _Power, seen: NDArray[np.intp]) -> Iterator[_Light]:
    """One after the other, each in the blocks that show none before; up to one that passed."""
    free, moving = np.ones(seen.size, np.bool_), False
    for _ in range(MOST_LIGHTS):
        line = _fundamental(
            _whole(about.ratio[free]), _chance(about.windows * int(free.sum()), SURE)
        )
        if line is None:
            return
        own = free & _shows(about, line)
        lit = np.zeros(series.blocks, np.bool_)
        lit[seen[own]] = True
        hz = line * STEP_HZ
        goes_on = steady(series, hz, lit)
        # Where a pattern is seen to move, less says that others do: blocks are few that are left.
        moves = goes_on and travels(series, hz, lit, 0.0 if moving else CERTAIN)
        moving |= moves
        yield _Light(hz, lit, _coherent(about, line, own), goes_on, moves)
        free &= ~own
        if not goes_on or not free.any():
            return


def _about(power: NDArray[np.float64], hot_hz: NDArray[np.float64], windows: float) -> _Power:
    most = (HOT_PART * hot_hz / (1e6 / BIN_US))[:, None] ** 2
    floor = _floor(power)
    return _Power(power, floor, np.maximum(power - most, floor) / floor, hot_hz > 0, windows)


def _whole(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """A block that flickers strongly says more than many; but none says all."""
    found: NDArray[np.float64] = np.minimum(ratio, 1e6).mean(0)
    return found


def _shows(about: _Power, line: float) -> NDArray[np.bool_]:
    """Which blocks have the line, or harmonics of it that are not those of a faster light.

    What is far below a block's strongest line may be a harmonic of that, beyond the spectrum's end
    and folded back.
    """
    top = about.ratio[:, round(LEAST_HZ / STEP_HZ) : round(MOST_HZ / STEP_HZ)].max(1)
    least = np.maximum(_chance(about.windows, OWN), LEAST_PART * top)
    divisor = np.zeros(len(top), np.int64)  # of all harmonics that are seen
    for harmonic in range(1, HARMONICS + 1):
        at = round(line * harmonic)
        if at + 1 >= about.ratio.shape[1]:
            break
        shown = about.ratio[:, at - 1 : at + 2].max(1) > least
        shown |= about.hot & (_beside(about, at) > least)
        divisor = np.gcd(divisor, harmonic * shown)
    found: NDArray[np.bool_] = divisor == 1
    return found


def _beside(about: _Power, at: int) -> NDArray[np.float64]:
    """How far a line stands out of those beside it.

    Lines of hot pixels, whose intervals vary, are wider than those of light.
    """
    near = [
        about.own[:, max(at - WIDE, 1) : at - NEAR - 1], about.own[:, at + NEAR + 2 : at + WIDE + 1]
    ]  # fmt: skip
    floor = np.maximum(np.median(np.concatenate(near, 1), 1), about.floor[:, at])
    found: NDArray[np.float64] = about.own[:, at - 1 : at + 2].max(1) / floor
    return found


def _coherent(about: _Power, line: float, lit: NDArray[np.bool_]) -> float:
    """Events a cycle of the blocks that are ``lit``, at least.

    A line's power is the square of half the height of a wave of that many events a bin, and each
    cycle has its part of them.
    """
    top = round(line)
    beyond = np.maximum(about.own[lit, top - 1 : top + 2].max(1) - about.floor[lit, top], 0.0)
    return float(np.sqrt(beyond).sum()) * (1e6 / BIN_US) / (line * STEP_HZ)


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
    for part in range(int(place / SLOWEST), 1, -1):
        low = place / part
        if low >= first:
            found = part <= HARMONICS and _stands(whole, low, floor)
        else:
            # What moves is strong at low frequencies: there one line alone says nothing.
            row = [n for n in range(1, HARMONICS + 2) if n % part and n * low < end]
            found = _stands(whole, low, floor) and (
                sum(_stands(whole, n * low, floor) for n in row) >= min(len(row), IN_A_ROW)
            )
        if found:
            return low  # the strongest line says it best
    return place


def _stands(whole: NDArray[np.float64], line: float, floor: float) -> bool:
    """Whether there is a line: higher than those beside it, and than ``floor``."""
    at = round(line)
    top = at - 1 + int(np.argmax(whole[at - 1 : at + 2]))
    peak = whole[top] >= whole[max(top - NEAR, 0) : top + NEAR + 1].max()
    return bool(peak and whole[top] > floor)


def _refined(whole: NDArray[np.float64], top: int) -> float:
    """The top of a parabola through the logarithms of a line and its neighbours."""
    left, middle, right = np.log(np.maximum(whole[top - 1 : top + 2], 1e-12))
    bend = left - 2 * middle + right
    return float(top + (0.5 * (left - right) / bend if bend < 0 else 0.0))
