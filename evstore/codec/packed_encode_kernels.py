"""Codec 1, `packed`: blocks of 1024 events, each column in the cheapest of a few bit-packed forms.

The layout is in formats/evs/SPEC.md. A payload is an array of uint16: a descriptor of
DESCRIPTOR words for each block, then the blocks' sections in order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import put_long
from evstore.codec.bitpack_kernels import BLOCK, MASK, pack, section_words
from evstore.codec.chunk_kernels import include, measure_times
from evstore.codec.vector_encoding import (
    COUNTS,
    bits_above,
    bits_changed,
    bits_on,
    gather_runs,
    lowest_bit,
)
from evstore.jit import kernel

U = np.uint64

# A descriptor, in words: t0 (4), t form, exceptions and p form, x and y: form, low, runs.
DESCRIPTOR = 12
AT_T, AT_PATCH, AT_X, AT_Y = 4, 5, 6, 9
P_SHIFT = 14

# Forms are kept in the high byte of their word, widths in the low one.
T_NARROW = 0  # deltas; the block spans less than 2**16 us
T_WIDE = 1  # deltas, any span
T_SIGNED = 2  # zigzag deltas: time steps back somewhere
T_RAW = 3  # four words an event
XY_OFFSET = 0  # value - low
XY_RUNS = 1  # a bit where the value changes, and the values it changes to
P_OFF, P_ON, P_BITS = 0, 1, 2

EXCEPTION_WORDS = 3  # position, then what does not fit in the width: low word, high word
EXCEPTION_BITS = 48
#: Steps below it add up to less than an int64 holds, over a block.
SMALL_STEP = U(1 << 48)
#: A row of measures: those of codec.chunk.Measures, and which bits the time steps have.
MEASURES = 12
MEASURED_X0, MEASURED_Y0, MEASURED_X1, MEASURED_Y1 = 6, 7, 8, 9
MEASURED_ON, MEASURED_STEPS = 10, 11

RUN_GAIN_WORDS = 32  # XY_RUNS decodes slower: it must save this much in a full block (half a bit)


@kernel
def bit_length(value: np.uint64) -> int:
    """Bits of ``value``: 0 for 0, 64 for 2**63 and above."""
    n = 0
    v = U(value)
    for step in (32, 16, 8, 4, 2, 1):
        if v >> U(step) != U(0):
            n += step
            v = v >> U(step)
    return n + int(v != U(0))


@kernel
def worst_words(count: int) -> int:
    """Words that no chunk of ``count`` events exceeds."""
    blocks = (count + BLOCK - 1) // BLOCK
    rows = (count + 63) >> 6
    # A row of 64: times 256 words (four each), x and y 64 each at width 16, polarity 4.
    return blocks * DESCRIPTOR + rows * (256 + 2 * 64 + 4)


@kernel
def count_above(values: NDArray[np.uint16], count: int, limit: np.uint16) -> int:
    """How many of up to 65,535 values are greater than ``limit``."""
    found = np.uint16(0)  # as narrow as the values, so that LLVM counts them in vectors
    for i in range(count):
        found = np.uint16(U(found) + U(values[i] > limit))
    return int(found)


@kernel
def choose_width(low: NDArray[np.uint16], values: NDArray[np.uint64], count: int, full: int) -> int:
    """The width that makes ``count`` values smallest, exceptions counted; -1 where none can.

    ``full`` is the bit length of the largest value; ``low`` has the values' low 16 bits. Of
    equals the widest is taken.
    """
    best = -1
    best_bits = 1 << 60
    for width in range(max(full - 32, 0), min(full, 16) + 1):
        bits = 16 * section_words(count, width)
        if bits > best_bits:
            break  # so is every wider one
        if full <= 16:
            over = count_above(low, count, MASK[width])
        else:
            over = 0
            for i in range(count):
                over += int(values[i] >> U(width) != U(0))
        bits += over * EXCEPTION_BITS
        if bits <= best_bits:
            best = width
            best_bits = bits
    return best


@kernel
def raw_times(t: NDArray[np.int64], head: NDArray[np.uint16], out: NDArray[np.uint16]) -> int:
    """Four words an event, for times that no width and exceptions can hold."""
    head[AT_T] = np.uint16(T_RAW << 8)
    for i in range(t.size):
        put_long(out, 4 * i, U(t[i]))
    return 4 * t.size


@kernel
def time_deltas(t: NDArray[np.int64], deltas: NDArray[np.uint64]) -> tuple[int, int, np.uint64]:
    """Differences modulo 2**64, the first one 0.

    Returns the form, the bit length of the largest, and which bits the differences have.
    Zigzag where one is negative, so that only blocks in which time steps back pay for it.
    """
    n = t.size
    every = U(0)
    signs = np.int64(0)
    deltas[0] = U(0)
    for i in range(1, n):
        d = t[i] - t[i - 1]
        deltas[i] = U(d)
        every |= U(d)
        signs |= d
    form = T_WIDE
    steps = every
    if signs < 0:
        form = T_SIGNED
        every = U(0)
        for i in range(n):
            d = np.int64(deltas[i])
            deltas[i] = (U(d) << U(1)) ^ U(d >> np.int64(63))
            every |= deltas[i]
    elif every < U(0x10000) and U(t[n - 1]) - U(t[0]) < U(0x10000):
        form = T_NARROW
    return form, bit_length(every), steps


@kernel
def encode_times(
    t: NDArray[np.int64],
    deltas: NDArray[np.uint64],
    low: NDArray[np.uint16],
    head: NDArray[np.uint16],
    out: NDArray[np.uint16],
) -> tuple[int, np.uint64]:
    """Write one block's times; ``head`` is its descriptor.

    Returns the words used of ``out``, and which bits the time steps have.
    """
    n = t.size
    put_long(head, 0, U(t[0]))
    head[AT_PATCH] = np.uint16(0)
    form, full, steps = time_deltas(t, deltas)
    if full > 48:
        return raw_times(t, head, out), steps
    for i in range(n):
        low[i] = np.uint16(deltas[i] & U(0xFFFF))
    width = choose_width(low, deltas, n, full)
    if width < 0:
        return raw_times(t, head, out), steps
    head[AT_T] = np.uint16(form << 8 | width)
    w = U(width)
    size = section_words(n, width)
    pack(low, n, width, out[:size])
    found = 0
    i = 0
    while i < n:
        if full <= 16 and n - i >= 64:  # most of them fit: look at those that do not
            above = bits_above(low, U(i), MASK[w])
            if above == U(0):
                i += 64
                continue
            i += int(lowest_bit(above))
        high = deltas[i] >> w
        if high != U(0):
            out[size] = np.uint16(i)
            out[size + 1] = np.uint16(high & U(0xFFFF))
            out[size + 2] = np.uint16(high >> U(16))
            size += EXCEPTION_WORDS
            found += 1
        i += 1
    head[AT_PATCH] = np.uint16(found)
    return size, steps


@kernel
def known_times(t: NDArray[np.int64], steps: np.uint64) -> tuple[bool, np.int64, np.int64]:
    """measure_times, without a look at every time where the bits of the steps tell enough."""
    last = t[t.size - 1]
    if steps < SMALL_STEP and t[0] <= last:  # or they passed the end of int64 on the way
        return True, t[0], last
    return measure_times(t)


@kernel
def encode_coordinates(
    values: NDArray[np.uint16],
    low: NDArray[np.uint16],
    runs: NDArray[np.uint16],
    head: NDArray[np.uint16],
    out: NDArray[np.uint16],
) -> tuple[int, np.uint16, np.uint16]:
    """Write one block's x or y; ``head`` is its form, low and runs.

    Returns the words used, the least and the greatest value.
    """
    n = values.size
    least = values[0]
    most = values[0]
    for i in range(n):
        least = min(least, values[i])
        most = max(most, values[i])
    changes = 1
    for i in range(1, n):
        changes += int(values[i] != values[i - 1])
    width = bit_length(U(most) - U(least))
    plain = section_words(n, width)
    bitmap = (n + 15) >> 4
    used = section_words(changes, width)
    head[1] = least
    if bitmap + used + (RUN_GAIN_WORDS * n) // BLOCK >= plain:
        head[0] = np.uint16(XY_OFFSET << 8 | width)
        head[2] = np.uint16(0)
        for i in range(n):
            low[i] = np.uint16(values[i] - least)
        pack(low, n, width, out[:plain])
        return plain, least, most
    head[0] = np.uint16(XY_RUNS << 8 | width)
    head[2] = np.uint16(changes)
    encode_runs(values, least, changes, runs, out)
    pack(runs, changes, width, out[bitmap : bitmap + used])
    return bitmap + used, least, most


@kernel
def encode_runs(
    values: NDArray[np.uint16],
    least: np.uint16,
    changes: int,
    runs: NDArray[np.uint16],
    out: NDArray[np.uint16],
) -> None:
    """The bitmap of changes to ``out``, and the values changed to, less ``least``, to ``runs``."""
    n = values.size
    first = min(n, 64)
    word = U(1)  # the first event counts as a change
    for i in range(1, first):
        word |= U(values[i] != values[i - 1]) << U(i)
    found = U(0)
    for i in range(0, n, 64):
        if i > 0:
            word = U(0)
            if n - i >= 64:
                word = bits_changed(values, U(i))
            else:
                for k in range(i, n):
                    word |= U(values[k] != values[k - 1]) << U(k - i)
        for k in range(min(4, (n - i + 15) >> 4)):
            out[(i >> 4) + k] = np.uint16((word >> U(16 * k)) & U(0xFFFF))
        for k in range(0, min(64, n - i), 8):
            changed = (word >> U(k)) & U(0xFF)
            if n - i - k >= 8:
                gather_runs(values, U(i + k), changed, least, runs, found)
                found += COUNTS[changed]
            else:
                for j in range(i + k, n):
                    if (word >> U(j - i)) & U(1):
                        runs[found] = np.uint16(values[j] - least)
                        found += U(1)
    for i in range(changes, (changes + 63) & -64):
        runs[i] = np.uint16(0)


@kernel
def encode_polarity(
    p: NDArray[np.uint8], head: NDArray[np.uint16], out: NDArray[np.uint16]
) -> tuple[int, int]:
    """Write one block's p; ``head`` is its descriptor. Returns the words used and the ON events."""
    n = p.size
    on = 0
    for i in range(n):
        on += int(p[i])
    if on == 0 or on == n:
        head[AT_PATCH] |= np.uint16((P_OFF if on == 0 else P_ON) << P_SHIFT)
        return 0, on
    head[AT_PATCH] |= np.uint16(P_BITS << P_SHIFT)
    for i in range(0, n & -64, 64):
        bits = bits_on(p, U(i))
        for k in range(4):
            out[(i >> 4) + k] = np.uint16((bits >> U(16 * k)) & U(0xFFFF))
    for k in range((n & -64) >> 4, (n + 15) >> 4):
        word = 0
        for i in range(16 * k, min(16 * k + 16, n)):
            word |= int(p[i]) << (i & 15)
        out[k] = np.uint16(word)
    return (n + 15) >> 4, on


