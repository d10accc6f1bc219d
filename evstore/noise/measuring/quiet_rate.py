"""The rate of what never stops, from a histogram of counts most of which hold more than that."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring import quiet_rate_kernels as kernels

LOWEST = 0.15  # of the cells: so many hold nothing but noise, or it cannot be told
ROUNDS = 12


class QuietRates(NamedTuple):
    """By row: the mean of the counts that are noise alone, NaN where it cannot be told."""

    events: NDArray[np.float64]
    share: NDArray[np.float64]  # of the cells that hold noise alone


def quiet_rates(levels: NDArray[np.uint32]) -> QuietRates:
    """Fit the lower part of each histogram (rows; the last bin is what is beyond) by a Poisson law.

    From the lowest counts upward: the part that is fitted grows with the mean that is found, to
    just below it, where a signal adds least. Its mean given that it ends there settles the whole
    mean (truncated maximum likelihood).
    """
    counts = levels.astype(np.float64)
    total = counts.sum(1)
    below = np.cumsum(counts, 1)
    moment = np.cumsum(counts * np.arange(counts.shape[1]), 1)
    top = counts.shape[1] - 2
    end = np.argmax(below >= LOWEST * total[:, None], axis=1)  # the count that those lowest reach
    known = (total > 0) & (end < top)
    end = np.clip(end, 1, top)
    rows = np.arange(counts.shape[0])
    rate = np.zeros(counts.shape[0])
    for _ in range(ROUNDS):
        seen = below[rows, end]
        mean = np.divide(moment[rows, end], seen, out=np.zeros_like(seen), where=seen > 0)
        kernels.untruncated(mean, end, rate)
        wider = np.clip(np.floor(rate + 0.5), end, top).astype(np.int64)
        if np.array_equal(wider, end):
            break
        end = wider
    share = below[rows, end] / np.maximum(total, 1) / np.maximum(poisson_below(rate, end), 1e-300)
    return QuietRates(np.where(known, rate, np.nan), np.where(known, np.minimum(share, 1), np.nan))


def poisson_below(rate: NDArray[np.float64], end: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of a Poisson law's counts that are ``end`` or less; ``end`` is not below 0."""
    found = np.empty_like(rate)
    kernels.shares_below(rate, end, found)
    return found
