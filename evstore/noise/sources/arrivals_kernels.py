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
from evstore.noise.random_kernels import bits, exponentials

PIECE = 512  # of arrivals whose gaps are made at a time
SHARE = 1 << 30

_S2, _S16, _S32 = np.uint64(2), np.uint64(16), np.uint64(32)
_LOW16, _LOW32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)
_ONE, _TWO = np.uint64(1), np.uint64(2)


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
    n_slots = np.uint64(slots.size // 3)
    count = 0
    while count < t.size:
        left = (stop - clock) * np.divide(1.0, mean_gap)
        size = np.int64(min(min(left + 4.0 * np.sqrt(left + 1.0) + 4.0, PIECE), t.size - count))
        exponentials(gap_seed, first + count, values[:size], as_bits[:size], gaps[:size])
        for k in range(size):
            later = clock + gaps[k] * mean_gap
            if later >= stop:
                return count, clock
            clock = later
            word = bits(place_seed, first + count)
            product = (word >> _S32) * n_slots
            slot = np.int64(product >> _S32)
            share = slots[3 * slot]
            other = ((product & _LOW32) >> _S2) >= np.uint64(share >> _S2)
            place = slots[3 * slot + 1 + np.int64(other)]
            prefers = (np.uint64(share) >> np.uint64(other)) & _ONE
            t[count] = base + np.int64(clock)
            x[count] = place & _LOW16
            y[count] = place >> _S16
            p[count] = prefers ^ np.uint64((word & _LOW32) < np.uint64(flip))
            count += 1
    return count, clock
