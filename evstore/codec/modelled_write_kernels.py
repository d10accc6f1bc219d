"""The tables of codec 2, as model_table_kernels reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import put_bits, put_golomb, zigzag
from evstore.codec.box_tree_kernels import collect, most_bits_of, write_leaves
from evstore.codec.frequency_kernels import class_of, share_slots
from evstore.codec.model_format import NIBBLE_BITS, TOKENS
from evstore.codec.model_table_kernels import FIRST_CLASS
from evstore.codec.modelled_cost_kernels import band_stop, bits_in_band, grow_band, sorted_keys
from evstore.codec.modelled_room import Workspace
from evstore.codec.modelled_shape_kernels import Shape
from evstore.codec.packed_encode_kernels import bit_length
from evstore.jit import kernel

U = np.uint64


@kernel
def write_tokens(about: Shape, bits: int, at: np.uint64, ws: Workspace) -> np.uint64:
    """What read_tokens reads, of each table; slots and their places go to ``ws``."""
    for table in range(2 if about.in_tokens else 1):
        base = table * TOKENS
        counts = ws.token_counts[base : base + TOKENS]
        classes = ws.token_classes[base : base + TOKENS]
        slots = ws.token_slots[base : base + TOKENS]
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
        place_slots(slots, ws.token_firsts[base : base + TOKENS])
    return at


@kernel
def place_slots(slots: NDArray[np.uint32], firsts: NDArray[np.uint32]) -> None:
    """Where the slots of each symbol start."""
    at = U(0)
    for k in range(slots.size):
        firsts[k] = np.uint32(at)
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
    keys, order = sorted_keys(count, key_bits + bit_length(U(bands - 1)), ws)
    a = first = 0
    for band in range(bands):
        b = band_stop(keys, a, band, key_bits)
        at = put_bits(ws.table, at, U(b > a), U(1))
        if b == a:
            continue
        bits, side = bits_in_band(about, band)
        most = most_bits_of(side, bits - side)
        grow_band(about, keys, a, b, band, ws)
        leaves = collect(ws.nodes, most, ws.left[first:], ws.counts[first:], ws.stack)
        if leaves < 0 or U(at >> U(4)) + U(4 * leaves + 64) > U(ws.table.size):
            return U(0)
        stop = first + leaves
        present = 0
        for k in range(first, stop):
            ws.classes[k] = np.uint8(0)
            if ws.counts[k] != 0:
                klass = class_of(U(ws.counts[k]), U(b - a), U(1) << U(slot_bits))
                ws.classes[k] = np.uint8(klass)
                present += 1
        if present > 1 << slot_bits:
            return U(0)
        at = write_leaves(ws.table, at, bits, most, ws.left[first:stop], ws.classes[first:stop])
        share_slots(ws.classes[first:stop], U(slot_bits), ws.slots[first:stop])
        place_slots(ws.slots[first:stop], ws.firsts[first:stop])
        k = first
        upto = a + int(ws.counts[k])
        for j in range(a, b):
            while j >= upto:
                k += 1
                upto += int(ws.counts[k])
            ws.leaves[order[j]] = np.uint16(k)
            left = U(ws.left[k])
            ws.raw[order[j]] = np.uint32(U(keys[j]) & ((U(1) << left) - U(1)))
        a = b
        first = stop
    return at


@kernel
def write_nibbles(
    nibbles: NDArray[np.uint8],
    at: np.uint64,
    table: NDArray[np.uint16],
    counts: NDArray[np.uint32],
    classes: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    firsts: NDArray[np.uint32],
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
    place_slots(slots, firsts)
    return at
