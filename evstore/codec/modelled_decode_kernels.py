"""Decoding codec 2, `modelled`: the inverse of modelled_encode_kernels.

In bounds for any payload.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import peek
from evstore.codec.frequency_kernels import fill_slots
from evstore.codec.model_format import (
    BANDS,
    EXCEPTION_WORDS,
    EXCEPTIONS,
    FORM,
    HEAD,
    LANES,
    MOST_BANDS,
    MOST_EVENTS,
    NEAR,
    NIBBLE_BITS,
    P_AT,
    P_CELLS,
    P_TOKENS,
    SIDES,
    SLOTS,
    START,
    STATE_WORDS,
    STEP_BINS,
    STEPS,
    SURE_EVENTS,
    TABLE_WORDS,
    TOKEN_BITS,
    UNIT,
)
from evstore.codec.model_table_kernels import BAD, read_leaves, read_nibbles, read_tokens
from evstore.codec.modelled_columns_kernels import lay_out
from evstore.codec.modelled_lanes_kernels import Model, start_lanes, take_all, take_nibbles
from evstore.codec.modelled_room import Room
from evstore.codec.packed_decode_kernels import BAD_FORM, BAD_LENGTH, DONE, PIECE, room_in
from evstore.codec.rans_kernels import LEAST
from evstore.codec.vector_copy import copy_past
from evstore.codec.vector_decoding import drain
from evstore.jit import kernel

U = np.uint64


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
