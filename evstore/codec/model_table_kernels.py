"""Tables of slots from the classes that a payload holds. In bounds whatever that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import golomb, peek, unzigzag
from evstore.codec.frequency_kernels import MOST_CLASS, fill_slots, share_slots
from evstore.codec.model_format import (
    MOST_LEAF_BITS,
    MOST_LEAVES,
    NIBBLE_BITS,
    STEP_BASE,
    STEP_RAW,
    TIME_BASE,
    TIME_RAW,
)
from evstore.jit import kernel

U = np.uint64
FIRST_CLASS = 6  # what the first class is told by its distance from
BAD = U(1 << 40)  # a place behind every end
MOST_FORCED = 12  # levels split without a word: more could take long
DEEPEST = 40  # of the stack of nodes: more than bits of x and y


@kernel
def next_class(seen: np.uint64, last: np.uint64) -> tuple[np.uint64, np.uint64]:
    """(class, bits used) of what the bits ``seen`` begin with; 0 for a class that cannot be."""
    v, bits = golomb(seen, U(1))
    klass = U(np.int64(last) + unzigzag(v))
    return klass if klass <= U(MOST_CLASS) else U(0), bits


@kernel
def fill_table(
    table: NDArray[np.uint64], slots: NDArray[np.uint32], about: NDArray[np.uint64]
) -> None:
    """The entries of all symbols, one after the other."""
    to = U(0)
    for k in range(slots.size):
        n = U(slots[k])
        fill_slots(table[to : to + n], n, about[k])
        to += n


@kernel
def read_tokens(
    words: NDArray[np.uint16],
    at: np.uint64,
    stop: np.uint64,
    steps: np.uint64,
    polarities: np.uint64,
    bits: np.uint64,
    table: NDArray[np.uint64],
    classes: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    about: NDArray[np.uint64],
) -> np.uint64:
    """The table of 2**bits slots of (time bin, step bin, p) tokens; the bit behind, or BAD."""
    kinds = U(TIME_BASE.size) * steps * polarities
    count = peek(words, at, stop) & U(0xFFF)
    at += U(12)
    if count == U(0) and polarities > U(1):  # no event comes after one of this polarity
        fill_slots(table, U(1) << bits, U(0))
        return at
    k = U(0)
    last = U(FIRST_CLASS)
    if count > kinds:
        return BAD
    for i in range(count):
        gap, used = golomb(peek(words, at, stop), U(0))
        k += gap + U(i > 0)
        at += used
        last, used = next_class(peek(words, at, stop), last)
        at += used
        if k >= kinds or last == U(0):
            return BAD
        classes[i] = np.uint8(last)
        p = k & (polarities - U(1))
        bins = k >> (polarities - U(1))
        # Of 32 bits: a division of 64 takes several times as long.
        time = U(np.uint32(bins) // np.uint32(steps))
        step = bins - time * steps
        about[i] = TIME_RAW[time] | (STEP_RAW[step] << U(4)) | (STEP_BASE[step] << U(24))
        about[i] |= (TIME_BASE[time] | (p << U(15))) << U(8)
    if not share_slots(classes[:count], bits, slots[:count]):
        return BAD
    fill_table(table, slots[:count], about)
    return at


@kernel
def read_leaves(
    words: NDArray[np.uint16],
    at: np.uint64,
    stop: np.uint64,
    x_bits: np.uint64,
    y_bits: np.uint64,
    offset: np.uint64,
    bits: np.uint64,
    table: NDArray[np.uint64],
    classes: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    about: NDArray[np.uint64],
    stack: NDArray[np.uint64],
) -> np.uint64:
    """The table of 2**bits slots of the leaves of a tree; the bit behind it, or BAD.

    A node halves the longer side, x of equals. ``offset`` is taken from all x.
    """
    seen = peek(words, at, stop)
    forced = seen & U(31)
    leaves = 0
    at += U(5)
    if forced > U(MOST_FORCED):
        return BAD
    last = U(FIRST_CLASS)
    # x (17 bits), y at 20, remaining bits of x at 40 and of y at 48, depth at 56.
    stack[0] = (x_bits << U(40)) | (y_bits << U(48))
    size = 1
    while size > 0:
        size -= 1
        node = stack[size]
        x, y = node & U(0xFFFFF), (node >> U(20)) & U(0xFFFFF)
        rx, ry = (node >> U(40)) & U(0xFF), (node >> U(48)) & U(0xFF)
        depth = node >> U(56)
        seen = peek(words, at, stop)
        split = False
        if rx + ry > U(0):
            if depth < forced or rx > U(MOST_LEAF_BITS) or ry > U(MOST_LEAF_BITS):
                split = True
            else:
                split = (seen & U(1)) != U(0)
                at += U(1)
                seen = seen >> U(1)
        if split:
            if size + 2 > stack.size:
                return BAD
            depth = (depth + U(1)) << U(56)
            if rx >= ry:
                rest = ((rx - U(1)) << U(40)) | (ry << U(48)) | depth | (y << U(20))
                stack[size] = rest | (x + (U(1) << (rx - U(1))))
                stack[size + 1] = rest | x
            else:
                rest = (rx << U(40)) | ((ry - U(1)) << U(48)) | depth | x
                stack[size] = rest | ((y + (U(1) << (ry - U(1)))) << U(20))
                stack[size + 1] = rest | (y << U(20))
            size += 2
            continue
        at += U(1)
        if seen & U(1):
            if leaves >= MOST_LEAVES:
                return BAD
            last, used = next_class(seen >> U(1), last)
            at += used
            if last == U(0):
                return BAD
            classes[leaves] = np.uint8(last)
            v1 = (x - offset) & U(0xFFFF)
            about[leaves] = rx | (ry << U(4)) | (v1 << U(8)) | (y << U(24))
            leaves += 1
    if at > stop << U(4) or not share_slots(classes[:leaves], bits, slots[:leaves]):
        return BAD
    fill_table(table, slots[:leaves], about)
    return at


@kernel
def read_nibbles(
    words: NDArray[np.uint16],
    at: np.uint64,
    stop: np.uint64,
    table: NDArray[np.uint64],
    classes: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    about: NDArray[np.uint64],
) -> np.uint64:
    """The table of four bits of p each; the bit behind it, or BAD."""
    for k in range(U(16)):
        classes[k] = np.uint8(peek(words, at, stop) & U(31))
        about[k] = k << U(8)
        at += U(5)
    if not share_slots(classes[:16], U(NIBBLE_BITS), slots[:16]):
        return BAD
    fill_table(table, slots[:16], about)
    return at
