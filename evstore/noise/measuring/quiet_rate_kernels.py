"""Poisson laws of which only the lower part is seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel

STEPS = 40  # of a bisection


@kernel
def untruncated(mean: Any, end: Any, out: Any) -> None:
    """By row the Poisson mean whose counts of ``end`` (>= 0) and fewer have this mean."""
    end, out = end[: mean.size], out[: mean.size]
    for row in range(mean.size):
        low, high = mean[row], max(3.0 * (end[row] + 1), mean[row] + 1.0)
        for _ in range(STEPS):
            middle = (low + high) / 2.0
            below, last = below_and_at(middle, end[row])
            if middle * (below - last) < mean[row] * below:
                low = middle
            else:
                high = middle
        out[row] = (low + high) / 2.0


@kernel
def shares_below(rate: Any, end: Any, out: Any) -> None:
    """By row the share of a Poisson law's counts that are ``end`` (>= 0) or less."""
    end, out = end[: rate.size], out[: rate.size]
    for row in range(rate.size):
        out[row], _ = below_and_at(rate[row], end[row])


@inlined
def below_and_at(rate: Any, end: Any) -> Any:
    """The share of counts that are ``end`` or less, and that of those which are ``end``."""
    term = np.exp(-rate)
    total = term
    for n in range(1, end + 1):
        term = np.divide(term * rate, n)
        total += term
    return total, term
