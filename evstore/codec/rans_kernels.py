"""Asymmetric numeral systems (rANS, Duda 2013) in 32 lanes that share one stream of words.

A lane's state lies in 2**16 .. 2**32 - 1. Taking a symbol or raw bits from it makes it smaller;
where it falls below 2**16, the next word of the stream becomes its low half. Lanes take words in
their order, whatever they are for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.model_format import LANES, RAW_BITS
from evstore.jit import kernel

U = np.uint64
LEAST = U(1 << 16)


@kernel
def lane_start(lane: np.uint64, count: np.uint64) -> np.uint64:
    """The first event of a lane, of ``count`` in all: the first lanes have one more each."""
    return lane * (count // U(LANES)) + min(lane, count % U(LANES))


@kernel
def refill(
    x: np.uint64, words: NDArray[np.uint16], at: np.uint64, stop: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """(state, place): a word more where the state asks for one; behind the stop zeros are read."""
    if x < LEAST:
        x = x << U(16)
        if at < stop:
            x |= U(words[at])
        at += U(1)
    return x, at


@kernel
def take_symbol(
    x: np.uint64, table: NDArray[np.uint64], first: np.uint64, bits: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """(state, what the entry says from bit 24 on); 2**bits slots from ``first`` on."""
    e = table[first + (x & ((U(1) << bits) - U(1)))]
    x = ((e & U(0xFFF)) + U(1)) * (x >> bits) + ((e >> U(12)) & U(0xFFF))
    return x, e >> U(24)


@kernel
def make_room(
    x: np.uint64, over: np.uint64, words: NDArray[np.uint16], at: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """The inverse of refill: where ``over`` is not 0, the state's low half goes in front of ``at``.

    Written there in any case: whether it stays is as good as random, and a branch would cost more.
    """
    words[at - U(1)] = np.uint16(x & U(0xFFFF))
    moved = U(over != U(0))
    return x >> (moved << U(4)), at - moved


@kernel
def put_symbol(
    x: np.uint64,
    entry: np.uint32,
    bits: np.uint64,
    words: NDArray[np.uint16],
    at: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """The inverse of take_symbol and refill, of an encoder's entry; words go in front of ``at``."""
    slots = (U(entry) & U(0xFFF)) + U(1)
    x, at = make_room(x, U((x >> (U(32) - bits)) >= slots), words, at)
    whole = np.uint32(x) // np.uint32(slots)
    return (U(whole) << bits) + ((U(entry) >> U(12)) & U(0xFFF)) + x - U(whole) * slots, at


@kernel
def put_raw(
    x: np.uint64, value: np.uint64, bits: np.uint64, words: NDArray[np.uint16], at: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Put up to 16 bits."""
    x, at = make_room(x, x >> (U(32) - bits), words, at)
    return (x << bits) | value, at


@kernel
def put_pair(
    x: np.uint64,
    value: np.uint32,
    entry: np.uint32,
    second: bool,
    words: NDArray[np.uint16],
    at: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """The inverse of take_pairs of one lane, of its first part or the ``second``.

    ``value`` has both numbers, the second one above the first one's bits; ``entry`` says how many
    bits each has.
    """
    one, two = (U(entry) >> U(24)) & U(15), U(entry) >> U(28)
    if one + two <= U(RAW_BITS):
        if second:
            return x, at
        return put_raw(x, U(value), one + two, words, at)
    if second:
        return put_raw(x, U(value) >> one, two, words, at)
    return put_raw(x, U(value) & ((U(1) << one) - U(1)), one, words, at)
