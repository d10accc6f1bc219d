"""Decoding codec 2, `modelled`: the inverse of modelled_encode_kernels.

In bounds for any payload.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import long_at, peek, unzigzag
from evstore.codec.cell_kernels import cells_of, forget, tell_polarity
from evstore.codec.frequency_kernels import fill_slots
from evstore.codec.model_format import (
    BANDS,
    EXCEPTION_WORDS,
    EXCEPTIONS,
    FORM,
    HEAD,
    LANES,
    LOW_MAJOR,
    LOW_MINOR,
    MOST_BANDS,
    MOST_EVENTS,
    NEAR,
    NIBBLE_BITS,
    P_AT,
    P_CELLS,
    P_TOKENS,
    PREDICTED,
    RAW_BITS,
    SIDES,
    SLOTS,
    START,
    STATE_WORDS,
    STEP_BINS,
    STEPS,
    SURE,
    SURE_EVENTS,
    SWAPPED,
    T0,
    TABLE_WORDS,
    TOKEN_BITS,
    UNIT,
)
from evstore.codec.model_table_kernels import BAD, read_leaves, read_nibbles, read_tokens
from evstore.codec.packed_decode_kernels import (
    BAD_FORM,
    BAD_LENGTH,
    BAD_POSITION,
    DONE,
    PIECE,
    room_in,
)
from evstore.codec.rans_kernels import LEAST, lane_start, refill, take_nibbles, take_symbol
from evstore.codec.vector_columns import (
    lay_out_cells,
    lay_out_flags,
    lay_out_halves,
    lay_out_times,
)
from evstore.codec.vector_copy import copy_past
from evstore.codec.vector_decoding import drain
from evstore.codec.vector_lanes import take_steps
from evstore.jit import kernel

U = np.uint64


class Room(NamedTuple):
    """What decoding needs beside its input and output."""

    tokens: NDArray[np.uint64]  # 2**TOKEN_BITS slots
    leaves: NDArray[np.uint64]  # SLOTS
    nibbles: NDArray[np.uint64]  # 2**NIBBLE_BITS
    classes: NDArray[np.uint8]
    slots: NDArray[np.uint32]
    about: NDArray[np.uint64]  # of each symbol
    stack: NDArray[np.uint64]
    lanes: NDArray[np.uint64]  # five numbers of each
    times: NDArray[np.uint32]  # of each step, of each lane: since the lane's start; p in bit 31
    places: NDArray[np.uint32]  # minor coordinate, major from bit 16 on
    firsts: NDArray[np.uint64]  # of each lane
    bases: NDArray[np.uint64]
    cells: NDArray[np.uint32]
    wrong: NDArray[np.uint8]
    small: NDArray[np.uint8]
    large: NDArray[np.uint8]
    t: NDArray[np.int64]  # columns of a chunk that go past the cache
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]


class Model(NamedTuple):
    """What the steps need to know of the head."""

    steps: bool
    in_tokens: bool  # polarity
    near: bool
    token_bits: np.uint64
    leaf_bits: np.uint64
    shift: np.uint64  # of a band
    bands: np.uint64


class Columns(NamedTuple):
    """What the columns need to know of the head."""

    low_minor: np.uint16
    low_major: np.uint16
    minor_bits: np.uint64
    flags: bool  # p stands in the times
    cells: bool  # p is told by cells


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
def head_is_good(words: NDArray[np.uint16], head: np.uint64, n: np.uint64) -> bool:
    """Whether widths and counts of a payload are possible ones."""
    form = U(words[head + U(FORM)])
    how = (form >> U(P_AT)) & U(3)
    sides = U(words[head + U(SIDES)])
    bands = U(words[head + U(BANDS)])
    contexts = (bands >> U(8)) + U((form & U(NEAR)) != U(0))
    slot_bits = (bands >> U(4)) & U(15)
    good = form < U(1 << (P_AT + 2)) and n <= U(MOST_EVENTS) and U(words[head + U(UNIT)]) > U(0)
    good &= U(words[head + U(EXCEPTIONS)]) <= n and U(words[head + U(SURE_EVENTS)]) <= n
    good &= sides & U(0xFF) <= U(16) and sides >> U(8) <= U(16)
    good &= bands >> U(8) > U(0) and bands >> U(8) <= U(MOST_BANDS) and slot_bits <= U(12)
    good &= contexts << slot_bits <= U(SLOTS)
    good &= bool(form & U(STEPS)) or bands >> U(8) == U(1)
    return bool(good and (how != U(P_TOKENS) or bool(form & U(STEPS))))


@kernel
def read_tables(
    words: NDArray[np.uint16], head: np.uint64, stop: np.uint64, model: Model, room: Room
) -> np.uint64:
    """Tables of tokens and of leaves. Returns the bit behind them, or BAD."""
    section = words[head + U(HEAD) : stop]
    size = U(section.size)
    at = U(0)
    kinds = U(STEP_BINS) if model.steps else U(2)
    tables = U(2) if model.in_tokens else U(1)
    for k in range(tables):
        table = room.tokens[k << model.token_bits : (k + U(1)) << model.token_bits]
        at = read_tokens(
            section, at, size, kinds, tables, model.token_bits, table,
            room.classes, room.slots, room.about,
        )  # fmt: skip
        if at >= BAD:
            return BAD
    sides = U(words[head + U(SIDES)])
    minor_bits, major_bits = sides & U(0xFF), sides >> U(8)
    for band in range(model.bands + U(model.near)):
        table = room.leaves[band << model.leaf_bits : (band + U(1)) << model.leaf_bits]
        there = peek(section, at, size) & U(1)
        at += U(1)
        a, b, offset = minor_bits, (U(0) if model.steps else major_bits), U(0)
        if band == model.bands:
            a, b, offset = minor_bits + U(1), U(0), U(1) << minor_bits
        if there == U(0):
            fill_slots(table, U(1) << model.leaf_bits, U(0))
            continue
        at = read_leaves(
            section, at, size, a, b, offset, model.leaf_bits, table,
            room.classes, room.slots, room.about, room.stack,
        )  # fmt: skip
        if at >= BAD:
            return BAD
    return at


@kernel
def read_polarity_tables(
    words: NDArray[np.uint16], head: np.uint64, stop: np.uint64, at: np.uint64, n: np.uint64,
    room: Room,
) -> np.uint64:  # fmt: skip
    """Tables of both strings of bits, of those that are not empty."""
    section = words[head + U(HEAD) : stop]
    sure = U(words[head + U(SURE_EVENTS)])
    half = U(1 << NIBBLE_BITS)
    if n > sure:
        at = read_nibbles(
            section, at, U(section.size), room.nibbles[:half],
            room.classes, room.slots, room.about,
        )  # fmt: skip
    if sure > U(0) and at < BAD:
        at = read_nibbles(
            section, at, U(section.size), room.nibbles[half:],
            room.classes, room.slots, room.about,
        )  # fmt: skip
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
def decode_modelled(
    words: NDArray[np.uint16],
    head: np.uint64,
    stop: np.uint64,
    n: np.uint64,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    room: Room,
) -> int:
    """The ``n`` events of the payload ``words[head:stop]``; a column of length 0 is not wanted."""
    if stop - head < U(HEAD + STATE_WORDS) or not head_is_good(words, head, n):
        return BAD_FORM
    form = U(words[head + U(FORM)])
    how = (form >> U(P_AT)) & U(3)
    bands = U(words[head + U(BANDS)])
    in_tokens = how == U(P_TOKENS)
    model = Model(
        bool(form & U(STEPS)),
        in_tokens,
        bool(form & U(NEAR)),
        U(TOKEN_BITS - 1) if in_tokens else U(TOKEN_BITS),
        (bands >> U(4)) & U(15),
        bands & U(15),
        bands >> U(8),
    )
    at = head + U(HEAD) + U(words[head + U(TABLE_WORDS)])
    exceptions = U(words[head + U(EXCEPTIONS)])
    states_at = at + exceptions * U(EXCEPTION_WORDS)
    if states_at + U(STATE_WORDS) > stop:
        return BAD_LENGTH
    bit = read_tables(words, head, at, model, room)
    if bit < BAD and how == U(P_CELLS):
        bit = read_polarity_tables(words, head, at, bit, n, room)
    if bit >= BAD or bit > (at - head - U(HEAD)) << U(4):
        return BAD_FORM
    start = U(words[head + U(START)]) if model.steps else U(0)
    if not start_lanes(words, states_at, start, room.lanes):
        return BAD_FORM
    place = states_at + U(STATE_WORDS)
    sure = U(words[head + U(SURE_EVENTS)])
    sure_from = (n >> U(3)) + U(8)
    if how == U(P_CELLS):
        half = U(1 << NIBBLE_BITS)
        states = room.lanes[:LANES]
        place = take_nibbles(
            states, room.nibbles[:half], U(NIBBLE_BITS), (n - sure + U(3)) >> U(2),
            words, place, stop, room.wrong, U(0),
        )  # fmt: skip
        place = take_nibbles(
            states, room.nibbles[half:], U(NIBBLE_BITS), (sure + U(3)) >> U(2),
            words, place, stop, room.wrong, sure_from,
        )  # fmt: skip
    place = take_all(model, n, words, place, stop, room)
    if place != stop:
        return BAD_LENGTH
    for lane in range(U(LANES)):
        if room.lanes[lane] != LEAST:
            return BAD_LENGTH
    return lay_out(words, head, at, exceptions, n, t, x, y, p, room)


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
def place_lanes(n: np.uint64, time: np.uint64, unit: np.uint64, room: Room) -> None:
    """Each lane's first event and the time it counts from: to ``room.firsts``, ``room.bases``."""
    for lane in range(U(LANES)):
        room.firsts[lane] = lane_start(U(lane), n)
        room.bases[lane] = time
        time += (room.lanes[U(LANES) + lane] & U(0x7FFFFFFF)) * unit


