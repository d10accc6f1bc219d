"""Surrogate gradients of a spike by its membrane potential, those that sinabs has.

Which one is computed, the type of its parameters says when a kernel is compiled (`jit.by_type`).
float32 throughout, as torch computes them: equal to a few units in the last place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import by_type, kernel

F = np.float32
ONE, HALF, TWO, ZERO = F(1.0), F(0.5), F(2.0), F(0.0)
LEAST = F(-87.0)  # exp of less is no normal float32
LOG2E = F(1.44269504)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.12194440e-4)  # ln 2 in two parts: Cody and Waite
ROOT_TWO_PI = F(2.50662827)


class SingleExponential(NamedTuple):
    """``scale / (width theta) exp(-|v - theta| / (width theta))``: Shrestha and Orchard, 2018."""

    width: Any
    scale: Any


class PeriodicExponential(NamedTuple):
    """Repeated at each multiple of the threshold: Weidel and Sheik, 2021."""

    width: Any
    scale: Any


class Heaviside(NamedTuple):
    """``1 / theta`` from ``theta - window`` on."""

    window: Any


class Gaussian(NamedTuple):
    """A normal density of v - theta."""

    mu: Any
    sigma: Any
    scale: Any


class MultiGaussian(NamedTuple):
    """A normal density with negative flanks: Yin et al., 2021."""

    mu: Any
    sigma: Any
    height: Any
    flank: Any
    scale: Any


class Given(NamedTuple):
    """Computed before, by whatever function: there is nothing to compute."""

    nothing: Any


@kernel
def exponential(x: Any) -> Any:
    """exp of x <= 0, to one part in 10**7: a polynomial of the rest after powers of two.

    Without a branch, so that LLVM computes many at once.
    """
    x = x if x > LEAST else LEAST
    k = np.floor(x * LOG2E + HALF)
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    y = F(1.9875691500e-4)
    y = y * r + F(1.3981999507e-3)
    y = y * r + F(8.3334519073e-3)
    y = y * r + F(4.1665795894e-2)
    y = y * r + F(1.6666665459e-1)
    y = y * r + F(5.0000001201e-1)
    y = y * (r * r) + r + ONE
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return y * power


@kernel
def single_exponential(how: Any, v: Any, theta: Any, given: Any) -> Any:
    """Of `SingleExponential`."""
    narrow = np.divide(ONE, theta * how.width)
    return how.scale * narrow * exponential(-abs(v - theta) * narrow)


@kernel
def periodic_exponential(how: Any, v: Any, theta: Any, given: Any) -> Any:
    """Of `PeriodicExponential`."""
    phase = np.divide(v, theta) - HALF
    above = theta * (TWO * (phase - np.floor(phase)) - ONE)
    distance = above if v >= theta else v - theta
    return how.scale * exponential(np.divide(-abs(distance), how.width))


@kernel
def heaviside(how: Any, v: Any, theta: Any, given: Any) -> Any:
    """Of `Heaviside`."""
    return np.divide(ONE if v >= theta - how.window else ZERO, theta)


@kernel
def density(x: Any, mu: Any, sigma: Any) -> Any:
    """Of the normal distribution."""
    d = x - mu
    return np.divide(exponential(-np.divide(d * d, TWO * (sigma * sigma))), sigma * ROOT_TWO_PI)


@kernel
def gaussian(how: Any, v: Any, theta: Any, given: Any) -> Any:
    """Of `Gaussian`."""
    return density(v - theta, how.mu, how.sigma) * how.scale


@kernel
def multi_gaussian(how: Any, v: Any, theta: Any, given: Any) -> Any:
    """Of `MultiGaussian`."""
    x = v - theta
    wide = how.flank * how.sigma
    middle = (ONE + how.height) * density(x, how.mu, how.sigma)
    flanks = how.height * density(x, how.sigma, wide) + how.height * density(x, -how.sigma, wide)
    return (middle - flanks) * how.scale


@kernel
def given_before(how: Any, v: Any, theta: Any, given: Any) -> Any:
    """Of `Given`."""
    return given


#: ``surrogate(how, v, theta, given)``, by the type of ``how``.
SURROGATE = by_type(
    {
        SingleExponential: single_exponential,
        PeriodicExponential: periodic_exponential,
        Heaviside: heaviside,
        Gaussian: gaussian,
        MultiGaussian: multi_gaussian,
        Given: given_before,
    }
)
