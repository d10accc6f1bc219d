"""Encoding codec 2, `modelled`: what decodes to the events in the fewest bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bit_kernels import put_bits, put_golomb, put_long, zigzag
from evstore.codec.box_tree_kernels import (
    BIT,
    collect,
    grow,
    log2_of,
    most_bits_of,
    prune,
    sort_keys,
    write_leaves,
)
from evstore.codec.cell_kernels import CONTEXTS, cells_of, contexts_of, forget
from evstore.codec.frequency_kernels import class_of, share_slots
from evstore.codec.limits import MAX_EVENTS_IN_BYTE
from evstore.codec.model_format import (
    BANDS,
    ESCAPE,
    EXCEPTION_WORDS,
    EXCEPTIONS,
    FORM,
    HEAD,
    LANES,
    LOW_MAJOR,
    LOW_MINOR,
    MOST_BANDS,
    MOST_EVENTS,
    NEAR,
    NIBBLE_BITS,
    P_AT,
    P_CELLS,
    P_OFF,
    P_ON,
    P_TOKENS,
    PREDICTED,
    RAW_BITS,
    SIDES,
    SLOTS,
    START,
    STATE_WORDS,
    STEP_BASE,
    STEP_BIN,
    STEP_BINS,
    STEP_RAW,
    STEPS,
    SURE,
    SURE_EVENTS,
    SWAPPED,
    T0,
    TABLE_WORDS,
    TIME_BASE,
    TIME_BIN,
    TIME_RAW,
    TOKEN_BITS,
    TOKENS,
    UNIT,
)
from evstore.codec.model_table_kernels import FIRST_CLASS
from evstore.codec.packed_encode_kernels import bit_length
from evstore.codec.rans_kernels import LEAST, lane_start, put_raw, put_symbol
from evstore.jit import kernel

U = np.uint64
MANY_EVENTS = 8192  # that pay for as many bands as there may be
TOKEN_COST = 6 * BIT  # of its class and place in the table
NO_CODE = -1


class Workspace(NamedTuple):
    """What encoding needs beside its input and output."""

    gaps: NDArray[np.uint64]  # of time
    time_bins: NDArray[np.uint8]
    tokens: NDArray[np.uint16]  # of each event
    steps: NDArray[np.uint16]
    leaves: NDArray[np.uint16]
    keys: NDArray[np.uint32]
    other_keys: NDArray[np.uint32]
    order: NDArray[np.uint16]
    other_order: NDArray[np.uint16]
    raw: NDArray[np.uint32]  # bits of each event's key within its leaf
    digits: NDArray[np.int64]
    nodes: NDArray[np.int32]
    costs: NDArray[np.int64]
    stack: NDArray[np.int32]
    left: NDArray[np.uint8]  # of each leaf
    counts: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    slots: NDArray[np.uint32]
    firsts: NDArray[np.uint32]
    token_counts: NDArray[np.uint32]  # two tables of TOKENS
    token_classes: NDArray[np.uint8]
    token_slots: NDArray[np.uint32]
    token_firsts: NDArray[np.uint32]
    cells: NDArray[np.uint32]
    contexts: NDArray[np.uint8]
    small: NDArray[np.uint8]
    large: NDArray[np.uint8]
    nibbles: NDArray[np.uint8]
    table: NDArray[np.uint16]
    stream: NDArray[np.uint16]
    states: NDArray[np.uint64]
    fields: NDArray[np.uint64]  # 8 a lane
    found: NDArray[np.int64]
    choice: NDArray[np.int64]  # the form of the chunk before, -1 where it is to be found


# ------------------------------------------------------------------------------------- times


@kernel
def common_unit(t: NDArray[np.int64]) -> np.uint64:
    """The greatest number up to 65,535 that divides all differences of time; 1 where none is."""
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


# ------------------------------------------------------------------------------------ places


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
def as_map(
    about: Shape,
    minor: NDArray[np.uint16],
    major: NDArray[np.uint16],
    ws: Workspace,
) -> None:
    """Tokens and keys of events that are coded by both coordinates together.

    In ``ws``; keys of events near the one before come behind all others.
    """
    n = U(minor.size)
    for lane in range(U(LANES)):
        row = column = U(0)
        for i in range(lane_start(U(lane), n), lane_start(U(lane) + U(1), n)):
            place, now = U(minor[i]) - about.low_minor, U(major[i]) - about.low_major
            other = U(1)
            if about.near and now == row:
                other = U(0)
                key = (U(1) << about.key_bits) | (place - column + (U(1) << about.minor_bits))
            else:
                key = box_key(place, now, about.minor_bits, about.major_bits)
            ws.tokens[i] = np.uint16(U(ws.time_bins[i]) * U(2) + other)
            ws.steps[i] = np.uint16(other)
            ws.keys[i] = np.uint32(key)
            row, column = now, place


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
    for lane in range(U(LANES)):
        row = about.start
        column = polarity = U(0)
        for i in range(lane_start(U(lane), n), lane_start(U(lane) + U(1), n)):
            place, now = U(minor[i]) - about.low_minor, U(major[i]) - about.low_major
            v = U(p[i]) if about.in_tokens else U(0)
            step = zigzag(np.int64(np.int16((now - row) & U(0xFFFF))))
            band = now >> about.shift
            key = place
            if about.near and step == U(0) and v == polarity:
                band = about.bands
                key = place - column + (U(1) << about.minor_bits)
            token = U(ws.time_bins[i]) * U(STEP_BINS) + U(STEP_BIN[step])
            if about.in_tokens:
                token = token * U(2) + v + polarity * U(TOKENS)
            ws.tokens[i] = np.uint16(token)
            ws.steps[i] = np.uint16(step)
            ws.keys[i] = np.uint32((band << about.key_bits) | key)
            row, column, polarity = now, place, v


# ---------------------------------------------------------------------------------- planning


@kernel
def count_tokens(tokens: NDArray[np.uint16], counts: NDArray[np.uint32]) -> None:
    """How many events each token has."""
    for k in range(counts.size):
        counts[k] = np.uint32(0)
    for i in range(tokens.size):
        counts[tokens[i]] += np.uint32(1)


@kernel
def cost_of_counts(counts: NDArray[np.uint32], each: int) -> int:
    """Bits (in 1024ths) of symbols that are coded by these counts, and ``each`` that is there."""
    total = 0
    cost = 0
    for k in range(counts.size):
        n = int(counts[k])
        if n > 0:
            total += n
            cost += each - n * log2_of(n)
    return cost + total * log2_of(total) if total > 0 else 0


@kernel
def sorted_keys(
    found: int, bits: int, ws: Workspace
) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """The keys in order, and for each which of them it was."""
    swapped = sort_keys(
        ws.keys[:found], ws.order[:found], ws.other_keys[:found], ws.other_order[:found],
        bits, ws.digits,
    )  # fmt: skip
    if swapped:
        return ws.other_keys[:found], ws.other_order[:found]
    return ws.keys[:found], ws.order[:found]


@kernel
def band_stop(keys: NDArray[np.uint32], a: int, band: int, bits: int) -> int:
    """The first key behind a band that starts at ``a``."""
    limit = (U(band) + U(1)) << U(bits)
    b = keys.size
    while a < b:
        m = (a + b) >> 1
        if U(keys[m]) >= limit:
            b = m
        else:
            a = m + 1
    return a


@kernel
def bits_in_band(about: Shape, band: int) -> tuple[int, int]:
    """(bits of a key, bits of its minor coordinate) in a band; behind all bands are the near."""
    if about.near and band == int(about.bands):
        return int(about.minor_bits) + 1, int(about.minor_bits) + 1
    if about.steps:
        return int(about.minor_bits), int(about.minor_bits)
    return int(about.minor_bits + about.major_bits), int(about.minor_bits)


@kernel
def grow_band(
    about: Shape, keys: NDArray[np.uint32], a: int, b: int, band: int, ws: Workspace
) -> int:
    """The tree of the keys from ``a`` to ``b``, to ``ws.nodes``. Returns its cost."""
    bits, side = bits_in_band(about, band)
    most = most_bits_of(side, bits - side)
    used = grow(keys, a, b, bits, most, ws.nodes, ws.costs)
    return prune(ws.nodes, used, most, ws.costs)


@kernel
def cost_of(about: Shape, raw_times: int, count: int, ws: Workspace) -> int:
    """Bits (in 1024ths) of a chunk whose tokens and keys are in ``ws``; p only where in tokens."""
    cost = raw_times * BIT
    count_tokens(ws.tokens[:count], ws.token_counts)
    tables = 2 if about.in_tokens else 1
    for k in range(tables):
        cost += cost_of_counts(ws.token_counts[k * TOKENS : (k + 1) * TOKENS], TOKEN_COST)
    if about.steps:
        raw = U(0)
        for i in range(count):
            raw += STEP_RAW[STEP_BIN[ws.steps[i]]]
        cost += int(raw) * BIT
    bands = int(about.bands) + int(about.near)
    key_bits = int(about.key_bits)
    keys, _ = sorted_keys(count, key_bits + bit_length(U(bands - 1)), ws)
    a = 0
    for band in range(bands):
        b = band_stop(keys, a, band, key_bits)
        if b > a:
            cost += grow_band(about, keys, a, b, band, ws)
        a = b
    return cost


@kernel
def shape_of(
    steps: bool,
    swapped: bool,
    near: bool,
    in_tokens: bool,
    x0: np.uint16,
    x1: np.uint16,
    y0: np.uint16,
    y1: np.uint16,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
) -> Shape:
    """The shape of a chunk of these extents."""
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


# ------------------------------------------------------------------------------------ tables


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


# ---------------------------------------------------------------------------------- polarity


@kernel
def cost_of_mixture(wrong: int, count: int) -> int:
    """Bits (in 1024ths) of ``count`` bits of which ``wrong`` are set."""
    right = count - wrong
    cost = count * log2_of(count) if count else 0
    for n in (wrong, right):
        if n > 0:
            cost -= n * log2_of(n)
    return cost


@kernel
def predict(
    about: Shape,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    ws: Workspace,
) -> None:
    """Contexts of all events; ``ws.found``: what they predict, which are sure, how many events
    are, and the cost."""
    found = ws.found
    minor, major = (y, x) if about.swapped else (x, y)
    n = p.size
    for i in range(n):
        place, row = U(minor[i]) - about.low_minor, U(major[i]) - about.low_major
        ws.cells[i] = np.uint32(cells_of(place, row, about.minor_bits))
    forget(ws.small, ws.large)
    contexts_of(ws.cells[:n], p, ws.small, ws.large, ws.contexts[:n])
    counts = ws.counts[: 2 * CONTEXTS]
    for k in range(2 * CONTEXTS):
        counts[k] = np.uint32(0)
    for i in range(n):
        counts[U(2) * U(ws.contexts[i]) + U(p[i])] += np.uint32(1)
    predicted = 0
    for c in range(CONTEXTS):
        predicted |= int(counts[2 * c + 1] > counts[2 * c]) << c
    found[3] = 1 << 60
    for shift in range(1, 7):
        sure = sure_events = sure_wrong = wrong = 0
        for c in range(CONTEXTS):
            total = int(counts[2 * c]) + int(counts[2 * c + 1])
            less = min(int(counts[2 * c]), int(counts[2 * c + 1]))
            if less << shift < total:
                sure |= 1 << c
                sure_events += total
                sure_wrong += less
            else:
                wrong += less
        cost = cost_of_mixture(sure_wrong, sure_events) + cost_of_mixture(wrong, n - sure_events)
        if cost < found[3]:
            found[0], found[1], found[2], found[3] = predicted, sure, sure_events, cost


@kernel
def gather_wrong(
    p: NDArray[np.uint8],
    predicted: np.uint64,
    sure: np.uint64,
    sure_from: np.uint64,
    nibbles: NDArray[np.uint8],
    contexts: NDArray[np.uint8],
) -> None:
    """Where predictions are wrong, four to a nibble: of events not sure, then of others."""
    n = p.size
    for k in range(nibbles.size):
        nibbles[k] = np.uint8(0)
    a = U(0)
    b = sure_from << U(2)
    for i in range(n):
        c = U(contexts[i])
        wrong = (U(p[i]) ^ (predicted >> c)) & U(1)
        s = (sure >> c) & U(1)
        k = b if s else a  # type: ignore[assignment]
        nibbles[k >> U(2)] |= np.uint8(wrong << (k & U(3)))
        b += s
        a += s ^ U(1)


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


# ------------------------------------------------------------------------------------ stream


@kernel
def put_pair(
    states: NDArray[np.uint64],
    lane: int,
    one: np.uint64,
    one_bits: np.uint64,
    two: np.uint64,
    two_bits: np.uint64,
    second: bool,
    words: NDArray[np.uint16],
    at: np.uint64,
) -> np.uint64:
    """The inverse of take_pairs of one lane, of its first part or the ``second``."""
    if one_bits + two_bits <= U(RAW_BITS):
        if not second:
            states[lane], at = put_raw(
                states[lane], one | (two << one_bits), one_bits + two_bits, words, at
            )
    elif second:
        states[lane], at = put_raw(states[lane], two, two_bits, words, at)
    else:
        states[lane], at = put_raw(states[lane], one, one_bits, words, at)
    return at


@kernel
def leaf_sides(about: Shape, left: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Bits of the minor and the major coordinate in a box of both that has ``left`` bits."""
    a, b = about.minor_bits, about.major_bits
    both = min(a, b)
    if left > U(2) * both:
        return (left - both, both) if a > b else (both, left - both)
    return left >> U(1), (left + U(1)) >> U(1)


