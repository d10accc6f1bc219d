"""Codec 1, `packed`: blocks of 1024 events, each column in the cheapest of a few bit-packed forms.

The layout is in formats/evs/SPEC.md. A payload is an array of uint16: a descriptor of
DESCRIPTOR words for each block, then the blocks' sections in order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bitpack_kernels import BLOCK, MASK, pack, section_words
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
    return blocks * (DESCRIPTOR + 4 * BLOCK + 2 * 17 * 64 + 64 + 64)


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

    ``full`` is the bit length of the largest value; ``low`` has the values' low 16 bits.
    """
    best = -1
    best_bits = 1 << 60
    for width in range(min(full, 16), max(full - 33, -1), -1):
        if full <= 16:
            over = count_above(low, count, MASK[width])
        else:
            over = 0
            for i in range(count):
                over += int(values[i] >> U(width) != U(0))
        bits = 16 * section_words(count, width) + over * EXCEPTION_BITS
        if bits < best_bits:
            best = width
            best_bits = bits
        elif over * EXCEPTION_BITS > best_bits:
            break
    return best


@kernel
def raw_times(t: NDArray[np.int64], head: NDArray[np.uint16], out: NDArray[np.uint16]) -> int:
    """Four words an event, for times that no width and exceptions can hold."""
    head[AT_T] = np.uint16(T_RAW << 8)
    for i in range(t.size):
        for k in range(4):
            out[4 * i + k] = np.uint16((U(t[i]) >> U(16 * k)) & U(0xFFFF))
    return 4 * t.size


@kernel
def time_deltas(t: NDArray[np.int64], deltas: NDArray[np.uint64]) -> tuple[int, int]:
    """Differences modulo 2**64, the first one 0; returns (form, bit length of the largest).

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
    if signs < 0:
        form = T_SIGNED
        every = U(0)
        for i in range(n):
            d = np.int64(deltas[i])
            deltas[i] = (U(d) << U(1)) ^ U(d >> np.int64(63))
            every |= deltas[i]
    elif every < U(0x10000) and U(t[n - 1]) - U(t[0]) < U(0x10000):
        form = T_NARROW
    return form, bit_length(every)


@kernel
def encode_times(
    t: NDArray[np.int64],
    deltas: NDArray[np.uint64],
    low: NDArray[np.uint16],
    head: NDArray[np.uint16],
    out: NDArray[np.uint16],
) -> int:
    """Write one block's times; ``head`` is its descriptor. Returns the words used of ``out``."""
    n = t.size
    for k in range(4):
        head[k] = np.uint16((U(t[0]) >> U(16 * k)) & U(0xFFFF))
    head[AT_PATCH] = np.uint16(0)
    form, full = time_deltas(t, deltas)
    if full > 48:
        return raw_times(t, head, out)
    for i in range(n):
        low[i] = np.uint16(deltas[i] & U(0xFFFF))
    width = choose_width(low, deltas, n, full)
    if width < 0:
        return raw_times(t, head, out)
    head[AT_T] = np.uint16(form << 8 | width)
    w = U(width)
    size = section_words(n, width)
    pack(low, n, width, out[:size])
    found = 0
    for i in range(n):
        high = deltas[i] >> w
        if high != U(0):
            out[size] = np.uint16(i)
            out[size + 1] = np.uint16(high & U(0xFFFF))
            out[size + 2] = np.uint16(high >> U(16))
            size += EXCEPTION_WORDS
            found += 1
    head[AT_PATCH] = np.uint16(found)
    return size


@kernel
def encode_coordinates(
    values: NDArray[np.uint16],
    low: NDArray[np.uint16],
    runs: NDArray[np.uint16],
    head: NDArray[np.uint16],
    out: NDArray[np.uint16],
) -> int:
    """Write one block's x or y; ``head`` is its form, low and runs. Returns the words used."""
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
        return plain
    head[0] = np.uint16(XY_RUNS << 8 | width)
    head[2] = np.uint16(changes)
    runs[:] = np.uint16(0)
    runs[0] = np.uint16(values[0] - least)
    found = 0
    before = values[0]
    for k in range(bitmap):
        word = int(k == 0)  # the first event counts as a change
        for i in range(16 * k, min(16 * k + 16, n)):
            changed = int(values[i] != before)
            word |= changed << (i & 15)
            before = values[i]
            found += changed
            runs[found] = np.uint16(values[i] - least)
        out[k] = np.uint16(word)
    pack(runs, changes, width, out[bitmap : bitmap + used])
    return bitmap + used


@kernel
def encode_polarity(p: NDArray[np.uint8], head: NDArray[np.uint16], out: NDArray[np.uint16]) -> int:
    """Write one block's p; ``head`` is its descriptor. Returns the words used of ``out``."""
    n = p.size
    on = 0
    for i in range(n):
        on += int(p[i])
    if on == 0 or on == n:
        head[AT_PATCH] |= np.uint16((P_OFF if on == 0 else P_ON) << P_SHIFT)
        return 0
    head[AT_PATCH] |= np.uint16(P_BITS << P_SHIFT)
    for k in range(n >> 4):
        word = 0
        for i in range(16):
            word |= int(p[16 * k + i]) << i
        out[k] = np.uint16(word)
    if n & 15:
        word = 0
        for i in range(n & 15):
            word |= int(p[(n & -16) + i]) << i
        out[n >> 4] = np.uint16(word)
    return (n + 15) >> 4


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
) -> int:
    """Encode a chunk; ``out`` holds ``worst_words(t.size)``. Returns the words used.

    ``deltas``, ``low`` and ``runs`` are scratch of BLOCK values each.
    """
    n = t.size
    blocks = (n + BLOCK - 1) // BLOCK
    at = blocks * DESCRIPTOR
    for b in range(blocks):
        start = b * BLOCK
        stop = min(start + BLOCK, n)
        head = out[b * DESCRIPTOR : (b + 1) * DESCRIPTOR]
        # Rows beyond a short block's last event are packed too: zeros keep the bytes reproducible.
        low[stop - start :] = np.uint16(0)
        at += encode_times(t[start:stop], deltas, low, head, out[at:])
        at += encode_coordinates(x[start:stop], low, runs, head[AT_X:], out[at:])
        at += encode_coordinates(y[start:stop], low, runs, head[AT_Y:], out[at:])
        at += encode_polarity(p[start:stop], head, out[at:])
    return at
