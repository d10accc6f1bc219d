"""Codec 2, `modelled`: what encoder and decoder agree on. The layout is in formats/evs/SPEC.md."""

from __future__ import annotations

import numpy as np

#: Coders side by side; lane ``l`` has the events from ``l * steps + min(l, rest)`` on.
LANES = 32
MOST_EVENTS = 65_535  # of a chunk: places and sums in a lane stay small

# Words of the head.
FORM = 0
T0 = 1  # four words
UNIT = 5
EXCEPTIONS = 6
LOW_MINOR, LOW_MAJOR = 7, 8
SIDES = 9  # bits of the minor coordinate, and of the major one * 256
BANDS = 10  # shift of a band, bits of slots * 16, bands * 256
TABLE_WORDS = 11
PREDICTED, SURE = 12, 13
SURE_EVENTS = 14
START = 15
HEAD = 16
EXCEPTION_WORDS = 5
STATE_WORDS = 2 * LANES

# FORM: flags, and two bits of the form of p.
STEPS = 1  # the major coordinate is coded by its steps, the minor in its band; else both together
SWAPPED = 2  # y is the minor coordinate, not x
NEAR = 4  # events of the row before are coded by their distance from the one before
P_AT = 3
P_OFF, P_ON, P_CELLS, P_TOKENS = 0, 1, 2, 3

# Tokens: a bin of the time difference, a bin of the step of the major coordinate, perhaps p.
TIME_BINS = 30  # of differences below 2^15
ESCAPE = TIME_BINS
STEP_BINS = 34  # two without STEPS: in the row of the event before, or not
TOKEN_BITS = 12  # of slots; one less where there are two tables
TOKENS = (TIME_BINS + 1) * STEP_BINS * 2

# Leaves: boxes of (x, y), or intervals of the minor coordinate a band.
SLOTS = 8192  # of all bands
MOST_LEAVES = 4096
MOST_BANDS = 31
MOST_LEAF_BITS = 14  # of a side
NIBBLE_BITS = 10

# Cells of the prediction of p.
SMALL_CELLS, LARGE_CELLS = 65_536, 16_384

RAW_BITS = 16  # in one go


def _bins(single: int, bins: int) -> tuple[list[int], list[int]]:
    """Base and bits of each bin: ``single`` of one value each, then two for every doubling."""
    bases, bits = list(range(single)), [0] * single
    while len(bases) < bins:
        top = single << ((len(bases) - single) // 2)
        for base in (top, top + top // 2):
            bases.append(base)
            bits.append(top.bit_length() - 2)
    return bases, bits


_time_bases, _time_bits = _bins(2, TIME_BINS)
_step_bases, _step_bits = _bins(8, STEP_BINS)
#: Of the escape: nothing, the difference is an exception.
TIME_BASE = np.array([*_time_bases, 0], np.uint64)
TIME_RAW = np.array([*_time_bits, 0], np.uint64)
STEP_BASE = np.array(_step_bases, np.uint64)
STEP_RAW = np.array(_step_bits, np.uint64)


def _logarithms(most: int) -> np.ndarray:
    n = np.arange(1, most + 1, dtype=np.uint64)
    whole = np.zeros(most, np.uint64)
    for bit in range(1, most.bit_length()):
        whole += (n >> np.uint64(bit)) > 0
    part = (n << np.uint64(31)) >> whole
    found = np.zeros(most, np.uint64)
    for _ in range(10):
        part = (part * part) >> np.uint64(31)
        over = (part >> np.uint64(32)).astype(np.uint64)
        found = found * np.uint64(2) + over
        part >>= over
    return np.concatenate([[0], (whole * 1024 + found).astype(np.int64)])


#: 1024 * log2(n), rounded down, by squaring: integers only.
LOG2 = _logarithms(4096)


def _bin_of(bases: np.ndarray, values: int) -> np.ndarray:
    """The bin of each value below ``values``."""
    return (np.searchsorted(bases, np.arange(values), side="right") - 1).astype(np.uint8)


TIME_BIN = _bin_of(np.array(_time_bases), 1 << 15)
STEP_BIN = _bin_of(np.array(_step_bases), 1 << 16)