@kernel
def put_events(
    about: Shape,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    token_bits: np.uint64,
    slot_bits: np.uint64,
    at: np.uint64,
    ws: Workspace,
) -> np.uint64:
    """The stream of all events, the last first."""
    minor, major = (y, x) if about.swapped else (x, y)
    n = U(minor.size)
    steps, rest = minor.size // LANES, minor.size % LANES
    scratch = ws.fields  # of each lane: time, its bits, step, its bits, minor, bits, major, bits
    for step in range(steps if rest else steps - 1, -1, -1):
        lanes = rest if step == steps else LANES
        for lane in range(lanes):
            i = lane_start(U(lane), n) + U(step)
            k = 8 * lane
            b = ws.time_bins[i]
            scratch[k] = ws.gaps[i] - TIME_BASE[b] if b != ESCAPE else U(0)
            scratch[k + 1] = TIME_RAW[b]
            s = STEP_BIN[ws.steps[i]] if about.steps else U(0)
            scratch[k + 2] = U(ws.steps[i]) - STEP_BASE[s] if about.steps else U(0)
            scratch[k + 3] = STEP_RAW[s] if about.steps else U(0)
            left = U(ws.left[ws.leaves[i]])
            if about.steps or (about.near and ws.steps[i] == 0):
                scratch[k + 4], scratch[k + 5] = U(ws.raw[i]), left
                scratch[k + 6] = scratch[k + 7] = U(0)
            else:
                one, two = leaf_sides(about, left)
                scratch[k + 5], scratch[k + 7] = one, two
                scratch[k + 4] = (U(minor[i]) - about.low_minor) & ((U(1) << one) - U(1))
                scratch[k + 6] = (U(major[i]) - about.low_major) & ((U(1) << two) - U(1))
        at = put_pairs(ws.states, lanes, 4, scratch, ws.stream, at)
        for lane in range(lanes - 1, -1, -1):
            leaf = ws.leaves[lane_start(U(lane), n) + U(step)]
            ws.states[lane], at = put_symbol(
                ws.states[lane], U(ws.slots[leaf]), U(ws.firsts[leaf]), slot_bits, ws.stream, at
            )
        at = put_pairs(ws.states, lanes, 0, scratch, ws.stream, at)
        for lane in range(lanes - 1, -1, -1):
            token = ws.tokens[lane_start(U(lane), n) + U(step)]
            ws.states[lane], at = put_symbol(
                ws.states[lane],
                U(ws.token_slots[token]),
                U(ws.token_firsts[token]),
                token_bits,
                ws.stream,
                at,
            )
    return at


