"""Scratch memory of codec 2, made once and used for many chunks by one thread."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.box_tree_kernels import MOST_DIGIT
from evstore.codec.model_format import (
    LANES,
    LARGE_CELLS,
    MOST_BANDS,
    MOST_LEAVES,
    NIBBLE_BITS,
    SLOTS,
    SMALL_CELLS,
    TOKEN_BITS,
    TOKENS,
)
from evstore.codec.model_table_kernels import DEEPEST

#: Words of the stream that no event exceeds: two symbols and four numbers of raw bits.
EVENT_WORDS = 6
#: Leaves of all bands, those without events too: more make the chunk one of codec 1.
LEAVES = 4 * MOST_LEAVES
BESIDE_LEAVES = 64  # words: what comes with a tree, and, behind the last one, of nibbles
#: A token takes 22 bits at most (12 of zeros left out, 10 of a class), a leaf less than a word.
MOST_TABLE_WORDS = 2 * TOKENS * 22 // 16 + LEAVES + BESIDE_LEAVES * (MOST_BANDS + 1)
NODES = 4  # of trees, an event: more are not looked at


class Room(NamedTuple):
    """What decoding needs beside its input and output."""

    tokens: NDArray[np.uint64]  # 2**TOKEN_BITS slots
    leaves: NDArray[np.uint64]  # SLOTS
    nibbles: NDArray[np.uint64]  # 2**NIBBLE_BITS
    classes: NDArray[np.uint8]
    slots: NDArray[np.uint32]
    about: NDArray[np.uint64]  # of each symbol
    stack: NDArray[np.uint64]
    lanes: NDArray[np.uint64]  # five numbers of each
    times: NDArray[np.uint32]  # of each step, of each lane: since the lane's start; p in bit 31
    places: NDArray[np.uint32]  # minor coordinate, major from bit 16 on
    firsts: NDArray[np.uint64]  # of each lane
    bases: NDArray[np.uint64]
    cells: NDArray[np.uint32]
    wrong: NDArray[np.uint8]
    small: NDArray[np.uint8]
    large: NDArray[np.uint8]
    t: NDArray[np.int64]  # columns of a chunk that go past the cache
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]


class Workspace(NamedTuple):
    """What encoding needs beside its input and output."""

    gaps: NDArray[np.uint64]  # of time
    time_bins: NDArray[np.uint8]
    tokens: NDArray[np.uint16]  # of each event, an event of each lane after the other
    token_raw: NDArray[np.uint32]  # bits behind its token
    leaves: NDArray[np.uint16]
    leaf_raw: NDArray[np.uint32]
    keys: NDArray[np.uint64]  # each above the place of its event
    other_keys: NDArray[np.uint64]
    digits: NDArray[np.uint32]
    nodes: NDArray[np.int32]
    costs: NDArray[np.int64]
    stack: NDArray[np.int32]
    left: NDArray[np.uint8]  # of each leaf
    counts: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    slots: NDArray[np.uint32]
    leaf_entries: NDArray[np.uint32]  # see place_slots
    token_counts: NDArray[np.uint32]  # two tables of TOKENS
    token_classes: NDArray[np.uint8]
    token_entries: NDArray[np.uint32]
    cells: NDArray[np.uint32]
    contexts: NDArray[np.uint8]
    small: NDArray[np.uint8]
    large: NDArray[np.uint8]
    nibbles: NDArray[np.uint8]
    table: NDArray[np.uint16]
    stream: NDArray[np.uint16]
    states: NDArray[np.uint64]
    found: NDArray[np.int64]


def decode_room(events: int) -> Room:
    """What decoding chunks of up to so many events needs."""
    empty = np.empty
    lanes = events + LANES
    return Room(
        tokens=empty(1 << TOKEN_BITS, np.uint64),
        leaves=empty(SLOTS, np.uint64),
        nibbles=empty(2 << NIBBLE_BITS, np.uint64),
        classes=empty(max(MOST_LEAVES, TOKENS), np.uint8),
        slots=empty(max(MOST_LEAVES, TOKENS), np.uint32),
        about=empty(max(MOST_LEAVES, TOKENS), np.uint64),
        stack=empty(DEEPEST, np.uint64),
        lanes=empty(5 * LANES, np.uint64),
        times=empty(lanes, np.uint32),
        places=empty(lanes, np.uint32),
        firsts=empty(LANES, np.uint64),
        bases=empty(LANES, np.uint64),
        cells=empty(events, np.uint32),
        wrong=np.zeros(2 * (events // 8 + 16), np.uint8),
        small=empty(SMALL_CELLS, np.uint8),
        large=empty(LARGE_CELLS, np.uint8),
        t=empty(events, np.int64),
        x=empty(events, np.uint16),
        y=empty(events, np.uint16),
        p=empty(events, np.uint8),
    )


def encode_room(events: int) -> Workspace:
    """What encoding chunks of up to so many events needs."""
    empty = np.empty
    nodes = NODES * events + 64
    return Workspace(
        gaps=empty(events, np.uint64),
        time_bins=empty(events, np.uint8),
        tokens=empty(events, np.uint16),
        token_raw=empty(events, np.uint32),
        leaves=empty(events, np.uint16),
        leaf_raw=empty(events, np.uint32),
        keys=empty(events, np.uint64),
        other_keys=empty(events, np.uint64),
        digits=empty((1 << MOST_DIGIT) + 1, np.uint32),
        nodes=empty(5 * nodes, np.int32),
        costs=empty(nodes, np.int64),
        stack=empty(256, np.int32),
        left=empty(LEAVES, np.uint8),
        counts=empty(LEAVES, np.uint32),
        classes=empty(LEAVES, np.uint8),
        slots=empty(LEAVES, np.uint32),
        leaf_entries=empty(LEAVES, np.uint32),
        token_counts=empty(2 * TOKENS, np.uint32),
        token_classes=empty(TOKENS, np.uint8),
        token_entries=empty(2 * TOKENS, np.uint32),
        cells=empty(events, np.uint32),
        contexts=empty(events, np.uint8),
        small=empty(SMALL_CELLS, np.uint8),
        large=empty(LARGE_CELLS, np.uint8),
        nibbles=empty(events // 4 + 2, np.uint8),
        table=empty(MOST_TABLE_WORDS, np.uint16),
        stream=empty(EVENT_WORDS * events + events // 4 + 64, np.uint16),
        states=empty(LANES, np.uint64),
        found=empty(4, np.int64),
    )
