"""The stream of codec 2: what its lanes take, put there in reverse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.model_format import (
    ESCAPE,
    LANES,
    NIBBLE_BITS,
    RAW_BITS,
    STEP_BASE,
    STEP_BIN,
    STEP_RAW,
    TIME_BASE,
    TIME_RAW,
)
from evstore.codec.modelled_room import Workspace
from evstore.codec.modelled_shape_kernels import Shape
from evstore.codec.rans_kernels import lane_start, put_raw, put_symbol
from evstore.jit import kernel

U = np.uint64


@kernel
def put_pair(
    states: NDArray[np.uint64],
    lane: int,
    one: np.uint64,
    one_bits: np.uint64,
    two: np.uint64,
    two_bits: np.uint64,
    second: bool,
    words: NDArray[np.uint16],
    at: np.uint64,
) -> np.uint64:
    """The inverse of take_pairs of one lane, of its first part or the ``second``."""
    if one_bits + two_bits <= U(RAW_BITS):
        if not second:
            states[lane], at = put_raw(
                states[lane], one | (two << one_bits), one_bits + two_bits, words, at
            )
    elif second:
        states[lane], at = put_raw(states[lane], two, two_bits, words, at)
    else:
        states[lane], at = put_raw(states[lane], one, one_bits, words, at)
    return at


@kernel
def leaf_sides(about: Shape, left: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Bits of the minor and the major coordinate in a box of both that has ``left`` bits."""
    a, b = about.minor_bits, about.major_bits
    both = min(a, b)
    if left > U(2) * both:
        return (left - both, both) if a > b else (both, left - both)
    return left >> U(1), (left + U(1)) >> U(1)


@kernel
def put_events(
    about: Shape,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    token_bits: np.uint64,
    slot_bits: np.uint64,
    at: np.uint64,
    ws: Workspace,
) -> np.uint64:
    """The stream of all events, the last first."""
    minor, major = (y, x) if about.swapped else (x, y)
    n = U(minor.size)
    steps, rest = minor.size // LANES, minor.size % LANES
    scratch = ws.fields  # of each lane: time, its bits, step, its bits, minor, bits, major, bits
    for step in range(steps if rest else steps - 1, -1, -1):
        lanes = rest if step == steps else LANES
        for lane in range(lanes):
            i = lane_start(U(lane), n) + U(step)
            k = 8 * lane
            b = ws.time_bins[i]
            scratch[k] = ws.gaps[i] - TIME_BASE[b] if b != ESCAPE else U(0)
            scratch[k + 1] = TIME_RAW[b]
            s = STEP_BIN[ws.steps[i]] if about.steps else U(0)
            scratch[k + 2] = U(ws.steps[i]) - STEP_BASE[s] if about.steps else U(0)
            scratch[k + 3] = STEP_RAW[s] if about.steps else U(0)
            left = U(ws.left[ws.leaves[i]])
            if about.steps or (about.near and ws.steps[i] == 0):
                scratch[k + 4], scratch[k + 5] = U(ws.raw[i]), left
                scratch[k + 6] = scratch[k + 7] = U(0)
            else:
                one, two = leaf_sides(about, left)
                scratch[k + 5], scratch[k + 7] = one, two
                scratch[k + 4] = (U(minor[i]) - about.low_minor) & ((U(1) << one) - U(1))
                scratch[k + 6] = (U(major[i]) - about.low_major) & ((U(1) << two) - U(1))
        at = put_pairs(ws.states, lanes, 4, scratch, ws.stream, at)
        for lane in range(lanes - 1, -1, -1):
            leaf = ws.leaves[lane_start(U(lane), n) + U(step)]
            ws.states[lane], at = put_symbol(
                ws.states[lane], U(ws.slots[leaf]), U(ws.firsts[leaf]), slot_bits, ws.stream, at
            )
        at = put_pairs(ws.states, lanes, 0, scratch, ws.stream, at)
        for lane in range(lanes - 1, -1, -1):
            token = ws.tokens[lane_start(U(lane), n) + U(step)]
            ws.states[lane], at = put_symbol(
                ws.states[lane],
                U(ws.token_slots[token]),
                U(ws.token_firsts[token]),
                token_bits,
                ws.stream,
                at,
            )
    return at


@kernel
def put_pairs(
    states: NDArray[np.uint64],
    lanes: int,
    first: int,
    fields: NDArray[np.uint64],
    words: NDArray[np.uint16],
    at: np.uint64,
) -> np.uint64:
    """The inverse of take_pairs."""
    for part in range(2):
        for lane in range(lanes - 1, -1, -1):
            k = 8 * lane + first
            at = put_pair(
                states, lane, fields[k], fields[k + 1], fields[k + 2], fields[k + 3],
                part == 0, words, at,
            )  # fmt: skip
    return at


@kernel
def put_nibbles(
    nibbles: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    firsts: NDArray[np.uint32],
    at: np.uint64,
    ws: Workspace,
) -> np.uint64:
    """The inverse of take_nibbles."""
    for i in range(nibbles.size - 1, -1, -1):
        lane = i % LANES
        v = nibbles[i]
        ws.states[lane], at = put_symbol(
            ws.states[lane], U(slots[v]), U(firsts[v]), U(NIBBLE_BITS), ws.stream, at
        )
    return at


@kernel
def gather_wrong(
    p: NDArray[np.uint8],
    predicted: np.uint64,
    sure: np.uint64,
    sure_from: np.uint64,
    nibbles: NDArray[np.uint8],
    contexts: NDArray[np.uint8],
) -> None:
    """Where predictions are wrong, four to a nibble: of events not sure, then of others."""
    n = p.size
    for k in range(nibbles.size):
        nibbles[k] = np.uint8(0)
    a = U(0)
    b = sure_from << U(2)
    for i in range(n):
        c = U(contexts[i])
        wrong = (U(p[i]) ^ (predicted >> c)) & U(1)
        s = (sure >> c) & U(1)
        k = b if s else a  # type: ignore[assignment]
        nibbles[k >> U(2)] |= np.uint8(wrong << (k & U(3)))
        b += s
        a += s ^ U(1)
