"""The extent of times, and surfaces of the time since."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from evstore.frames.histogram_kernels import RIGHT, fault, search
from evstore.jit import kernel

NOTHING = 1e-300  # less is 0: products of such numbers take a hundred times as long


@kernel
def extent(t: Any) -> Any:
    """The least and the greatest of one time or more."""
    least = t[0]
    greatest = t[0]
    for k in range(1, t.size):
        least = min(least, t[k])
        greatest = max(greatest, t[k])
    return least, greatest


@kernel
def steps_back(t: Any) -> Any:
    """Whether a time is before the one in front of it."""
    found = 0
    for k in range(1, t.size):
        found += t[k] < t[k - 1]
    return found > 0


@kernel
def decayed(state: Any, surface: Any, factor: float) -> None:
    """One interval later: what is far below any other number becomes 0, before it gets slow."""
    for i in range(state.size):
        value = state[i] * factor
        value = value if value > NOTHING else 0.0
        state[i] = value
        surface[i] = value


@kernel
def surfaces(
    t: Any, x: Any, y: Any, p: Any, stops: Any, state: Any, out: Any, width: int, height: int,
    duration: float, tau: float,
) -> Any:  # fmt: skip
    """A surface at each of ``stops``, of time-ordered events; RIGHT, or what is wrong with some.

    ``state`` holds 0 for each of (polarity, height, width), ``out`` so much for each surface. From
    one surface to the next all decays by one factor, but for the pixels that fired in between.
    """
    found = fault(x, y, p, width, height)
    if found != RIGHT:
        return found
    row = np.uint64(width)
    plane = np.uint64(width * height)
    factor = math.exp(-duration / tau)
    low = 0
    for n in range(stops.size):
        surface = out[n * state.size : (n + 1) * state.size]
        decayed(state, surface, factor)
        high = search(t, stops[n], low, t.size)
        for k in range(low, high):
            i = np.uint64(y[k]) * row + np.uint64(x[k]) + np.uint64(p[k]) * plane
            value = math.exp(-np.float64(np.uint64(stops[n]) - np.uint64(t[k])) / tau)
            state[i] = value
            surface[i] = value
        low = high
    return RIGHT
