"""Encoding codec 2, `modelled`: what decodes to the events in the fewest bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import put_long
from evstore.codec.limits import MAX_EVENTS_IN_BYTE
from evstore.codec.model_format import (
    BANDS,
    ESCAPE,
    EXCEPTION_WORDS,
    EXCEPTIONS,
    FORM,
    HEAD,
    LANES,
    LOW_MAJOR,
    LOW_MINOR,
    MOST_EVENTS,
    NEAR,
    P_AT,
    P_CELLS,
    P_OFF,
    P_ON,
    P_TOKENS,
    PREDICTED,
    SIDES,
    SLOTS,
    START,
    STATE_WORDS,
    STEPS,
    SURE,
    SURE_EVENTS,
    SWAPPED,
    T0,
    TABLE_WORDS,
    TOKEN_BITS,
    UNIT,
)
from evstore.codec.modelled_choice_kernels import decide
from evstore.codec.modelled_cost_kernels import count_tokens
from evstore.codec.modelled_room import Workspace
from evstore.codec.modelled_shape_kernels import Shape, common_unit, find_gaps, prepare
from evstore.codec.modelled_stream_kernels import gather_wrong, put_events, put_nibbles
from evstore.codec.modelled_write_kernels import write_nibbles, write_tokens, write_trees
from evstore.codec.rans_kernels import LEAST
from evstore.jit import kernel

U = np.uint64
NO_CODE = -1


@kernel
def encode_modelled(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    on: int,
    form: int,
    out: NDArray[np.uint16],
    ws: Workspace,
) -> int:
    """Encode a chunk into ``out``. Returns the words used, or NO_CODE where it does not fit.

    ``extents``: least and greatest x, then y. ``form``: as decide takes it.
    """
    n = t.size
    greatest = np.uint8(0)
    for i in range(n):
        greatest |= p[i]
    if n > MOST_EVENTS or greatest > 1:
        return NO_CODE
    unit = common_unit(t)
    exceptions = find_gaps(t, ws.gaps, ws.time_bins, unit)
    told = 0 < on < n
    about = decide(x, y, p, extents, told, form, ws)
    prepare(about, x, y, p, ws)
    count_tokens(ws.tokens[:n], ws.token_counts)
    how = P_OFF if on == 0 else P_ON
    if told:
        how = P_TOKENS if about.in_tokens else P_CELLS
    token_bits = TOKEN_BITS - 1 if about.in_tokens else TOKEN_BITS
    slot_bits = 12
    while (int(about.bands) + int(about.near)) << slot_bits > SLOTS:
        slot_bits -= 1
    for i in range(ws.table.size):
        ws.table[i] = np.uint16(0)
    at = write_tokens(about, token_bits, U(0), ws)
    if at == U(0):
        return NO_CODE
    at = write_trees(about, n, slot_bits, at, ws)
    if at == U(0):
        return NO_CODE
    # The stream, back to front.
    for lane in range(LANES):
        ws.states[lane] = LEAST
    end = U(ws.stream.size)
    to = put_events(n, U(token_bits), U(slot_bits), end, ws)
    if how == P_CELLS:
        found = ws.found
        sure_events = int(found[2])
        unsure = (n - sure_events + 3) >> 2
        sure = (sure_events + 3) >> 2
        nibbles = ws.nibbles[: unsure + sure]
        gather_wrong(p, U(found[0]), U(found[1]), U(unsure), nibbles, ws.contexts)
        at, to = add_nibbles(nibbles[:unsure], nibbles[unsure:], at, to, ws)
    table_words = (int(at) + 15) >> 4
    stream_words = int(end - to)
    size = HEAD + table_words + EXCEPTION_WORDS * exceptions + STATE_WORDS + stream_words
    # Readers bound what they allocate by a record's size.
    if size > out.size or n > size * 2 * MAX_EVENTS_IN_BYTE:
        return NO_CODE
    put_form(about, how, slot_bits, out, ws)
    put_long(out, T0, U(t[0]))
    out[UNIT], out[EXCEPTIONS] = np.uint16(unit), np.uint16(exceptions)
    out[TABLE_WORDS] = np.uint16(table_words)
    k = HEAD
    for i in range(table_words):
        out[k + i] = ws.table[i]
    k = put_exceptions(t, ws.time_bins, out, k + table_words)
    for lane in range(LANES):
        out[k] = np.uint16(ws.states[lane] & U(0xFFFF))
        out[k + 1] = np.uint16(ws.states[lane] >> U(16))
        k += 2
    for i in range(stream_words):
        out[k + i] = ws.stream[to + U(i)]
    return size


@kernel
def put_form(
    about: Shape, how: int, slot_bits: int, out: NDArray[np.uint16], ws: Workspace
) -> None:
    """The words of the head that tell of shape and polarity, all others 0."""
    for k in range(HEAD):
        out[k] = np.uint16(0)
    flags = (STEPS if about.steps else 0) | (SWAPPED if about.swapped else 0)
    flags |= NEAR if about.near else 0
    out[FORM] = np.uint16(flags | how << P_AT)
    out[LOW_MINOR], out[LOW_MAJOR] = np.uint16(about.low_minor), np.uint16(about.low_major)
    out[SIDES] = np.uint16(about.minor_bits | (about.major_bits << U(8)))
    out[BANDS] = np.uint16(about.shift | (U(slot_bits) << U(4)) | (about.bands << U(8)))
    if how == P_CELLS:
        out[PREDICTED], out[SURE] = np.uint16(ws.found[0]), np.uint16(ws.found[1])
        out[SURE_EVENTS] = np.uint16(ws.found[2])
    out[START] = np.uint16(about.start & U(0xFFFF))


@kernel
def put_exceptions(
    t: NDArray[np.int64], bins: NDArray[np.uint8], out: NDArray[np.uint16], at: int
) -> int:
    """Place and difference of each time that its token does not tell."""
    for i in range(t.size):
        if bins[i] == ESCAPE:
            out[at] = np.uint16(i)
            put_long(out, at + 1, U(t[i]) - U(t[i - 1]))
            at += EXCEPTION_WORDS
    return at


@kernel
def add_nibbles(
    unsure: NDArray[np.uint8], sure: NDArray[np.uint8], at: np.uint64, to: np.uint64, ws: Workspace
) -> tuple[np.uint64, np.uint64]:
    """Tables and stream of both strings of bits, of those that are not empty."""
    # Tables in order, the streams in reverse: the second string's table is kept behind the first's,
    # both where those of leaves were, whose stream is written.
    if unsure.size:
        at = write_nibbles(
            unsure, at, ws.table, ws.counts[:16], ws.classes[:16], ws.slots[:16],
            ws.leaf_entries[:16],
        )  # fmt: skip
    if sure.size:
        at = write_nibbles(
            sure, at, ws.table, ws.counts[16:32], ws.classes[16:32], ws.slots[16:32],
            ws.leaf_entries[16:32],
        )  # fmt: skip
        to = put_nibbles(sure, ws.leaf_entries[16:32], to, ws)
    if unsure.size:
        to = put_nibbles(unsure, ws.leaf_entries[:16], to, ws)
    return at, to
