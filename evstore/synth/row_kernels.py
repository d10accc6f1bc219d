"""A readout of rows: all of a row's pixels that wait are read together."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.synth.arbiter_kernels import (
    NEXT,
    NOW,
    ORDERS,
    ROW,
    ROWS_WAITING,
    next_in_tree,
    next_row,
)
from evstore.synth.bit_kernels import exchanged, lowest_bit
from evstore.synth.scene_kernels import random_bits

NEVER = -(1 << 62)
WAITING = 1 << 62

# In which order a row's events come: from left to right; so, but OFF before ON; ON before OFF, and
# places as a tree of arbiters gives them.
BY_X, OFF_FIRST, TREE = range(3)

_ONE = np.uint64(1)
_POSITIVE = (1 << 62) - 1


@kernel
def read_out(
    crossings: Any,
    begin: int,
    duration: int,
    width: int,
    row_ns: int,
    refractory: int,
    seed: int,
    event_ns: int,
    levels: int,
    order: int,
    state: Any,
    free_at: Any,
    requests: Any,
    polarities: Any,
    waiting: Any,
    leftmost: Any,
    rightmost: Any,
    count: int,
    enough: int,
    out_t: Any,
    out_x: Any,
    out_y: Any,
    out_p: Any,
) -> Any:
    """Read rows one after the other until the step ends or ``enough`` events are out.

    Times are ns, what is written to ``out_t`` is us. The new count of events: below ``enough``,
    the step is over, and what still waits stays for the next one. A row takes ``row_ns``, and
    each of its events ``event_ns`` more. ``levels`` of a tree of arbiters, or 0 for the nearest
    row. One long loop, since a call with this many arrays costs as much as the rest.
    """
    words = (width + 63) >> 6
    now, taken, rows = state[NOW], state[NEXT], state[ROWS_WAITING]
    while count < enough:
        # Pixels ask to be read up to now, or, where none waits, up to the next that asks. One
        # that waits already, or is refractory, loses the crossing.
        while taken < crossings.size:
            crossing = crossings[taken]
            time = begin + ((duration * (crossing >> 33)) >> 16)
            if time > now and rows:
                break
            now = max(now, time)
            taken += 1
            y = (crossing >> 17) & 0xFFFF
            x = (crossing >> 1) & 0xFFFF
            if time >= free_at[y * width + x]:
                free_at[y * width + x] = WAITING
                w = y * words + (x >> 6)
                leftmost[y] = min(leftmost[y], w)
                rightmost[y] = max(rightmost[y], w)
                bit = _ONE << np.uint64(x & 63)
                requests[w] |= bit
                polarities[w] &= ~bit
                polarities[w] |= np.uint64(crossing & 1) << np.uint64(x & 63)
                bit = _ONE << np.uint64(y & 63)
                rows += (waiting[y >> 6] & bit) == 0
                waiting[y >> 6] |= bit
        if rows == 0 or now >= begin + duration:
            break
        state[ROWS_WAITING] = rows
        y = next_in_tree(waiting, state, seed, levels) if levels else next_row(waiting, state, seed)
        state[ROW] = y
        rows -= 1
        waiting[y >> 6] &= ~(_ONE << np.uint64(y & 63))
        t = now // 1000
        first, last, turned = leftmost[y], rightmost[y], 0
        if order == TREE:
            turned = random_bits(~seed & _POSITIVE, state[ORDERS]) & 127
            state[ORDERS] += 1
        for part in range(1 if order == BY_X else 2):
            for k in range(first, last + 1):
                w = first + last - k if turned & 64 else k
                word = requests[w]
                if order != BY_X:
                    word &= polarities[w] if (part == 0) == (order == TREE) else ~polarities[w]
                requests[w] ^= word
                if turned & 63:
                    word = exchanged(word, turned & 63)
                while word != 0:
                    place = lowest_bit(word)
                    word &= word - _ONE
                    place ^= turned & 63
                    x = ((w - y * words) << 6) + place
                    if event_ns:
                        now += event_ns
                        t = now // 1000
                    free_at[y * width + x] = t * 1000 + refractory
                    out_t[count] = t
                    out_x[count] = x
                    out_y[count] = y
                    out_p[count] = (polarities[w] >> np.uint64(place)) & _ONE
                    count += 1
        leftmost[y], rightmost[y] = requests.size, -1
        now += row_ns
    state[NOW], state[NEXT], state[ROWS_WAITING] = now, taken, rows
    return count
