"""Poisson processes of many pixels as one: times come in order, and each belongs to a pixel.

Independent Poisson processes together are one, of the sum of their rates, whose events belong to
each with its share of the rate (Kingman, "Poisson Processes", 1993, sections 2.2 and 2.3). So
nothing has to be sorted. The pixel is found in constant time by Walker's alias method (Vose, IEEE
Trans. Software Engineering 17(9), 1991): a slot holds one pixel's share and is filled up with
another's.

A slot is three uint32: ``share << 2 | other's polarity << 1 | own polarity``, the own place and the
other one, ``y << 16 | x``; the share in 1 / 2**30 of the slot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import exponentials, random_words

PIECE = 512  # of arrivals whose gaps are made at a time
SHARE = 1 << 30
INT64_HOLDS = 2.0**63  # what is less

_S2, _S16, _S32 = np.uint64(2), np.uint64(16), np.uint64(32)
_LOW16, _LOW32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)
_ONE, _THREE = np.uint64(1), np.uint64(3)


@kernel
def fill_slots(
    rates: Any, total: float, places: Any, prefers: Any,
    small: Any, large: Any, left: Any, slots: Any,
) -> None:  # fmt: skip
    """Share the slots among pixels of these rates, whose sum is ``total``; it is not 0.

    ``small``, ``large`` (int64) and ``left`` (float64) are as long as ``rates``.
    """
    n = rates.size
    n_small = n_large = 0
    for i in range(n):
        left[i] = np.divide(rates[i] * n, total)
        if left[i] < 1.0:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small and n_large:
        i = small[n_small - 1]
        n_small -= 1
        j = large[n_large - 1]
        _fill(i, j, left[i], places, prefers, slots)
        left[j] = (left[j] + left[i]) - 1.0
        if left[j] < 1.0:
            n_large -= 1
            small[n_small] = j
            n_small += 1
    for k in range(n_large):
        _fill(large[k], large[k], 1.0, places, prefers, slots)
    for k in range(n_small):  # what rounding has left
        _fill(small[k], small[k], 1.0, places, prefers, slots)


@kernel
def _fill(own: int, other: int, share: float, places: Any, prefers: Any, slots: Any) -> None:
    whole = np.int64(min(share * SHARE, SHARE - 1.0))
    slots[3 * own] = (whole << 2) | (np.int64(prefers[other]) << 1) | prefers[own]
    slots[3 * own + 1] = places[own]
    slots[3 * own + 2] = places[other]


@kernel
def arrive(
    seeds: tuple[int, int], first: int, clock: float, mean_gap: float, stop: float, base: int,
    slots: Any, flip: int, values: Any, as_bits: Any, gaps: Any,
    t: Any, x: Any, y: Any, p: Any,
) -> Any:  # fmt: skip
    """Arrivals ``first``, ``first + 1`` ... before ``stop``, as many as there is room for.

    The one before ``first`` was at ``clock``; times in microseconds since ``base``. ``flip``: the
    share of polarities that are not the preferred one, of 2**32. ``values`` and ``as_bits`` are
    the same memory, of `PIECE` numbers as ``gaps``. Gives how many there are and the last one's
    clock.
    """
    gap_seed, place_seed = seeds
    count = 0
    while count < t.size:
        left = max((stop - clock) * np.divide(1.0, mean_gap), 0.0)
        size = np.int64(min(min(left + 4.0 * np.sqrt(left + 1.0) + 4.0, PIECE), t.size - count))
        exponentials(gap_seed, first + count, values[:size], as_bits[:size], gaps[:size])
        come, clock = wait(gaps[:size], mean_gap, stop, clock, base, t[count:])
        random_words(place_seed, first + count, as_bits[:come])
        arrive_at(as_bits[:come], slots, flip, x[count:], y[count:], p[count:])
        count += come
        if come < size:
            break
    return count, clock


@kernel
def wait(gaps: Any, mean_gap: float, stop: float, clock: float, base: int, t: Any) -> Any:
    """When those before ``stop`` come; how many, and the last one's clock."""
    come = 0
    long = stop > INT64_HOLDS  # then clocks go up to 2**64
    while come < gaps.size:
        later = clock + gaps[come] * mean_gap
        if later >= stop:
            break
        clock = later
        t[come] = base + (np.int64(np.uint64(clock)) if long else np.int64(clock))
        come += 1
    return come, clock


@kernel
def arrive_at(words: Any, slots: Any, flip: int, x: Any, y: Any, p: Any) -> None:
    """Pixels and polarities of random words: a loop of its own, since memory is waited for."""
    n_slots = np.uint64(slots.size // 3)
    x, y, p = x[: words.size], y[: words.size], p[: words.size]
    for k in range(words.size):
        word = words[k]
        product = (word >> _S32) * n_slots
        slot = product >> _S32
        share = np.uint64(slots[_THREE * slot])
        other = np.uint64(((product & _LOW32) >> _S2) >= share >> _S2)
        place = slots[_THREE * slot + _ONE + other]
        prefers = (share >> other) & _ONE
        x[k] = place & _LOW16
        y[k] = place >> _S16
        p[k] = prefers ^ np.uint64((word & _LOW32) < np.uint64(flip))
