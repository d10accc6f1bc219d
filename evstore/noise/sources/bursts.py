"""A source of events that come in bursts: each may be followed by another of its pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, empty_batch, merged
from evstore.noise.changes.keep import flags, kept
from evstore.noise.changes.reorder import Reorder
from evstore.noise.random import logarithm
from evstore.noise.random_kernels import BELL_LIMIT
from evstore.noise.sources import bursts_kernels as kernels
from evstore.noise.sources.adding import check_held
from evstore.noise.sources.arrivals import Arrivals

PIECE = 32_768  # events at once: their followers stay in the cache


class Burst(NamedTuple):
    """A ``share`` of events follow another one, after log-normal delays; ``flip`` of them change.

    ``flip`` is that of followers whose polarity is not that of what they follow.
    """

    share: float
    delay_us: float  # the median
    spread_decades: float
    flip: float

    def held(self, total_hz: float) -> float:
        """Events, about, that are known before they are due."""
        mean_us = self.delay_us * math.exp((self.spread_decades * kernels.LN10) ** 2 / 2)
        return total_hz * self.share / (1 - self.share) * mean_us / 1e6

    @property
    def longest_us(self) -> int:
        """What no delay exceeds."""
        most = self.delay_us * math.exp(BELL_LIMIT * self.spread_decades * kernels.LN10)
        return math.ceil(most) + 1

    def flips(self, on_fraction: float) -> tuple[int, int]:
        """Shares of 2**32, after OFF and after ON, that leave as many ON events as there are."""
        flip = min(self.flip, 2 * min(on_fraction, 1 - on_fraction))
        after = (flip / (2 * part) if part else 0.0 for part in (1 - on_fraction, on_fraction))
        off, on = (round(min(share, 1.0) * (1 << 32)) for share in after)
        return off, on


class Seeds(NamedTuple):
    """Of what is drawn of events and of followers."""

    before: int  # after what delay an event follows one that may have come before the start
    counts: int  # how many follow it
    delays: int
    coins: int


class Bursts:
    """Events that come in bursts: Poisson ``arrivals`` that follow none, and their followers.

    At the start there are as many as ever: of ``led``, Poisson arrivals of events that follow
    another one, each is given a delay, and kept if the other one came before the start. So
    nothing is made before it. (Hawkes and Oakes, "A cluster process representation of a
    self-exciting process", J. Appl. Prob. 11, 1974: a process of chains of events, each the last
    one's follower; a chain is cut by the start once.)
    """

    def __init__(
        self, arrivals: Arrivals, led: Arrivals, burst: Burst, on_fraction: float, seeds: Seeds,
        start: int, total_hz: float,
    ) -> None:  # fmt: skip
        check_held(
            burst.held(total_hz), "lower rate_hz, bursts, burst_delay_us or burst_spread_decades"
        )
        self._arrivals = arrivals
        self._led = led
        self._burst = burst
        self._by_log_share = 1 / float(logarithm(burst.share)[0])
        self._flips = burst.flips(on_fraction)
        self._seeds = seeds
        self._start = start
        self._first = self._followed = self._drawn = 0
        self._order = Reorder(start)  # of followers
        values, scale, results = (np.empty(kernels.STEP) for _ in range(3))
        self._room = kernels.Room(
            values, values.view(np.uint64), scale, scale.view(np.int64), results
        )

    def until(self, stop: int) -> Batch:
        """Those before ``stop`` that were not given yet."""
        first = merged(self._arrivals.until(stop), self._led_from_before(stop))
        counts = np.empty(first.size, np.uint16)
        total = kernels.count_followers(
            self._seeds.counts, self._first, self._by_log_share, self._room, counts
        )
        self._first += first.size
        due = empty_batch(self._order.waiting + int(total))
        at = 0
        for begin in range(0, first.size, PIECE):
            piece = slice(begin, begin + PIECE)
            self._order.add(self._followers(first.at(piece), counts[piece]))
            if begin + PIECE < first.size and self._order.ripe:
                at += self._order.settle(int(first.t[begin + PIECE]), due.at(slice(at, None)))
        at += self._order.settle(stop, due.at(slice(at, None)))
        return merged(due.at(slice(0, at)), first)

    def _led_from_before(self, stop: int) -> Batch:
        """Events that follow one from before the start; none does once all delays are over."""
        led = self._led.until(min(stop, self._start + self._burst.longest_us))
        if not led.size:
            return led
        delays, before = np.empty_like(led.t), flags(led.size)
        self._make_delays(self._seeds.before, self._drawn, delays)
        self._drawn += led.size
        kernels.flag_before(led.t, delays, self._start, before)
        return kept(led, before)

    def _make_delays(self, seed: int, number: int, out: NDArray[np.int64]) -> None:
        burst = self._burst
        kernels.make_delays(seed, number, burst.delay_us, burst.spread_decades, self._room, out)

    def _followers(self, heads: Batch, counts: NDArray[np.uint16]) -> Batch:
        """Those of some events, in their order."""
        total = int(counts.sum(dtype=np.int64))
        out = empty_batch(total)
        if not total:
            return out
        delays, coins = np.empty(total, np.int64), np.empty(total, np.uint8)
        self._make_delays(self._seeds.delays, self._followed, delays)
        kernels.make_coins(self._seeds.coins, self._followed, self._flips, coins)
        self._followed += total
        chains = np.empty(total + 1, np.uint32)
        kernels.mark_chains(counts, chains)
        kernels.follow(chains, delays, coins, *heads[:4], *out[:4])
        out.label.fill(heads.label[0])
        return out
