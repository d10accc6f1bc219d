"""Arrays of random numbers that are counted from a seed: for what is drawn once for a sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.noise import random_kernels as kernels


def words(seed: int, count: int) -> NDArray[np.uint64]:
    """``count`` times 64 random bits."""
    out = np.empty(count, np.uint64)
    kernels.random_words(seed, 0, out)
    return out


def units(seed: int, count: int) -> NDArray[np.float64]:
    """Uniform numbers of [0, 1), in steps of 2**-53."""
    return (words(seed, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bells(seed: int, count: int) -> NDArray[np.float64]:
    """Near to normally distributed numbers of mean 0 and deviation 1, bounded."""
    out = np.empty(count)
    kernels.random_bells(seed, 0, out)
    return out


def normals(seed: int, count: int) -> NDArray[np.float64]:
    """Normally distributed numbers of mean 0 and deviation 1."""
    values, out = np.empty(count), np.empty(count)
    kernels.normals(seed, 0, values, values.view(np.uint64), out)
    return out


def exponential(exponents: ArrayLike) -> NDArray[np.float64]:
    """e to these powers, each within -700 .. 700; the same on every machine."""
    given = np.ascontiguousarray(exponents, np.float64).reshape(-1)
    scale, out = np.empty_like(given), np.empty_like(given)
    kernels.powers(given, scale, scale.view(np.int64), out)
    return out


def logarithm(values: ArrayLike) -> NDArray[np.float64]:
    """The natural logarithms of positive numbers; the same on every machine."""
    given = np.ascontiguousarray(values, np.float64).reshape(-1)
    out = np.empty_like(given)
    kernels.logarithms(given, given.view(np.uint64), out)
    return out


def log_uniforms(seed: int, count: int, low: float, high: float) -> NDArray[np.float64]:
    """Numbers of low..high whose logarithms are uniform."""
    bottom, top = logarithm([low, high])
    return np.clip(exponential(bottom + (top - bottom) * units(seed, count)), low, high)


def log_normals(seed: int, count: int, decades: float) -> NDArray[np.float64]:
    """Numbers whose common logarithms are normal, of mean 0 and deviation ``decades``."""
    if not decades:
        return np.ones(count)
    return exponential(normals(seed, count) * (decades * 2.302585092994046))


def total(values: NDArray[np.float64]) -> float:
    """The sum, the same on every machine."""
    return float(kernels.add_up(values))


def scaled(values: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Positive numbers made to have this mean."""
    found: NDArray[np.float64] = values * (mean * values.size / total(values))
    return found
