"""What each way to code a chunk costs, and which is the cheapest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.box_tree_kernels import BIT, grow, log2_of, most_bits_of, prune, sort_keys
from evstore.codec.cell_kernels import CONTEXTS, cells_of, contexts_of, forget
from evstore.codec.model_format import STEP_BIN, STEP_RAW, STEPS, TIME_RAW, TOKENS
from evstore.codec.modelled_room import Workspace
from evstore.codec.modelled_shape_kernels import IN_TOKENS, Shape, prepare, shape_of
from evstore.codec.packed_encode_kernels import bit_length
from evstore.jit import kernel

U = np.uint64
TOKEN_COST = 6 * BIT  # of its class and place in the table


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
def sorted_keys(
    found: int, bits: int, ws: Workspace
) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """The keys in order, and for each which of them it was."""
    swapped = sort_keys(
        ws.keys[:found], ws.order[:found], ws.other_keys[:found], ws.other_order[:found],
        bits, ws.digits,
    )  # fmt: skip
    if swapped:
        return ws.other_keys[:found], ws.other_order[:found]
    return ws.keys[:found], ws.order[:found]


@kernel
def band_stop(keys: NDArray[np.uint32], a: int, band: int, bits: int) -> int:
    """The first key behind a band that starts at ``a``."""
    limit = (U(band) + U(1)) << U(bits)
    b = keys.size
    while a < b:
        m = (a + b) >> 1
        if U(keys[m]) >= limit:
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
    about: Shape, keys: NDArray[np.uint32], a: int, b: int, band: int, ws: Workspace
) -> int:
    """The tree of the keys from ``a`` to ``b``, to ``ws.nodes``. Returns its cost."""
    bits, side = bits_in_band(about, band)
    most = most_bits_of(side, bits - side)
    used = grow(keys, a, b, bits, most, ws.nodes, ws.costs)
    return prune(ws.nodes, used, most, ws.costs)


@kernel
def cost_of(about: Shape, raw_times: int, count: int, ws: Workspace) -> int:
    """Bits (in 1024ths) of a chunk whose tokens and keys are in ``ws``; p only where in tokens."""
    cost = raw_times * BIT
    count_tokens(ws.tokens[:count], ws.token_counts)
    tables = 2 if about.in_tokens else 1
    for k in range(tables):
        cost += cost_of_counts(ws.token_counts[k * TOKENS : (k + 1) * TOKENS], TOKEN_COST)
    if about.steps:
        raw = U(0)
        for i in range(count):
            raw += STEP_RAW[STEP_BIN[ws.steps[i]]]
        cost += int(raw) * BIT
    bands = int(about.bands) + int(about.near)
    key_bits = int(about.key_bits)
    keys, _ = sorted_keys(count, key_bits + bit_length(U(bands - 1)), ws)
    a = 0
    for band in range(bands):
        b = band_stop(keys, a, band, key_bits)
        if b > a:
            cost += grow_band(about, keys, a, b, band, ws)
        a = b
    return cost


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
    forget(ws.small, ws.large)
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


@kernel
def choose(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    raw_times: int,
    told: bool,
    ws: Workspace,
) -> int:
    """The cheapest form by trial of each, as shape_of takes it."""
    best = np.int64(1) << 60
    found = 0
    for form in range(2 * IN_TOKENS):
        if form & IN_TOKENS and not (form & STEPS and told):
            continue
        about = shape_of(form, extents, x, y)
        prepare(about, x, y, p, ws)
        cost = cost_of(about, raw_times, x.size, ws)
        if told and not about.in_tokens:
            cost += ws.found[3]
        if cost < best:
            best = cost  # type: ignore[assignment]
            found = form
    return found


@kernel
def decide(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    told: bool,
    ws: Workspace,
) -> Shape:
    """The shape of a chunk, by ``ws.choice``; where that is -1 by trial, which is put there.

    Where cells tell the polarity, ``ws`` has what they predict.
    """
    tried = ws.choice[0] < 0
    if tried:
        if told:
            predict(shape_of(0, extents, x, y), x, y, p, ws)
        raw = U(0)
        for i in range(x.size):
            raw += TIME_RAW[ws.time_bins[i]]
        ws.choice[0] = choose(x, y, p, extents, int(raw), told, ws)
    form = int(ws.choice[0])
    about = shape_of(form if told else form & ~IN_TOKENS, extents, x, y)
    # A trial has left the predictions of cells that are not swapped.
    if told and not about.in_tokens and (about.swapped or not tried):
        predict(about, x, y, p, ws)
    return about
