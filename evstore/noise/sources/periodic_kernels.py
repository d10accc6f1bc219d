"""Pixels that fire again and again, each with its own period and a jitter of each interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel
from evstore.noise.random_kernels import BELL_LIMIT, bell, bits, unit
from evstore.noise.sources.packing_kernels import packed

TRIES = 64  # at an interval; each succeeds more often than not

_LOW32 = np.uint64(0xFFFFFFFF)
_S24, _S36, _S40 = np.uint64(24), np.uint64(36), np.uint64(40)


@kernel
def begin(seeds: tuple[int, int], jitter: float, period_us: Any, due: Any, which: Any) -> None:
    """When each pixel fires first, of a process that has gone on for ever.

    Any time falls into a long interval rather than into a short one, by their lengths, and
    anywhere in it (Feller, "An Introduction to Probability Theory" II, 1971, section XI.4): lengths
    are tried until one is accepted. ``which`` has room for one more than there are pixels.
    """
    due = due[: period_us.size]
    for i in range(period_us.size):
        due[i] = try_length(seeds, jitter, i, 0, period_us[i])
    left = np.uint64(0)
    for i in range(period_us.size):
        which[left] = i
        left += np.uint64(due[i] < 0.0)
    attempt = 1
    while left:
        again = np.uint64(0)
        for k in range(left):
            pixel = np.uint64(which[k])
            time = try_length(seeds, jitter, pixel, attempt, period_us[pixel])
            due[pixel] = time
            which[again] = pixel
            again += np.uint64(time < 0.0)
        left = again
        attempt += 1


@inlined
def try_length(seeds: Any, jitter: Any, pixel: Any, attempt: Any, period: Any) -> Any:
    """When it fires first, or -1 where that length is not accepted."""
    phase_seed, interval_seed = seeds
    first = np.uint64(pixel) * np.uint64(TRIES)
    number = first + np.uint64(attempt)
    length = 1.0 + jitter * bell(bits(interval_seed, number))
    drawn = unit(bits(phase_seed, np.uint64(2) * number + np.uint64(1)))
    accepted = (drawn * (1.0 + jitter * BELL_LIMIT) <= length) | (attempt == TRIES - 1)
    time = unit(bits(phase_seed, np.uint64(2) * first)) * length * period
    return time if accepted else -1.0


@kernel
def find_due(due: Any, stop: float, which: Any) -> Any:
    """The pixels that fire before ``stop``, and how many."""
    count = np.int64(0)
    for i in range(due.size):
        which[count] = i
        count += np.int64(due[i] < stop)  # no branch: which it is cannot be guessed
    return count


@inlined
def number_of(pixel: Any, fired: Any) -> Any:
    """Of a pixel's random numbers, that of its event ``fired``.

    Each has its own: 2**40 of up to 2**24 pixels, 2**36 of up to 2**28.
    """
    i = np.uint64(pixel)
    return (i << _S40) + (i >> _S24 << _S36) + np.uint64(fired)


@kernel
def fire(
    which: Any, found: int, base: float, stop: float, seeds: tuple[int, int], jitter: float,
    period_us: Any, due: Any, fired: Any, places: Any, prefers: Any, flip: int, keys: Any,
) -> Any:  # fmt: skip
    """Pack one event of each of the first ``found`` pixels in ``which``; those due again remain.

    ``due`` float64: when each fires next; ``fired`` int64: how often it did; ``which`` has room
    for one more. Gives how many fire once more before ``stop``.
    """
    interval_seed, flip_seed = seeds
    again = np.int64(0)
    for k in range(found):
        i = which[k]
        number = number_of(i, fired[i])
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
