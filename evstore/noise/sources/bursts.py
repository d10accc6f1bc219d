"""A source of events that come in bursts: each may be followed by another of its pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch, empty_batch, in_order, merged
from evstore.noise.random_kernels import powers
from evstore.noise.sources import bursts_kernels as kernels
from evstore.noise.sources.arrivals import Arrivals
from evstore.noise.sources.packing_kernels import MOST_TIME

PLACE_BITS = 33  # beside times of up to MOST_TIME
PLACES = 1 << PLACE_BITS
MOST_HELD = 1 << 27  # events, that are known before they are due


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

    def flips(self, on_fraction: float) -> tuple[int, int]:
        """Shares of 2**32, after OFF and after ON, that leave as many ON events as there are."""
        flip = min(self.flip, 2 * min(on_fraction, 1 - on_fraction))
        after = (flip / (2 * part) if part else 0.0 for part in (1 - on_fraction, on_fraction))
        off, on = (round(min(share, 1.0) * (1 << 32)) for share in after)
        return off, on


class Bursts:
    """Makes of Poisson ``arrivals`` of all events those that come in bursts.

    Of the arrivals a share is dropped, and followers of the others come instead. At the start
    there are as many as ever: each event that would follow another is given a delay, and dropped
    only if the other one came after the start. So nothing is made before it. (Hawkes and Oakes, "A
    cluster process representation of a self-exciting process", J. Appl. Prob. 11, 1974: a process
    of chains of events, each the last one's follower; a chain is cut by the start once.)
    """

    def __init__(
        self, arrivals: Arrivals, burst: Burst, on_fraction: float, seeds: tuple[int, int, int],
        start: int, total_hz: float,
    ) -> None:  # fmt: skip
        if burst.held(total_hz) > MOST_HELD:
            raise ArgumentError(
                f"{burst.held(total_hz):,.0f} events would be held until they are due, "
                f"{MOST_HELD:,} at most: lower rate_hz, bursts, burst_delay_us or "
                "burst_spread_decades"
            )
        self._arrivals = arrivals
        self._burst = burst
        self._flips = burst.flips(on_fraction)
        self._seeds = seeds
        self._start = start
        self._number = 0
        self._held = empty_batch()  # followers that are not due

    def until(self, stop: int) -> Batch:
        """Those before ``stop`` that were not given yet."""
        first = self._arrivals.until(stop)
        if first.size:
            counts = np.empty(first.size, np.int64)
            followers = self._followers(first, counts)
            # What was known before comes first at equal times: so cuts make no difference.
            self._held = merged(self._held, self._sorted(followers))
            self._number += first.size
            kept = kernels.keep_first(counts, first.t, first.x, first.y, first.p)
            first = first.at(slice(0, kept))
        cut = int(np.searchsorted(self._held.t, stop))
        due, self._held = self._held.at(slice(0, cut)), self._held.at(slice(cut, None))
        return merged(due, first)

    def _followers(self, first: Batch, counts: NDArray[np.int64]) -> Batch:
        own, before, chains = self._seeds
        share, number = round(self._burst.share * (1 << 32)), self._number
        delays = np.empty(first.size)
        kernels.deviations(before, number, self._burst.spread_decades, delays)
        total = kernels.count_followers(
            (own, chains), number, share, self._start, first.t, self._delays(delays), counts
        )
        out, delays = empty_batch(total), np.empty(total)
        kernels.follower_deviations(chains, number, self._burst.spread_decades, counts, delays)
        kernels.follow(
            chains, number, self._flips, counts, self._delays(delays),
            first.t, first.x, first.y, first.p, out.t, out.x, out.y, out.p,
        )  # fmt: skip
        if total:
            out.label.fill(first.label[0])
        return out

    def _sorted(self, batch: Batch) -> Batch:
        if not batch.size:
            return batch
        base = int(batch.t.min())
        most = int(batch.t.max()) - base
        if most > MOST_TIME or batch.size >= PLACES:
            return in_order(batch)
        # Times with places behind them sort faster than places by their times.
        keys = (batch.t - base).astype(np.uint64) << np.uint64(PLACE_BITS)
        keys |= np.arange(batch.size, dtype=np.uint64)
        keys.sort()
        return batch.at((keys & np.uint64(PLACES - 1)).astype(np.intp))

    def _delays(self, deviations: NDArray[np.float64]) -> NDArray[np.float64]:
        scale, out = np.empty_like(deviations), np.empty_like(deviations)
        powers(deviations, scale, scale.view(np.int64), out)
        return out * self._burst.delay_us
