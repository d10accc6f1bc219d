"""How a chunk of codec 2 is coded, and the tokens and keys of its events that follow from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import zigzag
from evstore.codec.box_tree_kernels import PLACE_BITS
from evstore.codec.model_format import (
    ESCAPE,
    LANES,
    MOST_BANDS,
    NEAR,
    STEP_BASE,
    STEP_BIN,
    STEP_BINS,
    STEPS,
    SWAPPED,
    TIME_BASE,
    TIME_BIN,
    TIME_RAW,
    TOKENS,
)
from evstore.codec.modelled_room import Workspace
from evstore.codec.packed_encode_kernels import bit_length
from evstore.codec.rans_kernels import lane_start
from evstore.jit import kernel

U = np.uint64
IN_TOKENS = 8  # polarity, beside the flags of FORM
STEPS_AT_ONCE = 64
MANY_EVENTS = 8192  # that pay for as many bands as there may be


@kernel
def common_unit(t: NDArray[np.int64]) -> np.uint64:
    """The greatest divisor of all differences of time, 1 where that is more than 65,535.

    But for those that are exceptions whatever the unit is: backwards, or of 2^31 and more.
    """
    unit = U(0)
    for i in range(1, t.size):
        gap = U(t[i]) - U(t[i - 1])
        if t[i] < t[i - 1] or gap >= U(1) << U(31):
            continue
        while gap != U(0):
            unit, gap = gap, unit % gap
        if unit == U(1):
            break
    return unit if U(0) < unit < U(0x10000) else U(1)


@kernel
def find_gaps(
    t: NDArray[np.int64], gaps: NDArray[np.uint64], bins: NDArray[np.uint8], unit: np.uint64
) -> int:
    """Time since the event before, in units, and its bin. Returns how many are exceptions."""
    gaps[0] = U(0)
    bins[0] = np.uint8(0)
    exceptions = 0
    for i in range(1, t.size):
        gap = U(t[i]) - U(t[i - 1])
        if unit != U(1):
            gap = gap // unit
        if t[i] >= t[i - 1] and gap < U(TIME_BIN.size):
            gaps[i] = gap
            bins[i] = TIME_BIN[gap]
        else:
            gaps[i] = U(0)
            bins[i] = np.uint8(ESCAPE)
            exceptions += 1
    return exceptions


class Shape(NamedTuple):
    """How a chunk is coded, but for its tables."""

    steps: bool
    swapped: bool
    near: bool
    in_tokens: bool  # polarity
    low_minor: np.uint64
    low_major: np.uint64
    minor_bits: np.uint64
    major_bits: np.uint64
    key_bits: np.uint64  # below the band
    start: np.uint64
    shift: np.uint64
    bands: np.uint64


@kernel
def spread_bits(v: np.uint64) -> np.uint64:
    """The bits of a 16-bit number, a zero above each."""
    v = (v | (v << U(8))) & U(0x00FF00FF)
    v = (v | (v << U(4))) & U(0x0F0F0F0F)
    v = (v | (v << U(2))) & U(0x33333333)
    return (v | (v << U(1))) & U(0x55555555)


@kernel
def box_key(x: np.uint64, y: np.uint64, x_bits: np.uint64, y_bits: np.uint64) -> np.uint64:
    """Which halves x, y lies in, when the longer side is cut each time, x of equals."""
    both = min(x_bits, y_bits)
    mask = (U(1) << both) - U(1)
    high = (x >> both) | (y >> both)  # one of them is 0
    return (high << (U(2) * both)) | (spread_bits(x & mask) << U(1)) | spread_bits(y & mask)


@kernel
def map_event(
    about: Shape, place: np.uint64, now: np.uint64, column: np.uint64, row: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """(whether it is in another row than the event before, key) of both coordinates together.

    ``place, now`` are the minor and the major coordinate, ``column, row`` those before.
    """
    if about.near and now == row:
        return U(0), (U(1) << about.key_bits) | (place - column + (U(1) << about.minor_bits))
    return U(1), box_key(place, now, about.minor_bits, about.major_bits)


@kernel
def step_event(
    about: Shape,
    place: np.uint64,
    now: np.uint64,
    v: np.uint64,
    column: np.uint64,
    row: np.uint64,
    polarity: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """(step of the major coordinate, key) of an event; ``v`` and ``polarity`` are 0 if not told."""
    step = zigzag(np.int64(np.int16((now - row) & U(0xFFFF))))
    band, key = now >> about.shift, place
    if about.near and step == U(0) and v == polarity:
        band, key = about.bands, place - column + (U(1) << about.minor_bits)
    return step, (band << about.key_bits) | key


@kernel
def step_token(
    about: Shape, time_bin: np.uint64, step_bin: np.uint64, v: np.uint64, polarity: np.uint64
) -> np.uint64:
    """The token of an event that is coded by steps; those after ON events come behind others."""
    token = time_bin * U(STEP_BINS) + step_bin
    if about.in_tokens:
        token = token * U(2) + v + polarity * U(TOKENS)
    return token


@kernel
def part_of_lane(lane: np.uint64, step: np.uint64, n: np.uint64) -> tuple[np.uint64, np.uint64]:
    """(first, stop): up to STEPS_AT_ONCE events of a lane from its ``step``-th on.

    What is written goes from lane to lane: of so many steps it stays in the cache meanwhile.
    """
    first = lane_start(lane, n) + step
    return first, min(first + U(STEPS_AT_ONCE), lane_start(lane + U(1), n))


@kernel
def as_map(
    about: Shape,
    minor: NDArray[np.uint16],
    major: NDArray[np.uint16],
    ws: Workspace,
) -> None:
    """Tokens and keys of events that are coded by both coordinates together.

    In ``ws``, in the order in which lanes have them; keys of events near the one before come
    behind all others. ``leaf_raw`` gets both coordinates, for trees_to_leaves to cut.
    """
    n = U(minor.size)
    for step in range(U(0), n // U(LANES) + U(1), U(STEPS_AT_ONCE)):
        for lane in range(U(LANES)):
            first, stop = part_of_lane(U(lane), U(step), n)
            k = step * U(LANES) + U(lane)
            row = column = U(0)
            if step > U(0) and first < stop:
                column = U(minor[first - U(1)]) - about.low_minor
                row = U(major[first - U(1)]) - about.low_major
            for i in range(first, stop):
                place, now = U(minor[i]) - about.low_minor, U(major[i]) - about.low_major
                other, key = map_event(about, place, now, column, row)
                time_bin = U(ws.time_bins[i])
                ws.tokens[k] = np.uint16(time_bin * U(2) + other)
                ws.token_raw[k] = np.uint32(ws.gaps[i] - TIME_BASE[time_bin])
                ws.keys[k] = (key << U(PLACE_BITS)) | k
                ws.leaf_raw[k] = np.uint32(place | (now << U(16)))
                row, column = now, place
                k += U(LANES)


@kernel
def as_steps(
    about: Shape,
    minor: NDArray[np.uint16],
    major: NDArray[np.uint16],
    p: NDArray[np.uint8],
    ws: Workspace,
) -> None:
    """Tokens and keys of events that are coded by steps of the major coordinate."""
    n = U(minor.size)
    for begun in range(U(0), n // U(LANES) + U(1), U(STEPS_AT_ONCE)):
        for lane in range(U(LANES)):
            first, stop = part_of_lane(U(lane), U(begun), n)
            k = begun * U(LANES) + U(lane)
            row = about.start
            column = polarity = U(0)
            if begun > U(0) and first < stop:
                column = U(minor[first - U(1)]) - about.low_minor
                row = U(major[first - U(1)]) - about.low_major
                polarity = U(p[first - U(1)]) if about.in_tokens else U(0)
            for i in range(first, stop):
                place, now = U(minor[i]) - about.low_minor, U(major[i]) - about.low_major
                v = U(p[i]) if about.in_tokens else U(0)
                step, key = step_event(about, place, now, v, column, row, polarity)
                time_bin, step_bin = U(ws.time_bins[i]), U(STEP_BIN[step])
                ws.tokens[k] = np.uint16(step_token(about, time_bin, step_bin, v, polarity))
                raw = (step - STEP_BASE[step_bin]) << TIME_RAW[time_bin]
                ws.token_raw[k] = np.uint32(raw | (ws.gaps[i] - TIME_BASE[time_bin]))
                ws.keys[k] = (key << U(PLACE_BITS)) | k
                row, column, polarity = now, place, v
                k += U(LANES)


@kernel
def shape_of(
    form: int,
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
) -> Shape:
    """The shape of a chunk of these extents: least and greatest x, then y.

    ``form``: flags of FORM, and IN_TOKENS.
    """
    x0, x1, y0, y1 = extents
    steps, swapped = (form & STEPS) != 0, (form & SWAPPED) != 0
    near, in_tokens = (form & NEAR) != 0, (form & IN_TOKENS) != 0
    low_minor, most_minor, low_major, most_major = U(x0), U(x1), U(y0), U(y1)
    start = U(y[0])
    if swapped:
        low_minor, most_minor, low_major, most_major = U(y0), U(y1), U(x0), U(x1)
        start = U(x[0])
    minor_bits = U(bit_length(most_minor - low_minor))
    major_bits = U(bit_length(most_major - low_major))
    shift = bands = U(0)
    key_bits = minor_bits + U(1)
    if steps:
        most = U(MOST_BANDS if x.size >= MANY_EVENTS else MOST_BANDS // 4)
        while ((most_major - low_major) >> shift) + U(1) > most:
            shift += U(1)
        bands = ((most_major - low_major) >> shift) + U(1)
    else:
        bands = U(1)
        key_bits = max(minor_bits + major_bits, key_bits)
        near = near and key_bits < U(32)  # type: ignore[assignment]
    return Shape(
        steps, swapped, near, in_tokens, low_minor, low_major, minor_bits, major_bits, key_bits,
        start - low_major, shift, bands,
    )  # fmt: skip


@kernel
def prepare(
    about: Shape,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    ws: Workspace,
) -> None:
    """Tokens and keys of a chunk."""
    minor, major = (y, x) if about.swapped else (x, y)
    if about.steps:
        as_steps(about, minor, major, p, ws)
    else:
        as_map(about, minor, major, ws)
