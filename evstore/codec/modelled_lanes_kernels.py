"""Events of codec 2 taken from its lanes, in plain: what vector_lanes leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import unzigzag
from evstore.codec.model_format import LANES, RAW_BITS
from evstore.codec.modelled_room import Room
from evstore.codec.rans_kernels import LEAST, refill, take_symbol
from evstore.codec.vector_lanes import take_nibble_steps, take_steps
from evstore.jit import kernel

U = np.uint64


class Model(NamedTuple):
    """What the steps need to know of the head."""

    steps: bool
    in_tokens: bool  # polarity
    near: bool
    token_bits: np.uint64
    leaf_bits: np.uint64
    shift: np.uint64  # of a band
    bands: np.uint64


@kernel
def take_pairs(
    states: NDArray[np.uint64],
    about: NDArray[np.uint64],
    lanes: np.uint64,
    words: NDArray[np.uint16],
    at: np.uint64,
    stop: np.uint64,
    raw: NDArray[np.uint64],
) -> np.uint64:
    """The raw bits of both numbers of each lane's entry, the second's from bit 16 on."""
    for lane in range(lanes):
        one, two = about[lane] & U(15), (about[lane] >> U(4)) & U(15)
        taken = one + two if one + two <= U(RAW_BITS) else one
        x = states[lane]
        v = x & ((U(1) << taken) - U(1))
        raw[lane] = (v & ((U(1) << one) - U(1))) | ((v >> one) << U(16))
        states[lane], at = refill(x >> taken, words, at, stop)
    for lane in range(lanes):
        one, two = about[lane] & U(15), (about[lane] >> U(4)) & U(15)
        if one + two > U(RAW_BITS):
            x = states[lane]
            raw[lane] |= (x & ((U(1) << two) - U(1))) << U(16)
            states[lane], at = refill(x >> two, words, at, stop)
    return at


@kernel
def take_events(
    model: Model,
    tokens: NDArray[np.uint64],
    leaves: NDArray[np.uint64],
    lanes: np.uint64,
    states: NDArray[np.uint64],
    sums: NDArray[np.uint64],
    before: NDArray[np.uint64],
    about: NDArray[np.uint64],
    raw: NDArray[np.uint64],
    words: NDArray[np.uint16],
    at: np.uint64,
    stop: np.uint64,
    times: NDArray[np.uint32],
    places: NDArray[np.uint32],
    first: np.uint64,
) -> np.uint64:
    """An event of each of the first lanes, to ``times`` and ``places`` from ``first`` on.

    ``sums`` and ``before`` are each lane's time and place so far. Returns the place behind.
    """
    for lane in range(lanes):
        context = (sums[lane] >> U(31)) << model.token_bits
        x, about[lane] = take_symbol(states[lane], tokens, context, model.token_bits)
        states[lane], at = refill(x, words, at, stop)
    at = take_pairs(states, about, lanes, words, at, stop, raw)
    for lane in range(lanes):
        e = about[lane]
        step = (e >> U(24)) + (raw[lane] >> U(16))
        p = (e >> U(23)) & U(1)
        near = model.near and step == U(0) and p == sums[lane] >> U(31)
        time = sums[lane] + ((e >> U(8)) & U(0x7FFF)) + (raw[lane] & U(0xFFFF))
        sums[lane] = (time & U(0x7FFFFFFF)) | (p << U(31))
        times[first + lane] = np.uint32(sums[lane])
        major = before[lane] >> U(16)
        if model.steps:
            major = (major + U(unzigzag(step))) & U(0xFFFF)
        band = min(major >> model.shift, model.bands - U(1)) if model.steps else U(0)
        if near:
            band = model.bands
        # What the leaf's numbers are added to.
        base = before[lane] & U(0xFFFF) if near else U(0)
        before[lane] = base | (major << U(16) if model.steps or near else U(0))
        x, about[lane] = take_symbol(states[lane], leaves, band << model.leaf_bits, model.leaf_bits)
        states[lane], at = refill(x, words, at, stop)
    at = take_pairs(states, about, lanes, words, at, stop, raw)
    for lane in range(lanes):
        e = about[lane]
        minor = (before[lane] + (e >> U(8)) + raw[lane]) & U(0xFFFF)
        major = (before[lane] >> U(16)) + (e >> U(24)) + (raw[lane] >> U(16))
        before[lane] = minor | ((major & U(0xFFFF)) << U(16))
        places[first + lane] = np.uint32(before[lane])
    return at


@kernel
def start_lanes(
    words: NDArray[np.uint16], at: np.uint64, start: np.uint64, lanes: NDArray[np.uint64]
) -> bool:
    """States from the payload, and nothing before; False where a state cannot be."""
    good = True
    for lane in range(U(LANES)):
        state = U(words[at + U(2) * lane]) | (U(words[at + U(2) * lane + U(1)]) << U(16))
        good &= state >= LEAST  # type: ignore[assignment]
        lanes[lane] = state
        lanes[U(LANES) + lane] = U(0)
        lanes[U(2 * LANES) + lane] = start << U(16)
    return good


@kernel
def take_all(
    model: Model,
    n: np.uint64,
    words: NDArray[np.uint16],
    place: np.uint64,
    stop: np.uint64,
    room: Room,
) -> np.uint64:
    """All events, to ``room.times`` and ``room.places``. Returns the place behind them."""
    lanes = room.lanes
    states, sums, before = lanes[:LANES], lanes[LANES : 2 * LANES], lanes[2 * LANES : 3 * LANES]
    about, raw = lanes[3 * LANES : 4 * LANES], lanes[4 * LANES : 5 * LANES]
    steps = n // U(LANES)
    done, place = take_steps(
        model.steps, model.near, model.token_bits, model.leaf_bits, model.shift, model.bands,
        room.tokens, room.leaves, lanes, steps, words, place, room.times, room.places,
    )  # fmt: skip
    for step in range(done, steps + U(1)):
        some = U(LANES) if step < steps else n % U(LANES)
        place = take_events(
            model, room.tokens, room.leaves, some, states, sums, before, about, raw,
            words, place, stop, room.times, room.places, step * U(LANES),
        )  # fmt: skip
    return place


@kernel
def take_nibbles(
    states: NDArray[np.uint64],
    table: NDArray[np.uint64],
    bits: np.uint64,
    count: np.uint64,
    words: NDArray[np.uint16],
    at: np.uint64,
    stop: np.uint64,
    out: NDArray[np.uint8],
    to: np.uint64,
) -> np.uint64:
    """``count`` symbols of four bits, two to a byte of ``out``: symbol i from lane i % 32."""
    done, at = take_nibble_steps(states, table, bits, count // U(LANES), words, at, out, to)
    for i in range(done * U(LANES), count):
        lane = i & U(LANES - 1)
        x, e = take_symbol(states[lane], table, U(0), bits)
        states[lane], at = refill(x, words, at, stop)
        v = (e >> U(8)) & U(15)
        k = to + (i >> U(1))
        out[k] = np.uint8(U(out[k]) | (v << U(4))) if i & U(1) else np.uint8(v)
    return at