@kernel
def put_pairs(
    states: NDArray[np.uint64],
    lanes: int,
    first: int,
    fields: NDArray[np.uint64],
    words: NDArray[np.uint16],
    at: np.uint64,
) -> np.uint64:
    """The inverse of take_pairs."""
    for part in range(2):
        for lane in range(lanes - 1, -1, -1):
            k = 8 * lane + first
            at = put_pair(
                states, lane, fields[k], fields[k + 1], fields[k + 2], fields[k + 3],
                part == 0, words, at,
            )  # fmt: skip
    return at


@kernel
def put_nibbles(
    nibbles: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    firsts: NDArray[np.uint32],
    at: np.uint64,
    ws: Workspace,
) -> np.uint64:
    """The inverse of take_nibbles."""
    for i in range(nibbles.size - 1, -1, -1):
        lane = i % LANES
        v = nibbles[i]
        ws.states[lane], at = put_symbol(
            ws.states[lane], U(slots[v]), U(firsts[v]), U(NIBBLE_BITS), ws.stream, at
        )
    return at


# ------------------------------------------------------------------------------------- chunk


@kernel
def choose(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    raw_times: int,
    told: bool,
    ws: Workspace,
) -> tuple[bool, bool, bool, bool]:
    """The cheapest form by trial of each: steps, swapped, near, polarity in tokens."""
    x0, x1, y0, y1 = extents
    best = np.int64(1) << 60
    steps = swapped = near = in_tokens = False
    for k in range(16):
        a, b, c, d = bool(k & 1), bool(k & 2), bool(k & 4), bool(k & 8)
        if d and not (a and told):
            continue
        about = shape_of(a, b, c, d, x0, x1, y0, y1, x, y)
        prepare(about, x, y, p, ws)
        cost = cost_of(about, raw_times, x.size, ws)
        if not d and told:
            cost += ws.found[3]
        if cost < best:
            best = cost  # type: ignore[assignment]
            steps, swapped, near, in_tokens = a, b, c, d
    return steps, swapped, near, in_tokens


