"""What parts of a chunk cost: tokens, trees, polarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.box_tree_kernels import (
    BIT,
    FEW,
    LEAF_COST,
    PLACE_BITS,
    grow,
    log2_of,
    most_bits_of,
    prune,
    sort_keys,
)
from evstore.codec.cell_kernels import CONTEXTS, cells_of, contexts_of, forget
from evstore.codec.modelled_room import Workspace
from evstore.codec.modelled_shape_kernels import Shape
from evstore.codec.packed_encode_kernels import bit_length
from evstore.jit import kernel

U = np.uint64
LEAST_FEW = 6  # of a sample: what fewer say is mostly chance
TOKEN_COST = 6 * BIT  # of its class and place in the table
FITTING = BIT * 72 // 100  # by which counts of a sample know it too well, each


@kernel
def count_tokens(tokens: NDArray[np.uint16], counts: NDArray[np.uint32]) -> None:
    """How many events each token has."""
    for k in range(counts.size):
        counts[k] = np.uint32(0)
    for i in range(tokens.size):
        counts[tokens[i]] += np.uint32(1)


@kernel
def cost_of_counts(counts: NDArray[np.uint32], each: int) -> int:
    """Bits (in 1024ths) of symbols that are coded by these counts, and ``each`` that is there."""
    total = 0
    cost = 0
    for k in range(counts.size):
        n = int(counts[k])
        if n > 0:
            total += n
            cost += each - n * log2_of(n)
    return cost + total * log2_of(total) if total > 0 else 0


@kernel
def sort_bands(about: Shape, count: int, ws: Workspace) -> bool:
    """Sort the keys in ``ws``; True where they are in ``ws.other_keys`` then."""
    bits = int(about.key_bits) + bit_length(about.bands + U(about.near) - U(1))
    return sort_keys(ws.keys[:count], ws.other_keys[:count], bits, ws.digits)


@kernel
def band_stop(keys: NDArray[np.uint64], a: int, band: int, bits: int) -> int:
    """The first key behind a band that starts at ``a``."""
    limit = (U(band) + U(1)) << U(bits + PLACE_BITS)
    b = keys.size
    while a < b:
        m = (a + b) >> 1
        if keys[m] >= limit:
            b = m
        else:
            a = m + 1
    return a


@kernel
def bits_in_band(about: Shape, band: int) -> tuple[int, int]:
    """(bits of a key, bits of its minor coordinate) in a band; behind all bands are the near."""
    if about.near and band == int(about.bands):
        return int(about.minor_bits) + 1, int(about.minor_bits) + 1
    if about.steps:
        return int(about.minor_bits), int(about.minor_bits)
    return int(about.minor_bits + about.major_bits), int(about.minor_bits)


@kernel
def grow_band(
    about: Shape, keys: NDArray[np.uint64], a: int, b: int, band: int, share: int, ws: Workspace
) -> int:
    """The tree of the keys from ``a`` to ``b``, to ``ws.nodes``. Returns its cost.

    The keys are one in ``share`` of all: a leaf of so many fewer costs as much less, but fits them
    the better, by FITTING.
    """
    bits, side = bits_in_band(about, band)
    most = most_bits_of(side, bits - side)
    leaf = LEAF_COST // share + FITTING - FITTING // share
    used = grow(keys, a, b, bits, most, max(FEW // share, LEAST_FEW), ws.nodes, ws.costs)
    return prune(ws.nodes, used, most, BIT // share, leaf, ws.costs)


@kernel
def cost_of_mixture(wrong: int, count: int) -> int:
    """Bits (in 1024ths) of ``count`` bits of which ``wrong`` are set."""
    right = count - wrong
    cost = count * log2_of(count) if count else 0
    for n in (wrong, right):
        if n > 0:
            cost -= n * log2_of(n)
    return cost


@kernel
def predict(
    about: Shape,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    ws: Workspace,
) -> None:
    """Contexts of all events; ``ws.found``: what they predict, which are sure, how many events
    are, and the cost."""
    found = ws.found
    minor, major = (y, x) if about.swapped else (x, y)
    n = p.size
    for i in range(n):
        place, row = U(minor[i]) - about.low_minor, U(major[i]) - about.low_major
        ws.cells[i] = np.uint32(cells_of(place, row, about.minor_bits))
    forget(ws.cells[:n], ws.small, ws.large)
    contexts_of(ws.cells[:n], p, ws.small, ws.large, ws.contexts[:n])
    counts = ws.counts[: 2 * CONTEXTS]
    for k in range(2 * CONTEXTS):
        counts[k] = np.uint32(0)
    for i in range(n):
        counts[U(2) * U(ws.contexts[i]) + U(p[i])] += np.uint32(1)
    predicted = 0
    for c in range(CONTEXTS):
        predicted |= int(counts[2 * c + 1] > counts[2 * c]) << c
    found[3] = 1 << 60
    for shift in range(1, 7):
        sure = sure_events = sure_wrong = wrong = 0
        for c in range(CONTEXTS):
            total = int(counts[2 * c]) + int(counts[2 * c + 1])
            less = min(int(counts[2 * c]), int(counts[2 * c + 1]))
            if less << shift < total:
                sure |= 1 << c
                sure_events += total
                sure_wrong += less
            else:
                wrong += less
        cost = cost_of_mixture(sure_wrong, sure_events) + cost_of_mixture(wrong, n - sure_events)
        if cost < found[3]:
            found[0], found[1], found[2], found[3] = predicted, sure, sure_events, cost
