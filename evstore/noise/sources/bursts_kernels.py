"""Events that follow others of their pixel after a short time, and those again."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel
from evstore.noise.random_kernels import bell, bits, within

MOST = 4096  # that follow one event; of a share of 0.95 one chain in 10**91 would be longer
LN10 = 2.302585092994046
_LOW32, _S32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@inlined
def whole(delay: Any) -> Any:
    """A delay in whole microseconds; an event never comes with the one that it follows."""
    return max(np.int64(delay + 0.5), 1)


@kernel
def deviations(seed: int, first: int, decades: float, out: Any) -> None:
    """Natural logarithms of what delays are times their median, of events ``first`` on."""
    for i in range(out.size):
        out[i] = bell(bits(seed, first + i)) * (decades * LN10)


@kernel
def count_followers(
    seeds: tuple[int, int], first: int, share: int, start: int, t: Any, delays: Any, out: Any
) -> Any:
    """How many follow each event, in all; -1 of an event that is one of them itself.

    ``share`` is of 2**32; ``delays`` are those after which an event would follow another one. An
    event does if there is time for that since the start; else the other was before it.
    """
    own_seed, chain_seed = seeds
    total = 0
    for i in range(t.size):
        follows = (bits(own_seed, first + i) & _LOW32) < np.uint64(share)
        if follows and t[i] - whole(delays[i]) >= start:
            out[i] = -1
            continue
        chain = within(chain_seed, first + i)
        count = 0
        while count < MOST and (bits(chain, 2 * count) & _LOW32) < np.uint64(share):
            count += 1
        out[i] = count
        total += count
    return total


@kernel
def follower_deviations(chain_seed: int, first: int, decades: float, counts: Any, out: Any) -> None:
    """As `deviations`, of all followers of events ``first`` on."""
    done = 0
    for i in range(counts.size):
        chain = within(chain_seed, first + i)
        for n in range(counts[i]):
            out[done] = bell(bits(chain, 2 * n + 1)) * (decades * LN10)
            done += 1


@kernel
def follow(
    chain_seed: int, first: int, flips: tuple[int, int], counts: Any, delays: Any,
    t: Any, x: Any, y: Any, p: Any, out_t: Any, out_x: Any, out_y: Any, out_p: Any,
) -> None:  # fmt: skip
    """The followers, by the event that they follow; ``flips``, after OFF and ON, of 2**32."""
    done = 0
    for i in range(counts.size):
        chain = within(chain_seed, first + i)
        time, polarity = t[i], np.int64(p[i])
        for n in range(counts[i]):
            time += whole(delays[done])
            coin = bits(chain, 2 * n) >> _S32
            polarity ^= np.int64(coin < np.uint64(flips[1] if polarity else flips[0]))
            out_t[done], out_x[done], out_y[done], out_p[done] = time, x[i], y[i], polarity
            done += 1


@kernel
def keep_first(counts: Any, t: Any, x: Any, y: Any, p: Any) -> Any:
    """Move events that follow none, as `count_followers` says, to the front; how many."""
    kept = 0
    for i in range(counts.size):
        t[kept], x[kept], y[kept], p[kept] = t[i], x[i], y[i], p[i]
        kept += counts[i] >= 0
    return kept
