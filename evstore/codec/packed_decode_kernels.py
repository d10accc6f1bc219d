"""Decoding codec 1, `packed`: the inverse of packed_encode_kernels.

In bounds whatever the payload holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import long_at
from evstore.codec.bitpack_kernels import BLOCK, unpack
from evstore.codec.llvm import PAST_ALIGN
from evstore.codec.packed_encode_kernels import (
    AT_PATCH,
    AT_T,
    AT_X,
    AT_Y,
    DESCRIPTOR,
    EXCEPTION_WORDS,
    P_BITS,
    P_SHIFT,
    T_NARROW,
    T_RAW,
    T_SIGNED,
    XY_RUNS,
)
from evstore.codec.vector_decoding import (
    drain,
    expand_bits,
    expand_runs,
    running_sums,
    widen_times,
)
from evstore.codec.vector_encoding import COUNTS
from evstore.jit import kernel

U = np.uint64
FULL = np.uint64(BLOCK)

RUNS = 64 + BLOCK + 8  # values of scratch for runs: the first is at 64, 8 are read beyond the last
SCRATCH = 32 + BLOCK + RUNS  # values of scratch that decode needs
PIECE = 6  # numbers by which decode is told of a chunk

# What decode gives back.
DONE = 0
BAD_LENGTH = 1
BAD_FORM = 2
BAD_POSITION = 4
BAD_RUNS = 8


@kernel
def words_of(count: np.uint64, width: np.uint64) -> np.uint64:
    """Words of a packed section: section_words, unsigned."""
    return U(64) * ((((count + U(63)) >> U(6)) * width + U(15)) >> U(4))


@kernel
def bitmap_words(count: np.uint64) -> np.uint64:
    """Words of a bit an event, in order."""
    return (count + U(15)) >> U(4)


@kernel
def time_words(words: NDArray[np.uint16], head: np.uint64, n: np.uint64) -> np.uint64:
    """Words of a block's times, exceptions included; ``head`` is its descriptor's place."""
    form = U(words[head + U(AT_T)])
    if form >> U(8) == U(T_RAW):
        return U(4) * n
    patches = U(words[head + U(AT_PATCH)]) & U(0x3FFF)
    return words_of(n, form & U(0xFF)) + patches * U(EXCEPTION_WORDS)


@kernel
def coordinate_words(words: NDArray[np.uint16], at: np.uint64, n: np.uint64) -> np.uint64:
    """Words of an x or y section; its form is at ``words[at]``."""
    form = U(words[at])
    if form >> U(8) == U(XY_RUNS):
        return bitmap_words(n) + words_of(U(words[at + U(2)]), form & U(0xFF))
    return words_of(n, form & U(0xFF))


@kernel
def polarity_words(words: NDArray[np.uint16], head: np.uint64, n: np.uint64) -> np.uint64:
    """Words of a block's polarity section."""
    if U(words[head + U(AT_PATCH)]) >> U(P_SHIFT) == U(P_BITS):
        return bitmap_words(n)
    return U(0)


@kernel
def descriptor_is_good(words: NDArray[np.uint16], head: np.uint64, n: np.uint64) -> bool:
    """Whether forms, widths and counts of a block are possible ones."""
    form = U(words[head + U(AT_T)])
    patch = U(words[head + U(AT_PATCH)])
    good = form >> U(8) <= U(T_RAW) and form & U(0xFF) <= U(16)
    good &= patch & U(0x3FFF) <= n and patch >> U(P_SHIFT) <= U(P_BITS)
    for at in (AT_X, AT_Y):
        form = U(words[head + U(at)])
        good &= form >> U(8) <= U(XY_RUNS) and form & U(0xFF) <= U(16)
        good &= U(words[head + U(at + 2)]) <= n
    return bool(good)


@kernel
def is_aligned(column: NDArray[Any], to: np.uint64) -> bool:
    """Whether ``column[to]`` may be stored past the cache."""
    return bool((U(column.ctypes.data) + to * U(column.itemsize)) % U(PAST_ALIGN) == U(0))


@kernel
def raw_times(
    words: NDArray[np.uint16], at: np.uint64, n: np.uint64, t: NDArray[np.int64], to: np.uint64
) -> None:
    """Times of four words each."""
    for i in range(n):
        t[to + i] = np.int64(long_at(words, at + U(4) * i))


