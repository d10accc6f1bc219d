"""Which of the rows that wait is read next."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bits
from evstore.synth.bit_kernels import highest_bit, lowest_bit
from evstore.synth.scene_kernels import random_bits

# Indices into the readout's state: the clock in ns, the next crossing to admit, the row read
# last, the arbiter's direction, how many rows wait, rows read so far, sweeps of the tree
# so far, orders of a row drawn so far.
NOW, NEXT, ROW, UPWARD, ROWS_WAITING, ROWS_READ, SWEEPS, ORDERS = range(8)
READOUT_STATE = 8

_ONE = np.uint64(1)
_ALL = np.uint64(2**64 - 1)


@kernel
def row_above(waiting: Any, row: int) -> Any:
    """The nearest waiting row after ``row``, or -1."""
    w = (row + 1) >> 6
    if w >= waiting.size:
        return -1
    word = waiting[w] >> np.uint64((row + 1) & 63) << np.uint64((row + 1) & 63)
    while word == 0:
        w += 1
        if w == waiting.size:
            return -1
        word = waiting[w]
    return (w << 6) + lowest_bit(word)


@kernel
def row_below(waiting: Any, row: int) -> Any:
    """The nearest waiting row before ``row``, or -1."""
    w = row >> 6
    word = waiting[w] & ((_ONE << np.uint64(row & 63)) - _ONE)
    while word == 0:
        w -= 1
        if w < 0:
            return -1
        word = waiting[w]
    return (w << 6) + highest_bit(word)


@kernel
def next_row(waiting: Any, state: Any, seed: int) -> Any:
    """Which waiting row the arbiter reads: the nearest one onward, turning round now and then."""
    state[ROWS_READ] += 1
    if random_bits(seed, state[ROWS_READ]) & 31 == 0:
        state[UPWARD] ^= 1
    row = state[ROW]
    for _ in range(2):
        found = row_above(waiting, row) if state[UPWARD] else row_below(waiting, row)
        if found >= 0:
            return found
        state[UPWARD] ^= 1
    return row


@kernel
def any_waits(waiting: Any, low: int, level: int) -> Any:
    """Whether any of the ``2 ** level`` rows from ``low`` on waits; they are a node of the tree."""
    w = low >> 6
    if w >= waiting.size:
        return False
    if level < 6:
        wanted = (_ALL >> np.uint64(64 - (1 << level))) << np.uint64(low & 63)
        return (waiting[w] & wanted) != 0
    found = waiting[w]
    for i in range(w + 1, min(w + (1 << (level - 6)), waiting.size)):
        found |= waiting[i]
    return found != 0


@kernel
def later_half_first(sweep: Any, level: int, node: int) -> Any:
    """1 where a node's upper half comes before its lower one in this sweep, else 0."""
    return np.int64((sweep >> np.uint64((7 * node + 11 * level) & 63)) & _ONE)


@kernel
def bits_of_sweep(seed: int, number: int) -> Any:
    """What settles the orders of a sweep's nodes."""
    return bits(seed, number)


@kernel
def next_in_tree(waiting: Any, state: Any, seed: int, levels: int) -> Any:
    """Which waiting row a tree of arbiters reads next.

    A sweep goes through the tree once: a node's one half, then its other, each once, in an order
    that another sweep has otherwise. So no row waits for longer than a sweep.
    """
    row = state[ROW]
    if state[ROWS_WAITING] == 1:
        return row_above(waiting, -1)
    sweep = bits_of_sweep(seed, state[SWEEPS])
    low, level = 0, 0
    while level < levels:
        node = row >> level
        if (node & 1) == later_half_first(sweep, level, node >> 1):
            low = (node ^ 1) << level
            if any_waits(waiting, low, level):
                break
        level += 1
    if level == levels:
        state[SWEEPS] += 1
        sweep = bits_of_sweep(seed, state[SWEEPS])
        low = 0
    while level > 0:
        level -= 1
        half = later_half_first(sweep, level, low >> (level + 1)) << level
        if not any_waits(waiting, low + half, level):
            half = (1 << level) - half
        low += half
    return low
