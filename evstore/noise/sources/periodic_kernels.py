"""Pixels that fire again and again, each with its own period and a jitter of each interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import BELL_LIMIT, bell, bits, unit
from evstore.noise.sources.packing_kernels import packed

TRIES = 64  # at an interval; each succeeds more often than not

_LOW32 = np.uint64(0xFFFFFFFF)


@kernel
def begin(seeds: tuple[int, int], jitter: float, period_us: Any, due: Any) -> None:
    """When each pixel fires first, of a process that has gone on for ever.

    Any time falls into a long interval rather than into a short one, by their lengths, and
    anywhere in it (Feller, "An Introduction to Probability Theory" II, 1971, section XI.4).
    """
    phase_seed, interval_seed = seeds
    longest = 1.0 + jitter * BELL_LIMIT
    due = due[: period_us.size]
    for i in range(period_us.size):
        length = 1.0
        for attempt in range(TRIES):
            number = TRIES * i + attempt
            length = 1.0 + jitter * bell(bits(interval_seed, number))
            if unit(bits(phase_seed, 2 * number + 1)) * longest <= length:
                break
        due[i] = unit(bits(phase_seed, 2 * TRIES * i)) * length * period_us[i]


@kernel
def find_due(due: Any, stop: float, which: Any) -> Any:
    """The pixels that fire before ``stop``, and how many."""
    count = np.int64(0)
    for i in range(due.size):
        which[count] = i
        count += np.int64(due[i] < stop)  # no branch: which it is cannot be guessed
    return count


@kernel
def fire(
    which: Any, found: int, base: float, stop: float, seeds: tuple[int, int], jitter: float,
    period_us: Any, due: Any, fired: Any, places: Any, prefers: Any, flip: int, keys: Any,
) -> Any:  # fmt: skip
    """Pack one event of each of the first ``found`` pixels in ``which``; those due again remain.

    ``due`` float64: when each fires next; ``fired`` int64: how often it did; ``which`` has room
    for one more. A pixel's random numbers are those of its own number: 2**40 events each, of
    up to 2**24 pixels. Gives how many fire once more before ``stop``.
    """
    interval_seed, flip_seed = seeds
    again = np.int64(0)
    for k in range(found):
        i = which[k]
        number = (np.uint64(i) << np.uint64(40)) + np.uint64(fired[i])
        p = prefers[i]
        if flip:
            p ^= np.uint8((bits(flip_seed, number) & _LOW32) < np.uint64(flip))
        keys[k] = packed(np.int64(due[i] - base), places[i], p)
        later = due[i] + period_us[i] * (1.0 + jitter * bell(bits(interval_seed, number)))
        due[i] = later
        fired[i] += 1
        which[again] = i
        again += np.int64(later < stop)
    return again