@kernel
def wide_times(
    words: NDArray[np.uint16],
    head: np.uint64,
    at: np.uint64,
    n: np.uint64,
    low: NDArray[np.uint16],
    t: NDArray[np.int64],
    to: np.uint64,
) -> int:
    """Times from deltas of any size, whose low bits are in ``low``; exceptions are at ``at``."""
    form = U(words[head + U(AT_T)])
    for i in range(n):
        t[to + i] = np.int64(low[i])
    for k in range(U(words[head + U(AT_PATCH)]) & U(0x3FFF)):
        e = at + k * U(EXCEPTION_WORDS)
        place = U(words[e])
        if place >= n:
            return BAD_POSITION
        high = U(words[e + U(1)]) | (U(words[e + U(2)]) << U(16))
        t[to + place] = np.int64(U(t[to + place]) | (high << (form & U(0xFF))))
    time = np.int64(long_at(words, head))
    if form >> U(8) == U(T_SIGNED):
        for i in range(n):
            z = U(t[to + i])
            time += np.int64((z >> U(1)) ^ (U(0) - (z & U(1))))
            t[to + i] = time
    else:
        for i in range(n):
            time += t[to + i]
            t[to + i] = time
    return DONE


@kernel
def decode_times(
    words: NDArray[np.uint16],
    head: np.uint64,
    at: np.uint64,
    n: np.uint64,
    low: NDArray[np.uint16],
    t: NDArray[np.int64],
    to: np.uint64,
    past: bool,
) -> int:
    """One block's times into ``t[to:]``; ``low`` is scratch of 1024."""
    form = U(words[head + U(AT_T)])
    if form >> U(8) == U(T_RAW):
        raw_times(words, at, n, t, to)
        return DONE
    width = form & U(0xFF)
    unpack(words, at, n, width, np.uint16(0), low, U(0), False)
    at += words_of(n, width)
    if form >> U(8) != U(T_NARROW):
        return wide_times(words, head, at, n, low, t, to)
    for k in range(U(words[head + U(AT_PATCH)]) & U(0x3FFF)):
        e = at + k * U(EXCEPTION_WORDS)
        place = U(words[e])
        if place >= n:
            return BAD_POSITION
        low[place] = np.uint16(U(low[place]) | (U(words[e + U(1)]) << width))
    time = np.int64(long_at(words, head))
    running_sums(low, (n + U(15)) >> U(4))
    whole = n >> U(4)
    for g in range(whole):
        widen_times(low, U(16) * g, time, t, to + U(16) * g, past)
    for i in range(U(16) * whole, n):
        t[to + i] = time + np.int64(low[i])
    return DONE


@kernel
def decode_runs(
    words: NDArray[np.uint16],
    form: np.uint64,
    at: np.uint64,
    n: np.uint64,
    runs: NDArray[np.uint16],
    out: NDArray[np.uint16],
    to: np.uint64,
    past: bool,
) -> int:
    """One block's x or y in the form XY_RUNS; ``runs`` is scratch of 64 + 1024 + 8."""
    changes = U(words[form + U(2)])
    width = U(words[form]) & U(0xFF)
    unpack(words, at + bitmap_words(n), changes, width, words[form + U(1)], runs, U(64), False)
    if not words[at] & 1:
        return BAD_RUNS
    # The run before the next event; at most 1024 changes keep it in bounds.
    k = U(63)
    whole = n >> U(3)
    for g in range(whole):
        changed = (U(words[at + (g >> U(1))]) >> (U(8) * (g & U(1)))) & U(0xFF)
        expand_runs(runs, k, changed, out, to + U(8) * g, past)
        k += COUNTS[changed]
    for i in range(U(8) * whole, n):
        k += (U(words[at + (i >> U(4))]) >> (i & U(15))) & U(1)
        out[to + i] = runs[k]
    return DONE if k == U(63) + changes else BAD_RUNS


@kernel
def decode_coordinates(
    words: NDArray[np.uint16],
    form: np.uint64,
    at: np.uint64,
    n: np.uint64,
    low: NDArray[np.uint16],
    runs: NDArray[np.uint16],
    out: NDArray[np.uint16],
    to: np.uint64,
    past: bool,
) -> int:
    """One block's x or y into ``out[to:]``; its form is at ``form``, its section at ``at``."""
    if U(words[form]) >> U(8) == U(XY_RUNS):
        return decode_runs(words, form, at, n, runs, out, to, past)
    width = U(words[form]) & U(0xFF)
    least = words[form + U(1)]
    if n == FULL:
        unpack(words, at, n, width, least, out, to, past)
    else:
        unpack(words, at, n, width, least, low, U(0), False)
        for i in range(n):
            out[to + i] = low[i]
    return DONE