@kernel
def lay_out_rest(
    first: np.uint64, n: np.uint64, unit: np.uint64, about: Columns, room: Room,
    t: NDArray[np.int64], minor: NDArray[np.uint16], major: NDArray[np.uint16],
    p: NDArray[np.uint8],
) -> None:  # fmt: skip
    """The events of each lane from step ``first`` on to the columns."""
    steps, rest = n // U(LANES), n % U(LANES)
    for lane in range(U(LANES)):
        for s in range(first, steps + U(lane < rest)):
            v, place = U(room.times[s * U(LANES) + lane]), U(room.places[s * U(LANES) + lane])
            i = room.firsts[lane] + s
            if t.size:
                t[i] = np.int64(room.bases[lane] + (v & U(0x7FFFFFFF)) * unit)
            if minor.size:
                minor[i] = np.uint16((place + U(about.low_minor)) & U(0xFFFF))
            if major.size:
                major[i] = np.uint16(((place >> U(16)) + U(about.low_major)) & U(0xFFFF))
            if about.flags:
                p[i] = np.uint8(v >> U(31))
            if about.cells:
                room.cells[i] = np.uint32(
                    cells_of(place & U(0xFFFF), place >> U(16), about.minor_bits)
                )


@kernel
def lay_out_lanes(
    n: np.uint64, unit: np.uint64, about: Columns, room: Room,
    t: NDArray[np.int64], minor: NDArray[np.uint16], major: NDArray[np.uint16],
    p: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Events from lanes to columns; a column of length 0 is not wanted."""
    whole = n // U(LANES) & ~U(15)
    times, places, firsts = room.times, room.places, room.firsts
    for step in range(U(0), whole, U(16)):
        for lane in range(U(0), U(LANES), U(16)):
            at = step * U(LANES) + lane
            if t.size:
                lay_out_times(times, at, unit, room.bases, firsts, lane, step, t)
            if minor.size:
                lay_out_halves(places, at, U(0), about.low_minor, firsts, lane, step, minor)
            if major.size:
                lay_out_halves(places, at, U(16), about.low_major, firsts, lane, step, major)
            if about.flags:
                lay_out_flags(times, at, firsts, lane, step, p)
            if about.cells:
                lay_out_cells(places, at, about.minor_bits, firsts, lane, step, room.cells)
    lay_out_rest(whole, n, unit, about, room, t, minor, major, p)


@kernel
def lay_out(
    words: NDArray[np.uint16],
    head: np.uint64,
    patches: np.uint64,
    exceptions: np.uint64,
    n: np.uint64,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    room: Room,
) -> int:
    """Events from lanes to columns; exceptions of time are at ``words[patches:]``."""
    form = U(words[head + U(FORM)])
    how = (form >> U(P_AT)) & U(3)
    unit = U(words[head + U(UNIT)])
    minor, major = (y, x) if form & U(SWAPPED) else (x, y)
    about = Columns(
        words[head + U(LOW_MINOR)],
        words[head + U(LOW_MAJOR)],
        U(words[head + U(SIDES)]) & U(0xFF),
        p.size > 0 and how == U(P_TOKENS),
        p.size > 0 and how == U(P_CELLS),
    )
    place_lanes(n, long_at(words, head + U(T0)), unit, room)
    lay_out_lanes(n, unit, about, room, t, minor, major, p)
    if about.cells:
        forget(room.small, room.large)
        sure = tell_polarity(
            room.cells[:n], U(words[head + U(PREDICTED)]), U(words[head + U(SURE)]), room.wrong,
            (n >> U(3)) + U(8), room.small, room.large, p[:n],
        )  # fmt: skip
        if sure != U(words[head + U(SURE_EVENTS)]):
            return BAD_LENGTH
    elif p.size and not about.flags:
        for i in range(n):
            p[i] = np.uint8(how)
    return add_exceptions(words, patches, exceptions, n, t) if t.size else DONE


@kernel
def add_exceptions(
    words: NDArray[np.uint16],
    at: np.uint64,
    exceptions: np.uint64,
    n: np.uint64,
    t: NDArray[np.int64],
) -> int:
    """Add the differences of time that tokens do not tell, each to all events from its place on."""
    offset = np.int64(0)
    place = U(0)
    for _ in range(exceptions):
        a = U(words[at])
        if a < place or a >= n:
            return BAD_POSITION
        for i in range(place, a):
            t[i] += offset
        offset += np.int64(long_at(words, at + U(1)))
        place = a
        at += U(EXCEPTION_WORDS)
    if exceptions:
        for i in range(place, n):
            t[i] += offset
    return DONE


@kernel
def decode_chunks(
    words: NDArray[np.uint16],
    pieces: NDArray[np.int64],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    past: bool,
    room: Room,
) -> int:
    """Decode several whole chunks, as packed_decode_kernels.decode does.

    ``room`` is for as many events as the longest has (checked here).
    """
    for i in range(pieces.size // PIECE):
        place, stop, count = pieces[PIECE * i], pieces[PIECE * i + 1], pieces[PIECE * i + 2]
        to = pieces[PIECE * i + 5]
        good = 0 <= place <= stop <= words.size and to >= 0 and 0 <= count <= room.cells.size
        if not good or count > room_in(t, x, y, p) - to:
            return 256 * i + BAD_LENGTH
        # A slice of a column that is not wanted is as empty.
        bad = decode_modelled(
            words, U(place), U(stop), U(count),
            room.t[:count] if past and t.size else t[to : to + count],
            room.x[:count] if past and x.size else x[to : to + count],
            room.y[:count] if past and y.size else y[to : to + count],
            room.p[:count] if past and p.size else p[to : to + count],
            room,
        )  # fmt: skip
        if bad != DONE:
            return 256 * i + bad
        if past:
            copy_column(room.t, t, to, count)
            copy_column(room.x, x, to, count)
            copy_column(room.y, y, to, count)
            copy_column(room.p, p, to, count)
    if past:
        drain()
    return DONE


@kernel
def copy_column(beside: NDArray[Any], column: NDArray[Any], to: int, count: int) -> None:
    """A chunk's values from beside to where they belong, past the cache."""
    if column.size:
        copy_past(beside, column[to : to + count], U(count))
