"""The tables of codec 2, as model_table_kernels reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import put_bits, put_golomb, zigzag
from evstore.codec.box_tree_kernels import PLACE_BITS, collect, most_bits_of, write_leaves
from evstore.codec.frequency_kernels import class_of, share_slots
from evstore.codec.model_format import (
    MOST_LEAVES,
    NIBBLE_BITS,
    STEP_BINS,
    STEP_RAW,
    TIME_RAW,
    TOKENS,
)
from evstore.codec.model_table_kernels import FIRST_CLASS
from evstore.codec.modelled_cost_kernels import band_stop, bits_in_band, grow_band, sort_bands
from evstore.codec.modelled_room import BESIDE_LEAVES, Workspace
from evstore.codec.modelled_shape_kernels import Shape
from evstore.jit import kernel

U = np.uint64


@kernel
def write_tokens(about: Shape, bits: int, at: np.uint64, ws: Workspace) -> np.uint64:
    """What read_tokens reads, of each table; slots and their places go to ``ws``."""
    for table in range(2 if about.in_tokens else 1):
        base = table * TOKENS
        counts = ws.token_counts[base : base + TOKENS]
        classes = ws.token_classes
        slots = ws.slots[:TOKENS]
        total = U(0)
        present = 0
        for k in range(TOKENS):
            total += U(counts[k])
            present += int(counts[k] != 0)
        at = put_bits(ws.table, at, U(present), U(12))
        if present == 0:
            continue
        if present > 1 << bits:
            return U(0)
        last = np.int64(FIRST_CLASS)
        behind = 0
        for k in range(TOKENS):
            classes[k] = np.uint8(0)
            if counts[k] != 0:
                klass = class_of(U(counts[k]), total, U(1 << bits))
                classes[k] = np.uint8(klass)
                at = put_golomb(ws.table, at, U(k - behind), U(0))
                at = put_golomb(ws.table, at, zigzag(np.int64(klass) - last), U(1))
                last = np.int64(klass)
                behind = k + 1
        share_slots(classes, U(bits), slots)
        entries = ws.token_entries[base : base + TOKENS]
        place_slots(slots, entries)
        for k in range(TOKENS):
            if slots[k] != 0:
                entries[k] |= raw_bits_of_token(about, U(k))
    return at


@kernel
def raw_bits_of_token(about: Shape, token: np.uint64) -> np.uint32:
    """How many raw bits follow a token, as an entry says it."""
    if not about.steps:
        return np.uint32(TIME_RAW[token >> U(1)] << U(24))
    if about.in_tokens:
        token = token >> U(1)
    time_bin, step_bin = token // U(STEP_BINS), token % U(STEP_BINS)
    return np.uint32((TIME_RAW[time_bin] << U(24)) | (STEP_RAW[step_bin] << U(28)))


@kernel
def place_slots(slots: NDArray[np.uint32], entries: NDArray[np.uint32]) -> None:
    """What an encoder needs of each symbol: ``f - 1 | c << 12``, of f slots from c on.

    How many raw bits each of two numbers has comes to it from bit 24 and 28 on.
    """
    at = U(0)
    for k in range(slots.size):
        if slots[k] != 0:
            entries[k] = np.uint32(U(slots[k]) - U(1) | (at << U(12)))
            at += U(slots[k])


@kernel
def write_trees(
    about: Shape, count: int, slot_bits: int, at: np.uint64, ws: Workspace
) -> np.uint64:
    """What read_leaves reads, of each band; leaves of events, slots and places go to ``ws``.

    Returns 0 where there are too many leaves.
    """
    bands = int(about.bands) + int(about.near)
    key_bits = int(about.key_bits)
    moved = sort_bands(about, count, ws)
    keys = ws.other_keys[:count] if moved else ws.keys[:count]
    a = first = 0
    for band in range(bands):
        b = band_stop(keys, a, band, key_bits)
        at = put_bits(ws.table, at, U(b > a), U(1))
        if b == a:
            continue
        bits, side = bits_in_band(about, band)
        most = most_bits_of(side, bits - side)
        grow_band(about, keys, a, b, band, 1, ws)
        leaves = collect(ws.nodes, most, ws.left[first:], ws.counts[first:], ws.stack)
        if leaves < 0 or (at >> U(4)) + U(leaves + BESIDE_LEAVES) > U(ws.table.size):
            return U(0)
        stop = first + leaves
        present = 0
        for k in range(first, stop):
            ws.classes[k] = np.uint8(0)
            if ws.counts[k] != 0:
                klass = class_of(U(ws.counts[k]), U(b - a), U(1) << U(slot_bits))
                ws.classes[k] = np.uint8(klass)
                present += 1
        if present > min(1 << slot_bits, MOST_LEAVES):
            return U(0)
        at = write_leaves(ws.table, at, bits, most, ws.left[first:stop], ws.classes[first:stop])
        share_slots(ws.classes[first:stop], U(slot_bits), ws.slots[first:stop])
        place_slots(ws.slots[first:stop], ws.leaf_entries[first:stop])
        boxes = not about.steps and band == 0
        trees_to_leaves(about, keys[a:b], boxes, first, stop, ws)
        a = b
        first = stop
    return at


@kernel
def trees_to_leaves(
    about: Shape,
    keys: NDArray[np.uint64],
    boxes: bool,
    first: int,
    stop: int,
    ws: Workspace,
) -> None:
    """Leaf and raw bits of the events of a tree, whose leaves ``first`` to ``stop`` are in ``ws``.

    ``boxes``: of both coordinates, which are in ``ws.leaf_raw``; else of keys.
    """
    a = 0
    for leaf in range(first, stop):
        b = a + int(ws.counts[leaf])
        left = U(ws.left[leaf])
        one, two = left, U(0)
        if boxes:
            one, two = leaf_sides(about, left)
        ws.leaf_entries[leaf] |= np.uint32((one << U(24)) | (two << U(28)))
        minor, major = (U(1) << one) - U(1), (U(1) << two) - U(1)
        for j in range(a, b):
            i = keys[j] & U((1 << PLACE_BITS) - 1)
            ws.leaves[i] = np.uint16(leaf)
            if boxes:
                both = U(ws.leaf_raw[i])
                ws.leaf_raw[i] = np.uint32((both & minor) | (((both >> U(16)) & major) << one))
            else:
                ws.leaf_raw[i] = np.uint32((keys[j] >> U(PLACE_BITS)) & minor)
        a = b


@kernel
def leaf_sides(about: Shape, left: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Bits of the minor and the major coordinate in a box of both that has ``left`` bits."""
    a, b = about.minor_bits, about.major_bits
    both = min(a, b)
    if left > U(2) * both:
        return (left - both, both) if a > b else (both, left - both)
    return left >> U(1), (left + U(1)) >> U(1)


@kernel
def write_nibbles(
    nibbles: NDArray[np.uint8],
    at: np.uint64,
    table: NDArray[np.uint16],
    counts: NDArray[np.uint32],
    classes: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    entries: NDArray[np.uint32],
) -> np.uint64:
    """What read_nibbles reads."""
    for k in range(16):
        counts[k] = np.uint32(0)
    for i in range(nibbles.size):
        counts[nibbles[i]] += np.uint32(1)
    for k in range(16):
        klass = U(0)
        if counts[k] != 0:
            klass = class_of(U(counts[k]), U(nibbles.size), U(1 << NIBBLE_BITS))
        classes[k] = np.uint8(klass)
        at = put_bits(table, at, klass, U(5))
    share_slots(classes, U(NIBBLE_BITS), slots)
    place_slots(slots, entries)
    return at