@kernel
def decode_polarity(
    words: NDArray[np.uint16],
    head: np.uint64,
    at: np.uint64,
    n: np.uint64,
    out: NDArray[np.uint8],
    to: np.uint64,
    past: bool,
) -> None:
    """One block's p into ``out[to:]``."""
    form = U(words[head + U(AT_PATCH)]) >> U(P_SHIFT)
    if form != U(P_BITS):
        for i in range(n):
            out[to + i] = np.uint8(form)
        return
    whole = n >> U(6)
    for k in range(whole):
        expand_bits(words, at + U(4) * k, out, to + U(64) * k, past)
    for i in range(U(64) * whole, n):
        out[to + i] = np.uint8((U(words[at + (i >> U(4))]) >> (i & U(15))) & U(1))


@kernel
def sections(
    words: NDArray[np.uint16], head: np.uint64, at: np.uint64, stop: np.uint64, n: np.uint64
) -> tuple[int, np.uint64, np.uint64, np.uint64, np.uint64]:
    """What is bad about a block from ``at`` on; where its x, y and p begin, and where it ends."""
    if not descriptor_is_good(words, head, n):
        return BAD_FORM, at, at, at, at
    x_at = at + time_words(words, head, n)
    y_at = x_at + coordinate_words(words, head + U(AT_X), n)
    p_at = y_at + coordinate_words(words, head + U(AT_Y), n)
    end = p_at + polarity_words(words, head, n)
    return BAD_LENGTH if end > stop else DONE, x_at, y_at, p_at, end


@kernel
def decode_one(
    words: NDArray[np.uint16],
    place: np.uint64,
    stop: np.uint64,
    count: np.uint64,
    first: np.uint64,
    last: np.uint64,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    to: np.uint64,
    low: NDArray[np.uint16],
    runs: NDArray[np.uint16],
    past: bool,
) -> int:
    """Blocks ``first`` to ``last`` (excluded) of the payload ``words[place:stop]``.

    They go to the columns from ``to`` on; a column of length 0 is not wanted.
    """
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
        if first <= b and b < last:
            if t.size:
                here = past and is_aligned(t, to)
                bad |= decode_times(words, head, at, n, low, t, to, here)
            if x.size:
                here = past and is_aligned(x, to)
                bad |= decode_coordinates(words, head + U(AT_X), x_at, n, low, runs, x, to, here)
            if y.size:
                here = past and is_aligned(y, to)
                bad |= decode_coordinates(words, head + U(AT_Y), y_at, n, low, runs, y, to, here)
            if p.size:
                here = past and is_aligned(p, to)
                decode_polarity(words, head, p_at, n, p, to, here)
            if bad != DONE:
                return bad
            to += n
        at = end
    return DONE if at == stop else BAD_LENGTH


@kernel
def room_in(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8]
) -> np.int64:
    """Events that fit into all columns that are wanted: those of length 0 are not."""
    room = np.int64(1) << np.int64(62)
    for size in (t.size, x.size, y.size, p.size):
        if size > 0:
            room = min(room, np.int64(size))
    return room


@kernel
def decode(
    words: NDArray[np.uint16],
    pieces: NDArray[np.int64],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    past: bool,
    scratch: NDArray[np.uint16],
) -> int:
    """Decode several chunks at once: one call costs as much as a thousand events.

    ``pieces`` has PIECE numbers a chunk: where its payload starts and stops in ``words``, its
    events, the first and the last block wanted (the last excluded), and where in the columns
    they go. A column of length 0 is not wanted; the others have room for all of the blocks'
    events (both are checked here). ``past`` writes past the cache, which pays for columns larger
    than it. ``scratch`` has SCRATCH values. Returns DONE, or 256 times the number of the bad
    piece plus what is bad. Any payload is read and written in bounds.
    """
    # Whole vectors are stored to both: they start where a cache line does.
    start = (-scratch.ctypes.data % 64) >> 1
    low = scratch[start : start + BLOCK]
    runs = scratch[start + BLOCK : start + BLOCK + RUNS]
    room = room_in(t, x, y, p)
    for i in range(pieces.size // PIECE):
        place, stop, count = pieces[PIECE * i], pieces[PIECE * i + 1], pieces[PIECE * i + 2]
        first, last, to = pieces[PIECE * i + 3], pieces[PIECE * i + 4], pieces[PIECE * i + 5]
        wanted = min(last * BLOCK, count) - first * BLOCK
        good = 0 <= place <= stop <= words.size and first >= 0 and to >= 0
        if not good or wanted > room - to:
            return 256 * i + BAD_LENGTH
        bad = decode_one(
            words, U(place), U(stop), U(count), U(first), U(last), t, x, y, p, U(to),
            low, runs, past,
        )  # fmt: skip
        if bad != DONE:
            return 256 * i + bad
    if past:
        drain()
    return DONE