@kernel
def encode_modelled(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    extents: tuple[np.uint16, np.uint16, np.uint16, np.uint16],
    on: int,
    out: NDArray[np.uint16],
    ws: Workspace,
) -> int:
    """Encode a chunk into ``out``. Returns the words used, or NO_CODE where it does not fit.

    ``extents``: least and greatest x, then y. The form is ``ws.choice``; where that is -1 it is
    found by trial, and put there.
    """
    n = t.size
    if n > MOST_EVENTS:
        return NO_CODE
    x0, x1, y0, y1 = extents
    unit = common_unit(t)
    exceptions = find_gaps(t, ws.gaps, ws.time_bins, unit)
    raw = U(0)
    for i in range(n):
        raw += TIME_RAW[ws.time_bins[i]]
    told = 0 < on < n
    tried = ws.choice[0] < 0
    if tried:
        if told:
            predict(shape_of(False, False, False, False, x0, x1, y0, y1, x, y), x, y, p, ws)
        a, b, c, d = choose(x, y, p, extents, int(raw), told, ws)
        ws.choice[0] = int(a) | int(b) << 1 | int(c) << 2 | int(d) << 3
    k = ws.choice[0]
    in_tokens = bool(k & 8) and told
    about = shape_of(bool(k & 1), bool(k & 2), bool(k & 4), in_tokens, x0, x1, y0, y1, x, y)
    # A trial has left the predictions of cells that are not swapped.
    if told and not in_tokens and (about.swapped or not tried):
        predict(about, x, y, p, ws)
    prepare(about, x, y, p, ws)
    count_tokens(ws.tokens[:n], ws.token_counts)
    form = (STEPS if about.steps else 0) | (SWAPPED if about.swapped else 0)
    form |= NEAR if about.near else 0
    how = P_OFF if on == 0 else P_ON
    if told:
        how = P_TOKENS if in_tokens else P_CELLS
    form |= how << P_AT
    token_bits = TOKEN_BITS - 1 if in_tokens else TOKEN_BITS
    slot_bits = 12
    while (int(about.bands) + int(about.near)) << slot_bits > SLOTS:
        slot_bits -= 1
    for i in range(ws.table.size):
        ws.table[i] = np.uint16(0)
    at = write_tokens(about, token_bits, U(0), ws)
    if at == U(0):
        return NO_CODE
    at = write_trees(about, n, slot_bits, at, ws)
    if at == U(0):
        return NO_CODE
    # The stream, back to front.
    for lane in range(LANES):
        ws.states[lane] = LEAST
    end = U(ws.stream.size)
    to = put_events(about, x, y, U(token_bits), U(slot_bits), end, ws)
    if how == P_CELLS:
        found = ws.found
        sure_events = int(found[2])
        unsure = (n - sure_events + 3) >> 2
        sure = (sure_events + 3) >> 2
        nibbles = ws.nibbles[: unsure + sure]
        gather_wrong(p, U(found[0]), U(found[1]), U(unsure), nibbles, ws.contexts)
        at, to = add_nibbles(nibbles[:unsure], nibbles[unsure:], at, to, ws)
    table_words = (int(at) + 15) >> 4
    stream_words = int(end - to)
    size = HEAD + table_words + EXCEPTION_WORDS * exceptions + STATE_WORDS + stream_words
    # Readers bound what they allocate by a record's size.
    if size > out.size or n > size * 2 * MAX_EVENTS_IN_BYTE:
        return NO_CODE
    for k in range(HEAD):
        out[k] = np.uint16(0)
    out[FORM] = np.uint16(form)
    put_long(out, T0, U(t[0]))
    out[UNIT], out[EXCEPTIONS] = np.uint16(unit), np.uint16(exceptions)
    out[LOW_MINOR], out[LOW_MAJOR] = np.uint16(about.low_minor), np.uint16(about.low_major)
    out[SIDES] = np.uint16(about.minor_bits | (about.major_bits << U(8)))
    out[BANDS] = np.uint16(about.shift | (U(slot_bits) << U(4)) | (about.bands << U(8)))
    out[TABLE_WORDS] = np.uint16(table_words)
    if how == P_CELLS:
        out[PREDICTED], out[SURE] = np.uint16(ws.found[0]), np.uint16(ws.found[1])
        out[SURE_EVENTS] = np.uint16(ws.found[2])
    out[START] = np.uint16(about.start & U(0xFFFF))
    k = HEAD
    for i in range(table_words):
        out[k + i] = ws.table[i]
    k = put_exceptions(t, ws.time_bins, out, k + table_words)
    for lane in range(LANES):
        out[k] = np.uint16(ws.states[lane] & U(0xFFFF))
        out[k + 1] = np.uint16(ws.states[lane] >> U(16))
        k += 2
    for i in range(stream_words):
        out[k + i] = ws.stream[to + U(i)]
    return size


