"""Frames straight from chunks of the codec `packed`: a block of 1024 events is decoded, counted,
and forgotten, all within the first cache.

Of a block that lies within one frame, as most do, no times are decoded. In bounds whatever the
payload holds, and whatever the index says of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.codec.bit_kernels import long_at
from evstore.codec.bitpack_kernels import BLOCK
from evstore.codec.packed_decode_kernels import (
    BAD_LENGTH,
    DONE,
    PIECE,
    RUNS,
    decode_coordinates,
    decode_polarity,
    decode_times,
    sections,
)
from evstore.codec.packed_encode_kernels import AT_X, AT_Y, DESCRIPTOR
from evstore.frames.histogram_kernels import (
    RIGHT,
    SIGNED,
    fault,
    fill_numbers,
    fill_times,
    first_after,
    into,
    note_times,
)
from evstore.jit import kernel

U = np.uint64
FULL = np.uint64(BLOCK)
OUTSIDE = 16  # beside packed_decode_kernels.BAD_*: an event lies outside the sensor

ABOUT = 3  # numbers that the index says of a chunk: see fill_packed
LANES = 32 + 3 * BLOCK + RUNS  # values of Scratch.lanes
MOST_EVENTS = 1 << 32

# What `frame_of` gives beside a frame's number.
NONE, SEVERAL = -1, -2


class Scratch(NamedTuple):
    """What a block is decoded to."""

    lanes: Any  # LANES of uint16
    t: Any  # BLOCK of int64
    p: Any  # twice BLOCK of uint8: the second half is 0, for those who do not ask
    # Three arrays, since each that is handed to a kernel takes as long as 200 events.


@kernel
def frame_of(plan: Any, low: Any, high: Any) -> Any:
    """The one frame that all of ``low..high`` (included) are in, or NONE, or SEVERAL.

    They are times, or numbers of events, as the frames' edges are.
    """
    frame = first_after(plan.stops, low)
    if frame == plan.starts.size or plan.starts[frame] > high:
        return NONE
    alone = frame + 1 == plan.starts.size or plan.starts[frame + 1] > high
    if alone and plan.starts[frame] <= low and high < plan.stops[frame]:
        return frame
    return SEVERAL


@kernel
def fill_chunk(
    words: Any, place: Any, stop: Any, count: Any, number: Any, ordered: Any, t_max: Any,
    plan: Any, scratch: Any,
) -> Any:  # fmt: skip
    """Add the events of the payload ``words[place:stop]``; the rest as for `fill_packed`."""
    # Whole vectors are stored to these: they start where a cache line does.
    start = (-scratch.lanes.ctypes.data % 64) >> 1
    low = scratch.lanes[start : start + BLOCK]
    x = scratch.lanes[start + BLOCK : start + 2 * BLOCK]
    y = scratch.lanes[start + 2 * BLOCK : start + 3 * BLOCK]
    runs = scratch.lanes[start + 3 * BLOCK : start + 3 * BLOCK + RUNS]
    t, p, no_p = scratch.t, scratch.p[:BLOCK], scratch.p[BLOCK:]
    needs_p = plan.plane > 0 or plan.content == SIGNED
    blocks = (count + FULL - U(1)) // FULL
    at = place + blocks * U(DESCRIPTOR)
    if at > stop:
        return BAD_LENGTH
    for b in range(blocks):
        n = min(FULL, count - b * FULL)
        head = place + b * U(DESCRIPTOR)
        bad, x_at, y_at, p_at, end = sections(words, head, at, stop, n)
        if bad != DONE:
            return bad
        first = number + np.int64(b * FULL)
        last = first + np.int64(n) - 1
        if plan.by_time:
            first = np.int64(long_at(words, head))
            last = t_max if b + U(1) == blocks else np.int64(long_at(words, head + U(DESCRIPTOR)))
        frame = frame_of(plan, first, last) if ordered or not plan.by_time else SEVERAL
        if frame != NONE:
            bad |= decode_coordinates(words, head + U(AT_X), x_at, n, low, runs, x, U(0), False)
            bad |= decode_coordinates(words, head + U(AT_Y), y_at, n, low, runs, y, U(0), False)
            if plan.by_time and frame == SEVERAL:
                bad |= decode_times(words, head, at, n, low, t, U(0), False)
            if bad != DONE:
                return bad
            if needs_p:
                decode_polarity(words, head, p_at, n, p, U(0), False)
            some_p = p[:n] if needs_p else no_p[:n]
            if fault(x[:n], y[:n], some_p, plan.width, plan.height) != RIGHT:
                return OUTSIDE
            if frame >= 0:
                if plan.by_time:
                    note_times(first, last, plan)
                into(x[:n], y[:n], some_p, frame, plan)
            elif plan.by_time:
                fill_times(t[:n], x[:n], y[:n], some_p, plan)
            else:
                fill_numbers(x[:n], y[:n], some_p, first, plan)
        at = end
    return DONE if at == stop else BAD_LENGTH


@kernel
def fill_packed(words: Any, pieces: Any, about: Any, plan: Any, scratch: Any) -> Any:
    """Add the events of chunks; DONE, or 256 times the number of the bad chunk plus what is bad.

    ``pieces`` has PIECE numbers a chunk, as `packed_decode_kernels.decode` takes them: the first
    three are used. ``about`` has ABOUT: the number of its first event, whether its times never
    step back, and its greatest time. Where they are not so, events come to other frames, or none.
    """
    for i in range(pieces.size // PIECE):
        place, stop, count = pieces[PIECE * i], pieces[PIECE * i + 1], pieces[PIECE * i + 2]
        number, ordered, t_max = about[ABOUT * i], about[ABOUT * i + 1], about[ABOUT * i + 2]
        if not 0 <= place <= stop <= words.size or not 0 < count < MOST_EVENTS:
            return 256 * i + BAD_LENGTH
        bad = fill_chunk(
            words, U(place), U(stop), U(count), number, ordered, t_max, plan, scratch
        )  # fmt: skip
        if bad != DONE:
            return 256 * i + bad
    return DONE
