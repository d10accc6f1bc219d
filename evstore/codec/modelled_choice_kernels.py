"""Which form codes a chunk in the fewest bits: estimates from a sample of its events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.box_tree_kernels import BIT, PLACE_BITS
from evstore.codec.cell_kernels import cells_fit
from evstore.codec.model_format import NEAR, STEP_BIN, STEP_RAW, STEPS, SWAPPED, TOKENS
from evstore.codec.modelled_cost_kernels import (
    FITTING,
    TOKEN_COST,
    band_stop,
    cost_of_counts,
    grow_band,
    predict,
    sort_bands,
)
from evstore.codec.modelled_room import Workspace
from evstore.codec.modelled_shape_kernels import (
    IN_TOKENS,
    Shape,
    map_event,
    shape_of,
    step_event,
    step_token,
)
from evstore.jit import kernel

U = np.uint64
GOLDEN = U(0x9E3779B1)  # its multiples are spread evenly (Knuth's multiplicative hashing)
ANY = -1  # for the form: the best one
SAMPLE = 1536  # events looked at, at least
#: Forms tried beside those that find the major coordinate.
UNTOLD = np.array([STEPS, NEAR, 0], np.int64)


@kernel
def sample(
    about: Shape,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    share: int,
    ws: Workspace,
) -> tuple[int, np.uint64]:
    """(events looked at, raw bits of their steps); keys and counts of their tokens to ``ws``.

    One in ``share``, at an even chance each: sensors read out in groups of even size.
    """
    minor, major = (y, x) if about.swapped else (x, y)
    for k in range(ws.token_counts.size):
        ws.token_counts[k] = np.uint32(0)
    raw = U(0)
    count = U(x.size // share)
    for k in range(count):
        random = (k * GOLDEN) & U(0xFFFFFFFF)
        i = k * U(share) + (random * U(share) >> U(32))
        before = i - U(i > U(0))
        place, now = U(minor[i]) - about.low_minor, U(major[i]) - about.low_major
        column, row = U(minor[before]) - about.low_minor, U(major[before]) - about.low_major
        if about.steps:
            v = polarity = U(0)
            if about.in_tokens:
                v, polarity = U(p[i]), U(p[before])
            step, key = step_event(about, place, now, v, column, row, polarity)
            step_bin = U(STEP_BIN[step])
            token = step_token(about, U(ws.time_bins[i]), step_bin, v, polarity)
            raw += STEP_RAW[step_bin]
        else:
            other, key = map_event(about, place, now, column, row)
            token = U(ws.time_bins[i]) * U(2) + other
        ws.token_counts[token] += np.uint32(1)
        ws.keys[k] = key << U(PLACE_BITS)
    return int(count), raw


@kernel
def estimate(
    form: int,
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    ws: Workspace,
) -> int:
    """Bits (in 1024ths) of a chunk in this form: what differs from form to form, but for cells."""
    about = shape_of(form, extents, x, y)
    share = max(x.size // SAMPLE, 1)
    count, raw = sample(about, x, y, p, share, ws)
    cost = int(raw) * BIT
    each = TOKEN_COST // share + FITTING - FITTING // share
    for k in range(2 if about.in_tokens else 1):
        cost += cost_of_counts(ws.token_counts[k * TOKENS : (k + 1) * TOKENS], each)
    bands = int(about.bands) + int(about.near)
    key_bits = int(about.key_bits)
    moved = sort_bands(about, count, ws)
    keys = ws.other_keys[:count] if moved else ws.keys[:count]
    a = 0
    for band in range(bands):
        b = band_stop(keys, a, band, key_bits)
        if b > a:
            cost += grow_band(about, keys, a, b, band, share, ws)
        a = b
    return cost * share


@kernel
def choose(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    told: bool,
    ws: Workspace,
) -> int:
    """The cheapest form, as shape_of takes it; ``ws.found`` says what cells cost where ``told``.

    Which coordinate is the major one is found by one form of each: where that is not clear, it
    matters little.
    """
    form = STEPS | NEAR
    best = estimate(form, extents, x, y, p, ws)
    other = estimate(form | SWAPPED, extents, x, y, p, ws)
    if other < best:
        form, best = form | SWAPPED, other
    swapped = form & SWAPPED
    by_steps = best
    for k in range(UNTOLD.size):
        tried = int(UNTOLD[k]) | swapped
        cost = estimate(tried, extents, x, y, p, ws)
        if cost < best:
            form, best = tried, cost
        if tried & STEPS:
            by_steps = min(by_steps, cost)
    if told and by_steps < best + int(ws.found[3]):
        best += int(ws.found[3])
        for near in (0, NEAR):
            tried = STEPS | IN_TOKENS | near | swapped
            cost = estimate(tried, extents, x, y, p, ws)
            if cost < best:
                form, best = tried, cost
    return form


@kernel
def decide(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    told: bool,
    form: int,
    ws: Workspace,
) -> Shape:
    """The shape of a chunk in a form, the best one where that is ANY.

    Where cells tell the polarity, ``ws`` has what they predict.
    """
    about = shape_of(0, extents, x, y)
    if told:
        predict(about, x, y, p, ws)
    if form == ANY:
        form = choose(x, y, p, extents, told, ws)
    about = shape_of(form if told else form & ~IN_TOKENS, extents, x, y)
    if (
        told
        and about.swapped
        and not about.in_tokens
        and not cells_fit(about.minor_bits, about.major_bits)
    ):
        predict(about, x, y, p, ws)
    return about
