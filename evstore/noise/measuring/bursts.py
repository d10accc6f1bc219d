"""Bursts: events that follow others of their pixel sooner than by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.cells import Cells
from evstore.noise.measuring.counting_kernels import LOWEST_OCTAVE, OCTAVES
from evstore.noise.measuring.slices import Slices

Floats = NDArray[np.float64]

LEAST_PART = 0.1  # of the time, in which it is quiet around a pixel
MORE, CHANCE = 1.15, 3.0  # times what is expected, and deviations of it
MANY = 100  # events that follow others, without which nothing is said
LEAST_SHARE = 0.02
SURE = 50.0  # twice the logarithm of how much likelier what is seen is with bursts
SOON = 0.25  # of the mean interval: what is regular comes later
STARTS_US = (500.0, 5_000.0, 50_000.0)
ROUNDS = 200
LOWEST_DEVIATION = 0.15  # octaves: below, bins of an octave tell nothing
SINGLE, HALVES = 8, 2  # pixels of so few events by their number, of more by half octaves of it


@dataclass(frozen=True)
class FoundBursts:
    """As `evstore.noise.BackgroundActivity` has them: ``share`` of the events follow others.

    After log-normal delays, ``delay_us`` their median, ``spread_decades`` the deviation of their
    common logarithm; ``flip`` of them change the polarity.
    """

    share: float
    delay_us: float
    spread_decades: float
    flip: float


class Fit(NamedTuple):
    """Followers among gaps, by group of pixels and octave, and how likely all gaps are so."""

    followers: Floats
    median: float  # octaves
    deviation: float
    likelihood: float


def still_pixels(
    cells: Cells, slices: Slices, duration_us: int, left_out: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Those of blocks that have no more events while they are not quiet than while they are.

    Pixels of noise know nothing of each other, so that one fires as often while those around do.
    Bursts make a block less quiet, but not that.
    """
    quiet = cells.state.on.astype(np.int64) + cells.state.off
    all_of_it = slices.totals()
    beyond = all_of_it[0] + all_of_it[1] - quiet
    exposed = cells.exposure_us()
    homes = cells.homes()
    told = ~left_out & (exposed >= LEAST_PART * duration_us)
    rates = np.divide(quiet, exposed, out=np.zeros(quiet.size), where=told)
    expected = np.bincount(
        homes[told], (rates * np.maximum(duration_us - exposed, 0))[told], cells.blocks
    )
    seen = np.bincount(homes[told], beyond[told], cells.blocks)
    still = seen <= MORE * expected + CHANCE * np.sqrt(expected)
    found: NDArray[np.bool_] = told & still[homes]
    return found


def bursts(cells: Cells, still: NDArray[np.bool_]) -> FoundBursts | None:
    """Of ``still`` pixels; None where there are none, or too few events to tell.

    Pixels with as many events each are looked at together, since of a pixel that fires at random
    the intervals are known of the number alone, whatever its rate: of m events in a time T one in
    ``(1 - u / T) ** m`` is longer than u. What is shorter than that is a mixture with a log-normal
    law of delays that all pixels share, fitted by expectation and maximisation (Dempster, Laird,
    Rubin, J. Royal Stat. Soc. B 39, 1977).
    """
    looked_us = cells.done * cells.cell_us
    chosen = still[:: 1 << cells.state.every]
    gaps = cells.gaps()[chosen]
    numbers = gaps.sum((1, 2), dtype=np.int64) + 1
    fired = cells.state.last[:: 1 << cells.state.every][chosen] >= 0
    total = int(numbers[fired].sum())
    which, sizes = _groups(numbers)
    if not which.any() or not looked_us:
        return None
    seen = np.zeros((sizes.size, OCTAVES, 2))
    np.add.at(seen, which[which > 0], gaps[which > 0])
    both = seen.sum(2)
    fits = [_fitted(both, sizes, looked_us, math.log2(start)) for start in STARTS_US]
    interval_us = float((both.sum(1) * looked_us / np.maximum(sizes, 1)).sum() / both.sum())
    soon = [fit for fit in fits if 2.0**fit.median <= SOON * interval_us]
    if not soon:
        return None
    best = max(soon, key=lambda fit: fit.likelihood)
    followers = best.followers.sum()
    chance = _likelihood(both, _by_chance(sizes, looked_us))
    if followers < max(MANY, LEAST_SHARE * total) or 2 * (best.likelihood - chance) < SURE:
        return None
    flipped = np.divide(seen[:, :, 1], both, out=np.zeros_like(both), where=both > 0)
    return FoundBursts(
        share=min(float(followers / total), 0.95),
        delay_us=2.0**best.median,
        spread_decades=min(best.deviation * math.log10(2), 2.0),
        flip=float((flipped * best.followers).sum() / followers),
    )


def _groups(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """The group of each pixel, 0 of those with one event, and the mean number of events in it."""
    octaves = np.log2(np.maximum(numbers, 1) / SINGLE)
    which = np.where(
        numbers <= SINGLE, numbers - 1, SINGLE - 1 + np.ceil(HALVES * octaves).astype(np.int64)
    )
    counts = np.maximum(np.bincount(which), 1)
    return which, np.bincount(which, numbers) / counts


def _by_chance(events: Floats, looked_us: int) -> Floats:
    """Shares of gaps by octave, of pixels that fire at random so many times."""
    edges = np.ldexp(1.0, np.arange(OCTAVES + 1) + LOWEST_OCTAVE)
    edges[0], edges[-1] = 0, looked_us
    part = np.minimum(edges / looked_us, 1)
    longer = (1 - part)[None, :] ** np.maximum(events, 2)[:, None]
    found: Floats = np.maximum(longer[:, :-1] - longer[:, 1:], 1e-12)
    return found


def _delays(median: float, deviation: float) -> Floats:
    edges = (np.arange(OCTAVES + 1) + LOWEST_OCTAVE - median) / (deviation * math.sqrt(2))
    below = np.array([0, *(0.5 + 0.5 * math.erf(edge) for edge in edges[1:-1]), 1])
    found: Floats = np.maximum(np.diff(below), 1e-12)
    return found


def _likelihood(seen: Floats, shares: Floats) -> float:
    return float((seen * np.log(shares)).sum())


def _fitted(seen: Floats, sizes: Floats, looked_us: int, start: float) -> Fit:
    median, deviation = start, 2.0
    totals = np.maximum(seen.sum(1, keepdims=True), 1)
    share = np.full((sizes.size, 1), 0.3)
    middles = np.arange(OCTAVES) + LOWEST_OCTAVE + 0.5
    for _ in range(ROUNDS):
        # Of the others, which are at random, each gap lies between two.
        others = 2 + np.maximum(sizes - 2, 0) * (1 - share[:, 0])
        soon = share * _delays(median, deviation)
        whole = soon + (1 - share) * _by_chance(others, looked_us)
        followers = seen * soon / whole
        share = np.clip(followers.sum(1, keepdims=True) / totals, 1e-6, 1 - 1e-6)
        weight = followers.sum(0)
        if weight.sum() < 1:
            break
        median = float((weight * middles).sum() / weight.sum())
        spread = float((weight * (middles - median) ** 2).sum() / weight.sum())
        deviation = math.sqrt(max(spread - 1 / 12, LOWEST_DEVIATION**2))
    return Fit(followers, median, deviation, _likelihood(seen, whole))
