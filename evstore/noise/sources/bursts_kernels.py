"""Events that follow others of their pixel after a short time, and those again.

Loops of one thing each, over pieces that stay in the cache: all but two of them are vectorised.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bell, bits, logarithms, powers, unit

STEP = 512  # numbers at a time, in the first cache
LN10 = 2.302585092994046
_NONE, _ONE, _S32 = np.uint64(0), np.uint64(1), np.uint64(32)


class Room(NamedTuple):
    """Memory for `STEP` numbers at each of these; the second of a pair is the first's bits."""

    values: Any  # float64
    value_bits: Any  # uint64
    scale: Any  # float64
    scale_bits: Any  # int64
    results: Any  # float64


@kernel
def flag_before(t: Any, delays: Any, start: int, out: Any) -> None:
    """1 of an event that followed another one before the start."""
    delays, out = delays[: t.size], out[: t.size]
    for i in range(t.size):  # what lies before the start may be no int64
        out[i] = t[i] - start < delays[i]


@kernel
def count_followers(seed: int, first: int, by_log_share: float, room: Room, out: Any) -> Any:
    """How many follow each of the events ``first`` on, one after the other; gives their sum.

    ``by_log_share``: one by the logarithm of the share of events that are followed.
    """
    total = np.int64(0)
    for begin in range(0, out.size, STEP):
        counts = out[begin : begin + STEP]
        values, found = room.values[: counts.size], room.results[: counts.size]
        for i in range(counts.size):
            values[i] = unit(bits(seed, first + begin + i))
        logarithms(values, room.value_bits[: counts.size], found)
        for i in range(counts.size):
            count = np.int64(found[i] * by_log_share)
            counts[i] = count
            total += count
    return total


@kernel
def make_delays(
    seed: int, first: int, median_us: float, decades: float, room: Room, out: Any
) -> None:
    """Delays ``first`` on, in whole microseconds: no event comes with the one it follows."""
    for begin in range(0, out.size, STEP):
        delays = out[begin : begin + STEP]
        values, found = room.values[: delays.size], room.results[: delays.size]
        for i in range(delays.size):
            values[i] = bell(bits(seed, first + begin + i)) * (decades * LN10)
        powers(values, room.scale, room.scale_bits, found)
        for i in range(delays.size):
            delays[i] = max(np.int64(found[i] * median_us + 0.5), 1)


@kernel
def make_coins(seed: int, first: int, flips: tuple[int, int], out: Any) -> None:
    """Whether the polarity changes, of followers ``first`` on: in bit 0 from OFF, in bit 1 from ON.

    ``flips``, of 2**32.
    """
    for i in range(out.size):
        coin = bits(seed, first + i) >> _S32
        out[i] = np.uint64(coin < np.uint64(flips[0])) | np.uint64(coin < np.uint64(flips[1])) << 1


@kernel
def mark_chains(counts: Any, out: Any) -> None:
    """At the first follower of each event, 1 more than the event's number; elsewhere 0.

    ``out`` has room for one more than follow. Without a branch: what is written for an event that
    none follows is written over.
    """
    for i in range(out.size):
        out[i] = 0
    at = _NONE
    for i in range(counts.size):
        out[at] = i + 1
        at += np.uint64(counts[i])


@kernel
def follow(
    chains: Any, delays: Any, coins: Any, t: Any, x: Any, y: Any, p: Any,
    out_t: Any, out_x: Any, out_y: Any, out_p: Any,
) -> None:  # fmt: skip
    """The followers, by the event at the head of their chain."""
    delays, coins, chains = delays[: out_t.size], coins[: out_t.size], chains[: out_t.size]
    out_x, out_y, out_p = out_x[: out_t.size], out_y[: out_t.size], out_p[: out_t.size]
    head, time, polarity = _NONE, np.int64(0), _NONE
    for i in range(out_t.size):
        mark = np.uint64(chains[i])
        begins = mark != _NONE
        head = mark - _ONE if begins else head
        time = (t[head] if begins else time) + delays[i]
        polarity = np.uint64(p[head]) if begins else polarity
        polarity ^= (np.uint64(coins[i]) >> polarity) & _ONE
        out_t[i], out_x[i], out_y[i], out_p[i] = time, x[head], y[head], polarity
