"""AEDAT 1.0 and 2.0 records to events. The words are big-endian; they come as read."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
LAST = 0  # the last time as stored; -1 before the first record
LOOP = 1  # what wraps of the 32-bit clock add
TRIGGERS = 2  # edges in the trigger buffer
ON = 3  # events of polarity 1 so far
EVENTS = 4  # events so far
FAULT = 5  # 1 where an address is too wide for the layout that was inferred
SAMPLES = 6  # words in the sample buffer
STATE_SIZE = 7

# Indices into `counts`.
SPECIAL = 0
WIDE = 1
COUNTS_SIZE = 2

# Unsigned indices: numba need not look whether they count from the end.
ONE, TWO = np.uint64(1), np.uint64(2)


@kernel
def swapped(word: Any) -> Any:
    """A 32-bit word, its bytes in the other order."""
    w = np.int64(word)
    return (w & 0xFF) << 24 | (w & 0xFF00) << 8 | (w >> 8) & 0xFF00 | w >> 24


@kernel
def decode_dvs128(
    words: Any,
    position: Any,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: Any,
    state: Any,
    counts: Any,
    inferred: Any,
) -> Any:
    """Pairs of u32 in the layout of the DVS128, until they end or the batch is full; where
    ``inferred``, an address beyond 16 bits is a fault. Returns (position, filled).
    """
    last = state[LAST]
    loop = state[LOOP]
    n = np.uint64(filled)
    i = np.uint64(position)
    on = np.int64(0)
    while i + ONE < np.uint64(words.size) and n < np.uint64(t.size):
        address = swapped(words[i])
        stored = swapped(words[i + ONE])
        if address > 0xFFFF and inferred:
            state[FAULT] = 1
            break
        # Only a step back of more than half the range is a wrap; smaller ones are kept as they are.
        if last - stored > 0x80000000:
            loop += 0x100000000
        last = stored
        i += TWO
        if address > 0x7FFF:
            counts[SPECIAL if address <= 0xFFFF else WIDE] += 1
            continue
        t[n] = loop + stored
        x[n] = (address >> 1) & 127
        y[n] = address >> 8
        p[n] = (address & 1) ^ 1
        on += (address & 1) ^ 1
        n += ONE
    state[LAST] = last
    state[LOOP] = loop
    state[ON] += on
    state[EVENTS] += np.int64(n) - filled
    return np.int64(i), np.int64(n)


@kernel
def decode_davis(
    words: Any,
    position: Any,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: Any,
    state: Any,
    counts: Any,
    trigger_t: Any,
    trigger_id: Any,
    trigger_p: Any,
    sample: Any,
    sample_t: Any,
) -> Any:
    """Pairs of u32 in the layout of the DAVIS, until they end or the batch, the trigger buffer or
    that of samples (which must have room) is full. Returns (position, filled).
    """
    last = state[LAST]
    loop = state[LOOP]
    edges = state[TRIGGERS]
    samples = state[SAMPLES]
    n = np.uint64(filled)
    i = np.uint64(position)
    on = np.int64(0)
    while i + ONE < np.uint64(words.size) and n < np.uint64(t.size) and edges < trigger_t.size:
        address = swapped(words[i])
        stored = swapped(words[i + ONE])
        # Only a step back of more than half the range is a wrap; smaller ones are kept as they are.
        if last - stored > 0x80000000:
            loop += 0x100000000
        last = stored
        i += TWO
        if address & 0x80000400 == 0:
            t[n] = loop + stored
            x[n] = (address >> 12) & 1023
            y[n] = address >> 22
            p[n] = (address >> 11) & 1
            on += (address >> 11) & 1
            n += ONE
        elif address & 0x80000000:
            sample[samples] = address
            sample_t[samples] = loop + stored
            samples += 1
            if samples == sample_t.size:
                break
        elif address & 7 == 2 or address & 7 == 3:
            trigger_t[edges] = loop + stored
            trigger_id[edges] = 0
            trigger_p[edges] = address & 1
            edges += 1
        else:
            counts[SPECIAL] += 1
    state[LAST] = last
    state[LOOP] = loop
    state[TRIGGERS] = edges
    state[SAMPLES] = samples
    state[ON] += on
    state[EVENTS] += np.int64(n) - filled
    return np.int64(i), np.int64(n)


@kernel
def decode_1(
    octets: Any,
    position: Any,
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    filled: Any,
    state: Any,
    counts: Any,
) -> Any:
    """Version 1.0: u16 and u32, until they end or the batch is full; returns (position, filled)."""
    last = state[LAST]
    loop = state[LOOP]
    n = filled
    i = position
    on = np.int64(0)
    while i + 5 < octets.size and n < t.size:
        high = np.int64(octets[i])
        low = np.int64(octets[i + 1])
        stored = np.int64(octets[i + 2]) << 24 | np.int64(octets[i + 3]) << 16
        stored |= np.int64(octets[i + 4]) << 8 | np.int64(octets[i + 5])
        if last - stored > 0x80000000:
            loop += 0x100000000
        last = stored
        i += 6
        if high > 127:
            counts[SPECIAL] += 1
            continue
        t[n] = loop + stored
        x[n] = low >> 1
        y[n] = high
        p[n] = (low & 1) ^ 1
        on += (low & 1) ^ 1
        n += 1
    state[LAST] = last
    state[LOOP] = loop
    state[ON] += on
    state[EVENTS] += n - filled
    return i, n
