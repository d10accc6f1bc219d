"""How wide to spread so that, rounded to whole steps, the deviation is the one asked for."""

from __future__ import annotations

import math
from functools import lru_cache

WIDE = 8.0  # from there on rounding adds a variance of 1/12, and nothing else that matters


@lru_cache(maxsize=256)
def scale_for(deviation: float) -> float:
    """What to multiply `bell` with before it is rounded to the nearest whole number.

    Of arithmetic that IEEE 754 rounds in one way only, so that it is the same everywhere.
    """
    if deviation <= 0:
        return 0.0
    wanted = deviation * deviation
    if deviation >= WIDE:
        return math.sqrt(wanted - 1.0 / 12.0)
    low, high = 0.0, deviation + 1.0
    for _ in range(80):
        middle = (low + high) / 2
        if _variance(middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def _variance(scale: float) -> float:
    """The variance of the whole number nearest to ``scale * bell``."""
    total, step = 0.0, 1
    while scale > 0:
        beyond = _beyond((step - 0.5) / scale)
        if beyond <= 0:
            break
        total += 2 * (2 * step - 1) * beyond
        step += 1
    return total


def _beyond(value: float) -> float:
    """How likely `bell` is greater than ``value``, which is at least 0.

    It is the sum of four even numbers: the law of Irwin and Hall.
    """
    rest = 2.0 - value / math.sqrt(3.0)  # of a sum of four in 0..1, whose deviation is 1 / sqrt(3)
    if rest <= 0:
        return 0.0
    less = max(0.0, rest - 1.0)
    return (rest * rest * rest * rest - 4.0 * less * less * less * less) / 24.0
