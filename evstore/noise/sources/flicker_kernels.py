"""Light that rises and falls again and again, and what pixels make of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bell, bits
from evstore.noise.sources.packing_kernels import packed

MOST_A_CYCLE = 64  # events of a pixel and polarity
FIRST_CYCLE = 1 << 20  # that is numbered 0: those before the start have numbers too

_S48 = np.uint64(48)
_LOW16, _S32 = np.uint64(0xFFFF), np.uint64(32)


@kernel
def flicker(
    cycle: int, begin: float, period: float, seeds: tuple[int, int], base: float, jitter: float,
    amounts: Any, lags: Any, places: Any, rises: Any, falls: Any, count: Any, keys: Any,
) -> Any:  # fmt: skip
    """Pack the events of one cycle that begins at ``begin``, after ``count`` keys.

    ``amounts`` float64: ON events of each pixel, as many OFF: the whole part always, one more with
    the probability of the rest. ``lags``: what each is late, in microseconds. ``rises``, ``falls``:
    for n events, from n * MOST_A_CYCLE on, when each comes, as a part of the cycle. Gives the new
    count; there is room for ``2 * (whole part + 1)`` keys a pixel. Times are at least ``base``.
    """
    amount_seed, jitter_seed = seeds
    for i in range(amounts.size):
        number = np.uint64(cycle + FIRST_CYCLE) * np.uint64(amounts.size) + np.uint64(i)
        word = bits(amount_seed, number)
        whole = np.int64(amounts[i])
        rest = np.int64((amounts[i] - whole) * 65536.0)
        late = begin + lags[i] - base
        for polarity in range(2):
            draw = np.int64((word >> (_S48 if polarity else _S32)) & _LOW16)
            n = whole + np.int64(draw < rest)
            when = rises if polarity else falls
            for k in range(whole + 1):  # one too many, perhaps: that it is cannot be guessed
                time = late + when[n * MOST_A_CYCLE + k] * period
                if jitter > 0.0:
                    own = (number * np.uint64(2) + np.uint64(polarity)) * np.uint64(MOST_A_CYCLE)
                    time += jitter * bell(bits(jitter_seed, own + np.uint64(k)))
                keys[count] = packed(np.int64(time), places[i], polarity)
                count += np.int64(k < n)
    return count
