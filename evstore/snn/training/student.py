"""Mean, spread and interval of a few runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def summary_of(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation (n - 1) and the 95 % interval of the mean; None of a single value.

    The interval is mean +- t s / sqrt(n), t of Student's distribution ("Student" 1908, The probable
    error of a mean) with n - 1 degrees of freedom: it takes the values as normal.

    >>> found = summary_of([0.95, 0.96, 0.97])
    >>> round(found["mean"], 3), round(found["std"], 3), [round(x, 3) for x in found["interval_95"]]
    (0.96, 0.01, [0.935, 0.985])
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return {"n": n, "mean": mean, "std": None, "interval_95": None}
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = student_quantile(0.975, n - 1) * std / math.sqrt(n)
    return {"n": n, "mean": mean, "std": std, "interval_95": [mean - half, mean + half]}


def student_quantile(probability: float, degrees: int) -> float:
    """The t below which Student's distribution has so much (0.5 and more), by bisection.

    >>> round(student_quantile(0.975, 4), 4)
    2.7764
    """
    low, high = 0.0, 1.0
    while student_cdf(high, degrees) < probability:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if student_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return high


def student_cdf(t: float, degrees: int) -> float:
    """Student's distribution for whole degrees of freedom, t of 0 and more.

    The finite sums of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    >>> student_cdf(1.0, 1)
    0.75
    """
    angle = math.atan2(t, math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= (k - 1) / k * cosine**2
        total += term
    within = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return 0.5 + within / 2
