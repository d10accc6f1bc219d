"""Arguments of transforms that make measured noise again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.unthinned import unthinned_hz, unthinned_mean, unthinned_spread

if TYPE_CHECKING:
    from evstore.noise.measuring.background import Background
    from evstore.noise.measuring.measurement import Measurement

MOST_OF_LEAK = 0.5  # of its interval
LEAST_BEYOND = 0.5  # of a sensor's pixels
MOST_OVER = 1e3  # a mean, the high end of a law
SAME, HALVINGS = 1e-9, 60
LEAST_HZ = 1.0  # of a hot pixel: one beside others may seem to have less than these


def hot_again(found: Measurement) -> dict[str, Any]:
    """As `evstore.noise.HotPixels` takes them, of one at least.

    Where there is a refractory time, the rates are those before it: of pixels that fire at random
    they are higher, of regular ones, whose intervals are longer than that, hardly.
    """
    on = found.hot_pixels["on_fraction"]
    rates, how = found.hot_pixels["rate_hz"], {}
    if found.refractory_us is not None:
        seen = np.array([0.0 if found.background is None else found.background.rate_hz])
        others = unthinned_hz(seen, found.refractory_us)
        if found.hot_jitter is None:
            rates = unthinned_hz(rates + seen, found.refractory_us) - others
        else:
            # Of the others, those are lost that come soon after a regular one; and those that come
            # soon before one take it away, so that they add nothing.
            alone = np.maximum(1 - 2 * rates * found.refractory_us / 1e6, 0)
            rates = rates + seen - others * alone
            how = {"periodic": True, "jitter": found.hot_jitter}
    low, high = between_hz(np.maximum(rates, LEAST_HZ))
    return {
        "count": int(rates.size),
        "low_hz": low,
        "high_hz": high,
        "bias": float(np.maximum(on, 1 - on).mean()),
        "on_fraction": float((on >= 0.5).mean()),
        **how,
    }


def between_hz(rates: NDArray[np.float64]) -> tuple[float, float]:
    """The ends between which logarithms lie uniformly whose rates have the mean of these.

    Most of a background's fastest pixels are near the least rate that is called hot: from there to
    the greatest of them the mean would be far higher. Of all ends that give the mean those are
    taken that have the median as well (of such a law, the geometric mean), as far as they lie
    between the least and the greatest rate.
    """
    least, most, mean = (float(of(rates)) for of in (np.min, np.max, np.mean))
    middle = math.exp(float(np.log(rates).mean()))

    def high_of(low: float) -> float:
        return _root(lambda high: _mean_between(low, high) - mean, mean, mean * MOST_OVER)

    def low_where(short: Callable[[float], float]) -> float:
        return _root(short, least, mean)

    # The higher the low end, the lower is the high one, and the nearer are both to the mean.
    low = max(
        low_where(lambda low: math.sqrt(low * high_of(low)) - middle),
        low_where(lambda low: _mean_between(low, most) - mean),
    )
    return low, max(low, high_of(low))


def _mean_between(low: float, high: float) -> float:
    """Of a law by which logarithms lie uniformly."""
    if high <= low * (1 + SAME):
        return (low + high) / 2
    return (high - low) / math.log(high / low)


def _root(grows: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that grows is 0; ``low`` where it is more there already, or ``high``."""
    if grows(low) >= 0:
        return low
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if grows(middle) < 0 else (low, middle)
    return high


def background_again(found: Measurement, background: Background) -> dict[str, dict[str, Any]]:
    """As `evstore.noise.BackgroundActivity` and `Leak` take them."""
    leak = found.leak_rate_hz or 0.0
    shot, on = background.rate_hz - leak, background.rate_hz * background.on_fraction - leak
    rate, spread = background.rate_hz, background.spread_decades
    limit = _limit(shot, spread, found.never_hot_hz, found)
    on_fraction = max(on, 0.0) / shot if shot > 0 else 0.5
    # Of leak alone the least interval is a part of its own, and no rest.
    if found.refractory_us is not None and leak * found.refractory_us / 1e6 < MOST_OF_LEAK:
        tau = found.refractory_us
        rate, spread = unthinned_spread(rate, spread, tau)
        most = float(unthinned_hz(np.array([found.never_hot_hz]), tau)[0])
        limit = _limit(rate, spread, most, found)
        if limit:
            rate = unthinned_mean(background.rate_hz, spread, tau, most)
        # Events of leak, far from each other, are lost after those of shot noise alone.
        leak = float(unthinned_hz(np.array([leak]), tau, np.array([shot]))[0])
        shot *= rate / background.rate_hz if background.rate_hz else 1.0
    again = {
        "BackgroundActivity": {
            "rate_hz": max(shot, 0.0),
            "spread_decades": spread,
            "on_fraction": on_fraction,
            **_bursts(background),
            **limit,
        }
    }
    if found.leak_rate_hz is not None:
        again["Leak"] = {"rate_hz": leak}
    return again


def _bursts(found: Background) -> dict[str, float]:
    if found.bursts is None:
        return {}
    return {
        "bursts": found.bursts.share,
        "burst_delay_us": min(max(found.bursts.delay_us, 1.0), 1e7),
        "burst_spread_decades": found.bursts.spread_decades,
        "burst_flip": found.bursts.flip,
    }


def _limit(
    rate_hz: float, decades: float, never_hot_hz: float, found: Measurement
) -> dict[str, float]:
    """Of a log-normal law the upper end, that of hot pixels: these are there already."""
    deviation = decades * math.log(10)
    if not rate_hz > 0 or not deviation > 0 or never_hot_hz < rate_hz:
        return {}
    far = (math.log(never_hot_hz / rate_hz) + deviation**2 / 2) / deviation
    beyond = math.erfc(far / math.sqrt(2)) / 2 * found.resolution[0] * found.resolution[1]
    return {"most_hz": never_hot_hz} if beyond >= LEAST_BEYOND else {}
