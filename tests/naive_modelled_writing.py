"""A payload of codec 2 from its own head and tables and from the events: bit for bit the same.

What a writer is free to choose (form, classes, cuts) is taken from the payload; all else is made
again, as formats/evs/SPEC.md tells it. Nothing of evstore is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naive_modelled import LEAST, TIMES, WORD, Columns, contexts, lane_lengths
from naive_modelled_tables import (
    CELLS,
    ESCAPE,
    LANES,
    STEP_BINS,
    TIME_BINS,
    TOKENS,
    Head,
    Payload,
    Table,
    Tree,
    halves,
    root_of,
    says,
    zigzag,
)

#: (lane, table, symbol) or (lane, bits, value), as a reader takes them.
Taken = tuple[int, Any, Any]


# --------------------------------------------------------------------------------- tables


class BitWriter:
    def __init__(self) -> None:
        self.bits: list[int] = []

    def put(self, value: int, bits: int) -> None:
        self.bits += [value >> k & 1 for k in range(bits)]

    def golomb(self, value: int, low: int) -> None:
        high = (value >> low) + 1
        length = high.bit_length() - 1
        self.put(1 << length, length + 1)
        self.put(high, length)
        self.put(value, low)

    def words(self) -> list[int]:
        groups = [self.bits[i : i + 16] for i in range(0, len(self.bits), 16)]
        return [sum(bit << k for k, bit in enumerate(group)) for group in groups]


def put_tokens(bits: BitWriter, head: Head, table: Table) -> None:
    polarities = 2 if head.how == TOKENS else 1
    bits.put(len(table.classes), 12)
    behind, last = 0, 6
    for (time, step, p), klass in table.classes.items():
        token = (time * head.step_bins + step) * polarities + p
        bits.golomb(token - behind, 0)
        bits.golomb(zigzag(klass - last), 1)
        behind, last = token + 1, klass


def put_tree(bits: BitWriter, head: Head, band: int, tree: Tree | None) -> None:
    bits.put(tree is not None, 1)
    if tree is None:
        return
    bits.put(tree.forced, 5)
    last = 6
    todo = [(root_of(head, band), 0)]
    while todo:
        box, depth = todo.pop()
        if says(box, depth, tree.forced):
            bits.put(box in tree.cut, 1)
        if box in tree.cut:
            todo += [(half, depth + 1) for half in reversed(halves(box))]
            continue
        klass = tree.table.classes.get(box, 0)
        bits.put(klass > 0, 1)
        if klass:
            bits.golomb(zigzag(klass - last), 1)
            last = klass


def table_words(payload: Payload) -> list[int]:
    bits = BitWriter()
    for table in payload.tokens:
        put_tokens(bits, payload.head, table)
    for band, tree in enumerate(payload.trees):
        put_tree(bits, payload.head, band, tree)
    for _, nibbles in payload.strings:
        if nibbles:
            for v in range(16):
                bits.put(nibbles.classes.get(v, 0), 5)
    return bits.words()


# --------------------------------------------------------------------------------- events


def split(bins: list[tuple[int, int]], value: int) -> tuple[int, int, int]:
    """(bin, raw bits, their value)."""
    found = max(k for k, (base, _) in enumerate(bins) if base <= value)
    return found, bins[found][1], value - bins[found][0]


def time_tokens(head: Head, t: Sequence[int]) -> tuple[list[tuple[int, int, int]], list[Any]]:
    """Of each event its time bin, raw bits and their value; the exceptions."""
    found, exceptions = [(0, 0, 0)], []
    for i in range(1, len(t)):
        gap = t[i] - t[i - 1]
        if gap >= 0 and gap // head.unit < 1 << 15:
            assert gap % head.unit == 0
            found.append(split(TIME_BINS, gap // head.unit))
        else:
            found.append((ESCAPE, 0, 0))
            exceptions.append((i, gap % TIMES))
    return found, exceptions


def leaf_of(payload: Payload, band: int, minor: int, major: int) -> Any:
    tree = payload.trees[band]
    assert tree is not None
    return tree.find(minor, major, root_of(payload.head, band))


class Event:
    """What is put of one event: two symbols and their raw bits."""

    def __init__(self, payload: Payload, time: Any, now: Any, before: Any) -> None:
        """``now`` and ``before``: minor and major, less the lows, and p where it is in tokens."""
        head = payload.head
        (minor, major, p), (minor_before, major_before, p_before) = now, before
        near = head.near and major == major_before and p == p_before
        step = (0 if near else 1, 0, 0)
        band = 0
        if head.steps:
            difference = (major - major_before + 0x8000 & WORD) - 0x8000
            step = split(STEP_BINS, zigzag(difference))
            band = min(major >> head.shift, head.bands - 1)
        a, b = minor, 0 if head.steps else major
        if near:
            band, a, b = head.bands, minor - minor_before + (1 << head.minor_bits), 0
        leaf = leaf_of(payload, band, a, b)
        self.token = (payload.tokens[p_before], (time[0], step[0], p))
        self.token_raw = (time[1:], step[1:])
        self.leaf = (payload.leaves[band], leaf)
        self.leaf_raw = ((leaf[2], a - leaf[0]), (leaf[3], b - leaf[1]))


def pairs(raws: list[Any]) -> list[Taken]:
    first: list[Taken] = []
    second: list[Taken] = []
    for lane, ((one_bits, one), (two_bits, two)) in enumerate(raws):
        if one_bits + two_bits <= 16:
            first.append((lane, one_bits + two_bits, one | two << one_bits))
        else:
            first.append((lane, one_bits, one))
            second.append((lane, two_bits, two))
    return first + second


def taken_events(payload: Payload, times: list[Any], places: list[Any]) -> list[Taken]:
    """All events, step by step."""
    head = payload.head
    lengths = lane_lengths(payload.count)
    starts = [sum(lengths[:lane]) for lane in range(LANES)]
    first = (0, head.start if head.steps else 0, 0)
    found: list[Taken] = []
    for step in range(lengths[0]):
        events = []
        for start, length in zip(starts, lengths, strict=True):
            if step < length:
                i = start + step
                before = places[i - 1] if step else first
                events.append(Event(payload, times[i], places[i], before))
        found += [(lane, *event.token) for lane, event in enumerate(events)]
        found += pairs([event.token_raw for event in events])
        found += [(lane, *event.leaf) for lane, event in enumerate(events)]
        found += pairs([event.leaf_raw for event in events])
    return found


def strings_of(head: Head, places: list[Any], p: Sequence[int]) -> list[list[int]]:
    """Where the predictions are wrong, of events that are not sure and of those that are."""
    strings: list[list[int]] = [[], []]
    context_at = contexts(head)
    for (minor, major, _), v in zip(places, p, strict=True):
        context, learn = context_at(minor, major)
        strings[head.sure >> context & 1].append(head.predicted >> context & 1 ^ v)
        learn(v)
    return strings


def taken_nibbles(bits: list[int], table: Table | None) -> list[Taken]:
    fours = [bits[k : k + 4] for k in range(0, len(bits), 4)]
    nibbles = [sum(bit << k for k, bit in enumerate(four)) for four in fours]
    return [(k % LANES, table, v) for k, v in enumerate(nibbles)]


# --------------------------------------------------------------------------------- stream


def stream(taken: list[Taken]) -> tuple[list[int], list[int]]:
    """(two words a state, the words behind them), from the last that is taken to the first."""
    states = [LEAST] * LANES
    words: list[int] = []
    for lane, how, what in reversed(taken):
        state = states[lane]
        bits, slots, first = how, 1, what
        if isinstance(how, Table):
            bits, slots, first = how.bits, how.slots[what], how.firsts[what]
        if state >= slots << 32 - bits:
            words.append(state & WORD)
            state >>= 16
        states[lane] = (state // slots << bits) + first + state % slots
    return [half for state in states for half in (state & WORD, state >> 16)], words[::-1]


def encode(words: Sequence[int], columns: Columns) -> list[int]:
    """The payload of these events that has the head and the tables of the payload ``words``."""
    t, x, y, p = columns
    payload = Payload(words, len(t))
    head = payload.head
    minor, major = (y, x) if head.swapped else (x, y)
    told = p if head.how == TOKENS else [0] * len(t)
    rows = zip(minor, major, told, strict=True)
    places = [(a - head.low_minor, b - head.low_major, v) for a, b, v in rows]
    times, exceptions = time_tokens(head, t)
    strings: list[list[int]] = [[], []]
    if head.how == CELLS:
        strings = strings_of(head, places, p)
    taken: list[Taken] = []
    for bits, (_, table) in zip(strings, payload.strings, strict=True):
        taken += taken_nibbles(bits, table)
    states, rest = stream(taken + taken_events(payload, times, places))
    tables = table_words(payload)
    new = list(words[:16])
    new[1:5] = [t[0] % TIMES >> 16 * k & WORD for k in range(4)]
    new[6], new[11], new[14] = len(exceptions), len(tables), len(strings[1])
    for place, difference in exceptions:
        tables += [place] + [difference >> 16 * k & WORD for k in range(4)]
    return new + tables + states + rest
