"""Asymmetric numeral systems (rANS, Duda 2013) in 32 lanes that share one stream of words.

A lane's state lies in 2**16 .. 2**32 - 1. Taking a symbol or raw bits from it makes it smaller;
where it falls below 2**16, the next word of the stream becomes its low half. Lanes take words in
their order, whatever they are for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.model_format import LANES
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
    x: np.uint64, limit: np.uint64, words: NDArray[np.uint16], at: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """The inverse of refill: where the state is not below ``limit``, its low half goes before."""
    if x >= limit:
        at -= U(1)
        words[at] = np.uint16(x & U(0xFFFF))
        x = x >> U(16)
    return x, at


@kernel
def put_symbol(
    x: np.uint64,
    slots: np.uint64,
    first: np.uint64,
    bits: np.uint64,
    words: NDArray[np.uint16],
    at: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """The inverse of take_symbol and refill; words go in front of ``at``."""
    x, at = make_room(x, slots << (U(32) - bits), words, at)
    whole = np.uint32(x) // np.uint32(slots)
    rest = x - U(whole) * slots
    return (U(whole) << bits) + first + rest, at


@kernel
def put_raw(
    x: np.uint64, value: np.uint64, bits: np.uint64, words: NDArray[np.uint16], at: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Put up to 16 bits."""
    x, at = make_room(x, U(1) << (U(32) - bits), words, at)
    return (x << bits) | value, at
