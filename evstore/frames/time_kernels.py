"""The extent of times, and surfaces of the time since."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from evstore.codec.vector_copy import copy_past
from evstore.frames.histogram_kernels import RIGHT, fault, search
from evstore.jit import kernel

NOTHING = 1e-300  # less is 0: products of such numbers take a hundred times as long
FINE = 1024  # microseconds: ages below it have a table, and multiples of it another one
COARSE = 4096  # at most
PIECE = 1024  # values of a surface at once


class Decay(NamedTuple):
    """What `surfaces` works with."""

    state: Any  # float64: what each of (polarity, height, width) is worth at the end of an interval
    fine: Any  # float64
    coarse: Any
    piece: Any  # PIECE values of the result's dtype
    piece_bits: Any  # the same memory as integers
    tau: float


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
def decay_tables(tau: float, fine: Any, coarse: Any) -> None:
    """``exp(-age / tau)`` is ``fine[age % FINE] * coarse[age // FINE]``."""
    for k in range(fine.size):
        fine[k] = math.exp(-k / tau)
    for k in range(coarse.size):
        coarse[k] = math.exp(-np.float64(k) * np.float64(FINE) / tau)


@kernel
def refresh(
    t: Any, x: Any, y: Any, p: Any, stop: int, decay: Any, width: int, height: int
) -> None:  # fmt: skip
    """What pixels that fire are worth at the end of an interval, all whose times are before it."""
    state = decay.state
    row = np.uint64(width)
    plane = np.uint64(width * height)
    limit = np.uint64(decay.coarse.size * FINE)
    for k in range(t.size):
        i = np.uint64(y[k]) * row + np.uint64(x[k]) + np.uint64(p[k]) * plane
        age = np.uint64(stop) - np.uint64(t[k])
        if age < limit:
            value = decay.fine[age % np.uint64(FINE)] * decay.coarse[age // np.uint64(FINE)]
        else:
            value = math.exp(-np.float64(age) / decay.tau)
        state[i] = value


@kernel
def show(decay: Any, out: Any, factor: float) -> None:
    """The state as a surface, past the cache; then one interval on.

    What is far below any other number becomes 0, before arithmetic with it gets slow.
    """
    state = decay.state
    for start in range(0, state.size, PIECE):
        stop = min(start + PIECE, state.size)
        some = state[start:stop]
        piece = decay.piece[: stop - start]
        for k in range(some.size):
            value = some[k]
            piece[k] = value
            value *= factor
            some[k] = value if value > NOTHING else 0.0
        copy_past(decay.piece_bits, out[start:stop], np.uint64(stop - start))


@kernel
def surfaces(
    t: Any, x: Any, y: Any, p: Any, stops: Any, decay: Any, out: Any, width: int, height: int,
    duration: float,
) -> Any:  # fmt: skip
    """A surface at each of ``stops``, of time-ordered events; RIGHT, or what is wrong with some.

    ``out`` has the bits of so many values for each surface as the state has. From one surface to
    the next all decays by one factor, but for the pixels that fire in between.
    """
    found = fault(x, y, p, width, height)
    if found != RIGHT:
        return found
    factor = math.exp(-duration / decay.tau)
    size = decay.state.size
    low = 0
    for n in range(stops.size):
        high = search(t, stops[n], low, t.size)
        some_x, some_y, some_p = x[low:high], y[low:high], p[low:high]
        refresh(t[low:high], some_x, some_y, some_p, stops[n], decay, width, height)
        show(decay, out[n * size : (n + 1) * size], factor)
        low = high
    return RIGHT
