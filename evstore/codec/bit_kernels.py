"""Numbers of few bits one after the other in 16-bit words, lowest bits first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.vector_encoding import lowest_bit
from evstore.jit import kernel

U = np.uint64


@kernel
def put_long(words: NDArray[np.uint16], at: int, value: np.uint64) -> None:
    """A number of 64 bits in four words, the least significant first."""
    for k in range(4):
        words[at + k] = np.uint16((value >> U(16 * k)) & U(0xFFFF))


@kernel
def long_at(words: NDArray[np.uint16], at: np.uint64) -> np.uint64:
    """The inverse of put_long."""
    value = U(0)
    for k in range(U(4)):
        value |= U(words[at + k]) << (U(16) * k)
    return value


@kernel
def put_bits(
    words: NDArray[np.uint16], at: np.uint64, value: np.uint64, bits: np.uint64
) -> np.uint64:
    """Put up to 32 bits at bit ``at`` of words that are 0 from there on. Returns the bit behind."""
    k = at >> U(4)
    v = value << (at & U(15))
    while v != U(0):
        words[k] = np.uint16(U(words[k]) | (v & U(0xFFFF)))
        v = v >> U(16)
        k += U(1)
    return at + bits


@kernel
def put_golomb(
    words: NDArray[np.uint16], at: np.uint64, value: np.uint64, low: np.uint64
) -> np.uint64:
    """Exp-Golomb: as many zeros as bits follow the leading one of value / 2**low + 1."""
    v = (value >> low) + U(1)
    length = U(0)
    while v >> (length + U(1)) != U(0):
        length += U(1)
    at = put_bits(words, at + length, U(1), U(1))
    at = put_bits(words, at, v & ((U(1) << length) - U(1)), length)
    return put_bits(words, at, value & ((U(1) << low) - U(1)), low)


@kernel
def peek(words: NDArray[np.uint16], at: np.uint64, stop: np.uint64) -> np.uint64:
    """At least 33 bits from bit ``at`` on; zeros from word ``stop`` on."""
    k = at >> U(4)
    if k + U(3) <= stop:
        v = U(words[k]) | (U(words[k + U(1)]) << U(16)) | (U(words[k + U(2)]) << U(32))
        return v >> (at & U(15))
    v = U(0)
    for i in range(U(3)):
        if k + i < stop:
            v |= U(words[k + i]) << (U(16) * i)
    return v >> (at & U(15))


@kernel
def golomb(seen: np.uint64, low: np.uint64) -> tuple[np.uint64, np.uint64]:
    """(value, bits) of the code that 33 bits begin with; at most 12 zeros, then wrong bits."""
    zeros = lowest_bit(seen | U(1 << 12))
    rest = seen >> (zeros + U(1))
    v = (U(1) << zeros) + (rest & ((U(1) << zeros) - U(1))) - U(1)
    rest = rest >> zeros
    return (v << low) | (rest & ((U(1) << low) - U(1))), U(2) * zeros + U(1) + low


@kernel
def zigzag(value: np.int64) -> np.uint64:
    """0, -1, 1, -2 ... become 0, 1, 2, 3 ..."""
    return (U(value) << U(1)) ^ U(value >> np.int64(63))


@kernel
def unzigzag(value: np.uint64) -> np.int64:
    """The inverse of zigzag."""
    return np.int64((value >> U(1)) ^ (U(0) - (value & U(1))))
