"""Flicker in spectra: lines that stand out of what moves, and the blocks that show them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring import harmonics
from evstore.noise.measuring.coherence import steady
from evstore.noise.measuring.harmonics import HARMONICS, LEAST_PART, LOWEST_HZ, NEAR, STEP_HZ
from evstore.noise.measuring.series import BIN_US, BINS, Series
from evstore.noise.measuring.travelling import SURE as CERTAIN
from evstore.noise.measuring.travelling import travels

SAME_HZ = 0.5
FLOOR_HZ = 20.0  # the floor is the median over so much
#: Deviations of a normal law that chance does not reach, in a spectrum, a block.
SURE, OWN = 5.5, 4.5
WIDE = 12  # lines on either side, of which some are beside one
MOST_LIGHTS = 8
MOST_RATIO = 1e6  # of a block's highest line
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
        whole = _whole(about.ratio[free])
        top = harmonics.strongest(whole, _chance(about.windows * int(free.sum()), SURE))
        if top is None:
            return
        line = harmonics.fundamental(whole, _beyond(about, free & _has(about, top.line)), top)
        own = free & _shows(about, line)
        lit = np.zeros(series.blocks, np.bool_)
        lit[seen[own]] = True
        hz = line * STEP_HZ
        goes_on = steady(series, hz, lit)
        # Where a pattern is seen to move, less says that others do: blocks are few that are left.
        moves = goes_on and travels(series, hz, lit, 0.0 if moving else CERTAIN)
        if goes_on and not moves:
            line, moves = _slower(series, about, seen, line, own)
        moving |= moves
        yield _Light(line * STEP_HZ, lit, _coherent(about, line, own), goes_on, moves)
        free &= ~own
        if not goes_on or not free.any():
            return


def _slower(
    series: Series, about: _Power, seen: NDArray[np.intp], line: float, own: NDArray[np.bool_]
) -> tuple[float, bool]:
    """What light that goes on is a harmonic of, if that goes on as well, else itself.

    And whether that is no light, but moves: it may be seen in more blocks than a harmonic of it.
    """
    chance = _chance(about.windows * int(own.sum()), SURE)
    for low in harmonics.slower(_whole(about.ratio[own]), _beyond(about, own), line, chance):
        hz = low * STEP_HZ
        lit, wide = (np.zeros(series.blocks, np.bool_) for _ in range(2))
        lit[seen[own]] = True
        wide[seen[_has(about, round(low))]] = True
        if travels(series, hz, lit) or travels(series, hz, wide):
            return line, True
        if steady(series, hz, lit):
            return low, False
    return line, False


def _has(about: _Power, line: int) -> NDArray[np.bool_]:
    """Which blocks have a line; the one that has most of it, at least."""
    ratio = about.ratio[:, line]
    found: NDArray[np.bool_] = ratio >= min(_chance(about.windows, OWN), float(ratio.max()))
    return found


def _beyond(about: _Power, blocks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The power of some blocks beyond the floor, by line."""
    found: NDArray[np.float64] = np.maximum(about.own[blocks] - about.floor[blocks], 0.0).sum(0)
    return found


def _about(power: NDArray[np.float64], hot_hz: NDArray[np.float64], windows: float) -> _Power:
    most = (HOT_PART * hot_hz / (1e6 / BIN_US))[:, None] ** 2
    floor = _floor(power)
    return _Power(power, floor, np.maximum(power - most, floor) / floor, hot_hz > 0, windows)


def _whole(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """A block that flickers strongly says more than many; but none says all.

    Of such a block all lines are less by the same part, so that the highest stays that.
    """
    parts = MOST_RATIO / np.maximum(ratio.max(1), MOST_RATIO)
    found: NDArray[np.float64] = 1 + parts @ (ratio - 1) / len(ratio)
    return found


def _shows(about: _Power, line: float) -> NDArray[np.bool_]:
    """Which blocks have the line, or harmonics of it that are not those of a faster light.

    What is far below a block's strongest line may be a harmonic of that, beyond the spectrum's end
    and folded back.
    """
    top = about.ratio[:, harmonics.FIRST : harmonics.END].max(1)
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
