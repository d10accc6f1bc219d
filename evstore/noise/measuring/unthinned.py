"""Rates before a dead time, of those seen after it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Of the time, that a pixel rests at most: near to 1 its rate may be any.
MOST_RESTING = 0.95
NODES = 40  # of a log-normal law; its deviations that matter are less than as many
ROUNDS = 30
MOST_DECADES = 2.0


def unthinned_hz(seen_hz: Floats, period_us: float, after_hz: Floats | None = None) -> Floats:
    """What fires at random fired so often, if it rested for this time after each event.

    Dropped events do not make it rest longer (a dead time that is not paralysable): of n events a
    second it gives ``m = n / (1 + n tau)``, so that ``n = m / (1 - m tau)`` (Knoll, "Radiation
    Detection and Measurement", 4th ed. 2010, chapter 4, models for dead time behavior).
    ``after_hz``: what it rests after, unless that is all that is seen.
    """
    resting = (seen_hz if after_hz is None else after_hz) * (period_us / 1e6)
    found: Floats = seen_hz / (1 - np.minimum(resting, MOST_RESTING))
    return found


def _thinned_hz(rates_hz: Floats, period_us: float) -> Floats:
    found: Floats = rates_hz / (1 + rates_hz * period_us / 1e6)
    return found


def _nodes() -> tuple[Floats, Floats]:
    """Numbers that stand for a normal law, and the share of each."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


def unthinned_spread(seen_hz: float, decades: float, period_us: float) -> tuple[float, float]:
    """The mean and the spread of log-normal rates, of those of what pixels give after a rest.

    Fast pixels lose more than slow ones: both are sought for which the mean and the mean square
    of ``n / (1 + n tau)`` are those seen, by quadrature (Gauss and Hermite) and steps of both.
    """
    if not seen_hz > 0:
        return seen_hz, decades
    nodes, weights = _nodes()
    want = (decades * math.log(10)) ** 2  # the logarithm of the mean square over the squared mean
    mean, square = float(unthinned_hz(np.array([seen_hz]), period_us)[0]), want
    for _ in range(ROUNDS):
        rates = mean * np.exp(math.sqrt(square) * nodes - square / 2)
        given = _thinned_hz(rates, period_us)
        got = float(weights @ given)
        got_square = math.log(float(weights @ given**2) / got**2)
        mean *= seen_hz / got
        square = min(max(square + want - got_square, 0.0), (MOST_DECADES * math.log(10)) ** 2)
    return mean, math.sqrt(square) / math.log(10)


def unthinned_mean(seen_hz: float, decades: float, period_us: float, most_hz: float) -> float:
    """The same of rates before the rest that have this spread, but none more than ``most_hz``."""
    nodes, weights = _nodes()
    scale, law = seen_hz, np.exp(decades * math.log(10) * nodes)
    for _ in range(ROUNDS):
        rates = np.minimum(scale * law, most_hz)
        got = float(weights @ _thinned_hz(rates, period_us))
        scale *= seen_hz / got
    return float(weights @ np.minimum(scale * law, most_hz))