@kernel
def encode(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    out: NDArray[np.uint16],
    deltas: NDArray[np.uint64],
    low: NDArray[np.uint16],
    runs: NDArray[np.uint16],
    measures: NDArray[np.int64],
) -> int:
    """Encode a chunk and measure it; ``out`` holds ``worst_words(t.size)``. Returns the words used.

    ``deltas``, ``low`` and ``runs`` are scratch of BLOCK + 8 values each; ``measures`` gets a row
    of MEASURES.
    """
    n = t.size
    blocks = (n + BLOCK - 1) // BLOCK
    at = blocks * DESCRIPTOR
    every = U(0)
    for b in range(blocks):
        start = b * BLOCK
        stop = min(start + BLOCK, n)
        ts = t[start:stop]
        head = out[b * DESCRIPTOR : (b + 1) * DESCRIPTOR]
        # Rows beyond a short block's last event are packed too: zeros keep the bytes reproducible.
        low[stop - start :] = np.uint16(0)
        used, steps = encode_times(ts, deltas, low, head, out[at:])
        at += used
        used, x0, x1 = encode_coordinates(x[start:stop], low, runs, head[AT_X:], out[at:])
        at += used
        used, y0, y1 = encode_coordinates(y[start:stop], low, runs, head[AT_Y:], out[at:])
        at += used
        used, on = encode_polarity(p[start:stop], head, out[at:])
        at += used
        include(ts, known_times(ts, steps), (x0, x1), (y0, y1), on, b == 0, measures)
        every |= steps | (U(t[start]) - U(t[max(start - 1, 0)]))
    measures[MEASURED_STEPS] = np.int64(every)
    return at
