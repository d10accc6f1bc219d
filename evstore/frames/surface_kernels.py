"""Surfaces of the time since each pixel fired.

Of time-ordered events by bands of pixels, whose values stay in the cache from surface to surface.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from evstore.frames.band_kernels import (
    BAND,
    INTERVAL,
    NEXT,
    OPEN,
    TIME,
    WITHIN,
    WRONG,
    run_end,
    run_next,
    sort_round,
    take,
)
from evstore.frames.column_kernels import PIECE
from evstore.frames.histogram_kernels import RIGHT, fault, search
from evstore.frames.vector_decay import show_and_decay
from evstore.jit import kernel

FINE = 1024  # microseconds: ages below it have a table, and multiples of it another one
COARSE = 4096  # at most


class Decay(NamedTuple):
    """What `surfaces` works with."""

    state: Any  # float64: what OFF, then ON of each pixel, or band, is worth after an interval
    fine: Any  # float64
    coarse: Any
    tau: float
    stride: int  # from one band's values to the next; 0: there is one band's room


@kernel
def decay_tables(tau: float, fine: Any, coarse: Any) -> None:
    """``exp(-age / tau)`` is ``fine[age % FINE] * coarse[age // FINE]``."""
    for k in range(fine.size):
        fine[k] = math.exp(-k / tau)
    for k in range(coarse.size):
        coarse[k] = math.exp(-np.float64(k) * np.float64(FINE) / tau)


@kernel
def worth(age: Any, decay: Any) -> Any:
    """``exp(-age / tau)``."""
    if age < np.uint64(decay.coarse.size * FINE):
        return decay.fine[age % np.uint64(FINE)] * decay.coarse[age // np.uint64(FINE)]
    return math.exp(-np.float64(age) / decay.tau)


@kernel
def refresh(entries: Any, duration: int, decay: Any, state: Any) -> None:
    """What pixels that fire are worth at the end of an interval."""
    half = np.uint64(state.size // 2)
    for k in range(entries.size):
        entry = np.uint64(entries[k])
        age = np.uint64(duration) - (entry >> np.uint64(TIME))
        polarity = entry >> np.uint64(WITHIN) & np.uint64(1)
        state[(entry & np.uint64(BAND - 1)) + polarity * half] = worth(age, decay)


@kernel
def refresh_taken(n: int, stop: int, decay: Any, bands: Any, state: Any) -> None:
    """The same of events that `take` took: without entries, where there is one band."""
    some_t, some_p, places, made = bands.piece.t, bands.piece.p, bands.places, bands.made
    half = np.uint32(state.size // 2)
    for k in range(n):
        places[k] += np.uint32(some_p[k]) * half
        made[k] = np.uint64(stop) - np.uint64(some_t[k])
    for k in range(n):
        state[places[k]] = worth(made[k], decay)


@kernel
def show_both(state: Any, out: Any, low: int, high: int, factor: float) -> None:
    """Both polarities of a band's pixels ``low..high`` of one surface."""
    half, plane = state.size // 2, out.size // 2
    show_and_decay(state[: high - low], out[low:high], factor)
    show_and_decay(state[half : half + high - low], out[plane + low : plane + high], factor)


@kernel
def show_band(bands: Any, decay: Any, band: int, first: int, n: int, out: Any) -> None:
    """Write a round's surfaces of a band: those that are complete."""
    n_bands, plane = bands.n_bands, bands.width * bands.height
    low, high = band * BAND, min(band * BAND + BAND, plane)
    half = min(BAND, plane)
    state = decay.state[band * decay.stride :][: 2 * half]
    if decay.stride == 0:
        for k in range(state.size):
            state[k] = 0.0
    duration = bands.starts[1] - bands.starts[0]
    factor = math.exp(-np.float64(duration) / decay.tau)
    size = 2 * plane
    for b in range(first, min(first + n, bands.starts.size - 2)):
        i = bands.marks[(b - first) * n_bands + band]
        end = bands.marks[(b - first + 1) * n_bands + band]
        while i != end:
            stop = run_end(i, end)
            refresh(bands.entries[i:stop], duration, decay, state)
            i = run_next(bands, stop, end)
        if b < first + n - 1 or bands.state[OPEN] == 0:
            show_both(state, out[b * size : (b + 1) * size], low, high, factor)


@kernel
def surfaces_of_one(t: Any, x: Any, y: Any, p: Any, bands: Any, decay: Any, out: Any) -> Any:
    """As `surfaces`, where there is one band."""
    starts, plane = bands.starts, bands.width * bands.height
    duration = starts[1] - starts[0]
    factor = math.exp(-np.float64(duration) / decay.tau)
    state, size = decay.state, 2 * plane
    low, last = 0, starts[0]
    for b in range(starts.size - 1):
        high = search(t, starts[b + 1], low, t.size)
        while low < high:
            stop = min(low + PIECE, high)
            some_t, some_x, some_y, some_p = t[low:stop], x[low:stop], y[low:stop], p[low:stop]
            if not take(some_t, some_x, some_y, some_p, last, bands):
                return WRONG
            if b < starts.size - 2:
                refresh_taken(stop - low, starts[b + 1], decay, bands, state)
            low, last = stop, t[stop - 1]
        if last >= starts[b + 1]:
            return WRONG
        if b < starts.size - 2:
            show_both(state, out[b * size : (b + 1) * size], 0, plane, factor)
    return RIGHT if low == t.size else WRONG


@kernel
def surfaces(t: Any, x: Any, y: Any, p: Any, bands: Any, decay: Any, out: Any) -> Any:
    """A surface of each interval but the last; RIGHT, or WRONG, and then they are of no use.

    All intervals but the last one are of one length. ``out`` has a value for each pixel and
    polarity of each surface.
    """
    if bands.n_bands == 1:
        return surfaces_of_one(t, x, y, p, bands, decay, out)
    while bands.state[NEXT] < t.size:
        first = bands.state[INTERVAL]
        n = sort_round(t, x, y, p, bands)
        if n == WRONG:
            return WRONG
        for band in range(bands.n_bands):
            show_band(bands, decay, band, first, n, out)
    return RIGHT


@kernel
def refresh_plain(
    t: Any, x: Any, y: Any, p: Any, stop: int, decay: Any, width: int, height: int
) -> None:  # fmt: skip
    """What pixels that fire are worth at the end of an interval, all whose times are before it."""
    state = decay.state
    row = np.uint64(width)
    plane = np.uint64(width * height)
    for k in range(t.size):
        i = np.uint64(y[k]) * row + np.uint64(x[k]) + np.uint64(p[k]) * plane
        state[i] = worth(np.uint64(stop) - np.uint64(t[k]), decay)


@kernel
def surfaces_plain(
    t: Any, x: Any, y: Any, p: Any, stops: Any, decay: Any, out: Any, width: int, height: int,
    duration: float,
) -> Any:  # fmt: skip
    """A surface at each of ``stops``, however far apart; RIGHT, or what is wrong with some.

    ``out`` has as many values for each surface as the state. From one surface to
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
        refresh_plain(t[low:high], some_x, some_y, some_p, stops[n], decay, width, height)
        show_and_decay(decay.state, out[n * size : (n + 1) * size], factor)
        low = high
    return RIGHT
