"""Light that rises and falls again and again, and what pixels make of it.

How many events each pixel of a block makes comes first, then the first event of each that makes
any, then the second: so that all are made by vector operations, and none in vain.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bell, bits
from evstore.noise.sources.packing_kernels import packed
from evstore.noise.vector_kept import move_kept

MOST_A_CYCLE = 64  # events of a pixel and polarity
FIRST_CYCLE = 1 << 20  # that is numbered 0: those before the start have numbers too
BLOCK = 1024  # pixels

_LOW32, _S32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_MOST, _BOTH = np.uint64(MOST_A_CYCLE), np.uint64(2 * MOST_A_CYCLE)


class Lamp(NamedTuple):
    """What flickers, and how.

    ``amounts`` float64: ON events of each pixel in a cycle, as many OFF: the whole part always, one
    more with the probability of the rest, to 2**-32. ``lags``: what each is late, in microseconds;
    ``places``. ``rises``, ``falls``: for n events, from n * MOST_A_CYCLE on, when each comes, as a
    part of the cycle. ``period`` and ``jitter`` in microseconds.
    """

    amounts: Any
    lags: Any
    places: Any
    rises: Any
    falls: Any
    period: float
    jitter: float


class Room(NamedTuple):
    """For a block: which pixels (uint16), when (float64), how many events, and flags (uint8)."""

    which: Any
    times: Any
    off: Any
    on: Any
    flags: Any


@kernel
def flicker(
    cycle: int, begin: float, seeds: tuple[int, int], base: float, lamp: Lamp, room: Room,
    count: int, keys: Any,
) -> Any:  # fmt: skip
    """Pack the events of one cycle that begins at ``begin``, after ``count`` keys.

    Gives the new count; there is room for ``2 * (whole part + 1)`` keys a pixel. Times are at least
    ``base``.
    """
    amount_seed, jitter_seed = seeds
    amounts = lamp.amounts
    for i in range(0, amounts.size, BLOCK):
        some = amounts[i : i + BLOCK]
        first = np.uint64(cycle + FIRST_CYCLE) * np.uint64(amounts.size) + np.uint64(i)
        draw_numbers(amount_seed, first, some, room.off, room.on)
        for polarity in range(2):
            n = (room.on if polarity else room.off)[: some.size]
            when = lamp.rises if polarity else lamp.falls
            number = first * _BOTH + np.uint64(polarity) * _MOST
            left, k = begin_block(n, room.which, room.flags), 0
            while left:
                which, times, made = room.which[:left], room.times, keys[count:]
                find_times(
                    which, n[:left], (begin, base, lamp.period), lamp.lags[i:], when[k:], times
                )
                find_places(which, lamp.places[i:], polarity, made)
                add_times(which, number + np.uint64(k), jitter_seed, lamp.jitter, times, made)
                count += left
                k += 1
                left = keep_more(k, n[:left], which, room.flags[:left])
    return count


@kernel
def draw_numbers(seed: int, first: Any, amounts: Any, off: Any, on: Any) -> None:
    """How many OFF and ON events each pixel makes; ``first``: the first one's number."""
    off, on = off[: amounts.size], on[: amounts.size]
    for i in range(amounts.size):
        word = bits(seed, first + np.uint64(i))
        share = np.int64(amounts[i] * 4294967296.0 + 0.5)
        # A random part of one is added, and what is whole remains: one more, or not.
        off[i] = (share + np.int64(word & _LOW32)) >> 32
        on[i] = (share + np.int64(word >> _S32)) >> 32


@kernel
def begin_block(n: Any, which: Any, flags: Any) -> Any:
    """Which pixels make any events; their numbers of events come to the front."""
    which = which[: n.size]
    for i in range(n.size):
        which[i] = i
    return keep_more(0, n, which, flags[: n.size])


@kernel
def keep_more(k: int, n: Any, which: Any, flags: Any) -> Any:
    """Keep the pixels that make more than ``k`` events; how many there are."""
    for i in range(n.size):
        flags[i] = n[i] > k
    move_kept(flags, n, n)
    return move_kept(flags, which, which)


@kernel
def find_times(
    which: Any, n: Any, cycle: tuple[float, float, float], lags: Any, when: Any, times: Any
) -> None:
    """When the pixels would fire without jitter. Reading from anywhere takes a loop of its own."""
    begin, base, period = cycle
    n, times = n[: which.size], times[: which.size]
    for j in range(which.size):
        late = begin + lags[np.uint64(which[j])] - base
        times[j] = late + when[np.uint64(n[j]) * _MOST] * period


@kernel
def find_places(which: Any, places: Any, polarity: int, keys: Any) -> None:
    """Keys without their times."""
    keys = keys[: which.size]
    for j in range(which.size):
        keys[j] = packed(0, places[np.uint64(which[j])], polarity)


@kernel
def add_times(which: Any, number: Any, seed: int, jitter: float, times: Any, keys: Any) -> None:
    """The times, with jitter; ``number``: that of pixel 0."""
    times, keys = times[: which.size], keys[: which.size]
    for j in range(which.size):
        time = times[j] + jitter * bell(bits(seed, number + np.uint64(which[j]) * _BOTH))
        keys[j] |= packed(np.int64(time), 0, 0)