@kernel
def put_exceptions(
    t: NDArray[np.int64], bins: NDArray[np.uint8], out: NDArray[np.uint16], at: int
) -> int:
    """Place and difference of each time that its token does not tell."""
    for i in range(t.size):
        if bins[i] == ESCAPE:
            out[at] = np.uint16(i)
            put_long(out, at + 1, U(t[i]) - U(t[i - 1]))
            at += EXCEPTION_WORDS
    return at


@kernel
def add_nibbles(
    unsure: NDArray[np.uint8], sure: NDArray[np.uint8], at: np.uint64, to: np.uint64, ws: Workspace
) -> tuple[np.uint64, np.uint64]:
    """Tables and stream of both strings of bits, of those that are not empty."""
    # Tables in order, the streams in reverse: the second string's table is kept behind the first's.
    if unsure.size:
        at = write_nibbles(
            unsure, at, ws.table, ws.counts[:16], ws.classes[:16], ws.slots[:16], ws.firsts[:16]
        )
    if sure.size:
        at = write_nibbles(
            sure, at, ws.table, ws.counts[16:32], ws.classes[16:32], ws.slots[16:32],
            ws.firsts[16:32],
        )  # fmt: skip
        to = put_nibbles(sure, ws.slots[16:32], ws.firsts[16:32], to, ws)
    if unsure.size:
        to = put_nibbles(unsure, ws.slots[:16], ws.firsts[:16], to, ws)
    return at, to
