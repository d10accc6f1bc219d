"""Events of codec 2 from where its lanes put them to the columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import long_at
from evstore.codec.cell_kernels import cells_of, forget, tell_polarity
from evstore.codec.model_format import (
    EXCEPTION_WORDS,
    FORM,
    LANES,
    LOW_MAJOR,
    LOW_MINOR,
    P_AT,
    P_CELLS,
    P_TOKENS,
    PREDICTED,
    SIDES,
    SURE,
    SURE_EVENTS,
    SWAPPED,
    T0,
    UNIT,
)
from evstore.codec.modelled_room import Room
from evstore.codec.packed_decode_kernels import BAD_LENGTH, BAD_POSITION, DONE
from evstore.codec.rans_kernels import lane_start
from evstore.codec.vector_columns import lay_out_cells, lay_out_flags, lay_out_halves, lay_out_times
from evstore.jit import kernel

U = np.uint64


class Columns(NamedTuple):
    """What the columns need to know of the head."""

    low_minor: np.uint16
    low_major: np.uint16
    minor_bits: np.uint64
    flags: bool  # p stands in the times
    cells: bool  # p is told by cells


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
        forget(room.cells[:n], room.small, room.large)
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
