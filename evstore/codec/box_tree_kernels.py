"""The tree of boxes that holds events most cheaply: a box is halved where that saves bits.

Events come as sorted keys, whose bits say at which side of each cut they lie, and below PLACE_BITS
which event it is. Costs are in 1024ths of a bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import put_bits, put_golomb, zigzag
from evstore.codec.model_format import LOG2, MOST_LEAF_BITS
from evstore.codec.model_table_kernels import FIRST_CLASS, MOST_FORCED
from evstore.jit import kernel

U = np.uint64
PLACE_BITS = 16  # below each key: which event it is of
MOST_DIGIT = 11  # bits sorted by at once
FEW = 8  # events that are not worth a cut
BIT = 1024
LEAF_COST = 4 * BIT + BIT // 2  # of a class


@kernel
def log2_of(n: int) -> int:
    """1024 * log2(n)."""
    add = 0
    while n > 4096:
        n >>= 1
        add += BIT
    return int(LOG2[n]) + add


@kernel
def sort_keys(
    keys: NDArray[np.uint64], other: NDArray[np.uint64], bits: int, counts: NDArray[np.uint32]
) -> bool:
    """Sort by the low ``bits`` of the keys proper; True where the result is in ``other``."""
    n = keys.size
    digits = (bits + MOST_DIGIT - 1) // MOST_DIGIT
    width = (bits + digits - 1) // max(digits, 1)
    mask = U((1 << width) - 1)
    swapped = False
    for k in range(digits):
        starts = counts[: (1 << width) + 1]
        for i in range(starts.size):
            starts[i] = np.uint32(0)
        source, target = (other, keys) if swapped else (keys, other)
        s = U(k * width + PLACE_BITS)
        for i in range(n):
            starts[((source[i] >> s) & mask) + U(1)] += np.uint32(1)
        for i in range(1, starts.size):
            starts[i] += starts[i - 1]
        for i in range(n):
            digit = (source[i] >> s) & mask
            to = U(starts[digit])
            starts[digit] = np.uint32(to + U(1))
            target[to] = source[i]
        swapped = not swapped
    return swapped


@kernel
def first_behind(keys: NDArray[np.uint64], low: int, high: int, bit: np.uint64) -> int:
    """The first of the sorted keys ``low`` to ``high`` that has ``bit``, those above it equal."""
    left = U(high - low)
    at = U(low)
    while left > U(1):  # without a branch on the keys, which are as good as random
        half = left >> U(1)
        at += half * U((keys[at + half - U(1)] & bit) == U(0))
        left -= half
    return int(at + U((keys[at] & bit) == U(0)))


@kernel
def grow(
    keys: NDArray[np.uint64],
    low: int,
    high: int,
    bits: int,
    most_bits: int,
    few: int,
    nodes: NDArray[np.int32],
    costs: NDArray[np.int64],
) -> int:
    """All boxes worth a look at; ``nodes`` gets five numbers each. Returns how many.

    Boxes of ``few`` events are not; boxes of more than ``most_bits`` are always cut.

    low, high, bits left, and the two halves: a node, -2 where it is empty, -1 where there are none.
    """
    most = costs.size
    nodes[0], nodes[1], nodes[2] = low, high, bits
    used = 1
    i = 0
    while i < used:
        a, b, left = nodes[5 * i], nodes[5 * i + 1], nodes[5 * i + 2]
        nodes[5 * i + 3] = nodes[5 * i + 4] = -1
        if ((b - a > few and left > 0) or left > most_bits) and used + 2 <= most:
            middle = first_behind(keys, a, b, U(1) << U(left - 1 + PLACE_BITS))
            nodes[5 * i + 3] = nodes[5 * i + 4] = -2
            if middle > a:
                nodes[5 * i + 3] = used
                nodes[5 * used], nodes[5 * used + 1], nodes[5 * used + 2] = a, middle, left - 1
                used += 1
            if middle < b:
                nodes[5 * i + 4] = used
                nodes[5 * used], nodes[5 * used + 1], nodes[5 * used + 2] = middle, b, left - 1
                used += 1
        i += 1
    return used


@kernel
def prune(
    nodes: NDArray[np.int32],
    used: int,
    most_bits: int,
    bit: int,
    leaf: int,
    costs: NDArray[np.int64],
) -> int:
    """Take back the cuts that do not pay. Returns the cost of the whole tree.

    ``bit``: what one of the tree's own costs, ``leaf``: a leaf that is not empty.
    """
    total = log2_of(nodes[1] - nodes[0])
    for i in range(used - 1, -1, -1):
        n = nodes[5 * i + 1] - nodes[5 * i]
        left = nodes[5 * i + 2]
        cost = n * (total - log2_of(n) + left * BIT) + leaf + (bit if left > 0 else 0)
        one, two = nodes[5 * i + 3], nodes[5 * i + 4]
        if one != -1:
            # An empty half is a leaf, and says so.
            halves = bit
            halves += costs[one] if one >= 0 else 2 * bit
            halves += costs[two] if two >= 0 else 2 * bit
            if halves < cost or left > most_bits:
                cost = halves
            else:
                nodes[5 * i + 3] = -1
        costs[i] = cost
    return int(costs[0])


@kernel
def most_bits_of(x_bits: int, y_bits: int) -> int:
    """Of x and y together, in a leaf: since the longer side is cut first, a bound of both."""
    return min(x_bits, MOST_LEAF_BITS) + min(y_bits, MOST_LEAF_BITS)


@kernel
def collect(
    nodes: NDArray[np.int32],
    most_bits: int,
    left_of: NDArray[np.uint8],
    count_of: NDArray[np.uint32],
    stack: NDArray[np.int32],
) -> int:
    """The leaves in order: bits left and events, none where a half is empty. -1: too many."""
    leaves = 0
    stack[0], stack[1] = 0, nodes[2]
    size = 1
    while size > 0:
        size -= 1
        i, left = stack[2 * size], stack[2 * size + 1]
        cut = left > most_bits
        one = two = -2
        if i >= 0:
            one, two = nodes[5 * i + 3], nodes[5 * i + 4]
            cut = one != -1
        if cut:
            if 2 * size + 4 > stack.size:
                return -1
            stack[2 * size], stack[2 * size + 1] = two, left - 1
            stack[2 * size + 2], stack[2 * size + 3] = one, left - 1
            size += 2
            continue
        if leaves >= left_of.size:
            return -1
        left_of[leaves] = np.uint8(left)
        count_of[leaves] = np.uint32(nodes[5 * i + 1] - nodes[5 * i]) if i >= 0 else np.uint32(0)
        leaves += 1
    return leaves


@kernel
def write_leaves(
    words: NDArray[np.uint16],
    at: np.uint64,
    bits: int,
    most_bits: int,
    left_of: NDArray[np.uint8],
    classes: NDArray[np.uint8],
) -> np.uint64:
    """What read_leaves reads. Returns the bit behind."""
    shallowest = 0
    for i in range(left_of.size):
        shallowest = max(shallowest, int(left_of[i]))
    forced = min(bits - shallowest, MOST_FORCED)
    at = put_bits(words, at, U(forced), U(5))
    last = np.int64(FIRST_CLASS)
    # Bits of the cuts made on the way to the next leaf, as a number: 0 is the root.
    left = bits
    path = U(0)
    for i in range(left_of.size):
        while left > int(left_of[i]):
            if bits - left >= forced and left <= most_bits:
                at = put_bits(words, at, U(1), U(1))
            left -= 1
            path = path << U(1)
        if left > 0 and bits - left >= forced and left <= most_bits:
            at = put_bits(words, at, U(0), U(1))
        at = put_bits(words, at, U(classes[i] != 0), U(1))
        if classes[i] != 0:
            at = put_golomb(words, at, zigzag(np.int64(classes[i]) - last), U(1))
            last = np.int64(classes[i])
        # Up to the first node whose upper half is still to come.
        while path & U(1):
            path = path >> U(1)
            left += 1
        path |= U(1)
    return at
