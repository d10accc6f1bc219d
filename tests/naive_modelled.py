"""Codec 2 again: slow, and what formats/evs/SPEC.md says, no more.

Plain Python integers and lists; nothing of evstore is imported, so that an error in a kernel
cannot be here too. naive_modelled_tables parses what stands before the stream, and
naive_modelled_writing makes the same payload from that and the events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

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
    number,
    unzigzag,
)

LEAST = 1 << 16
WORD = 0xFFFF
TIMES = 1 << 64  # times and their differences are modulo this

Columns = tuple[list[int], list[int], list[int], list[int]]


def as_signed(value: int) -> int:
    return (value + TIMES // 2) % TIMES - TIMES // 2


# --------------------------------------------------------------------------------- stream


class Lanes:
    """States, and the words that refill them."""

    def __init__(self, states: Sequence[int], words: Sequence[int]) -> None:
        self.states = [number(states[2 * lane : 2 * lane + 2]) for lane in range(LANES)]
        self.words = words
        self.at = 0
        if min(self.states) < LEAST:
            raise ValueError("state")

    def set(self, lane: int, state: int) -> None:
        if state < LEAST:
            if self.at >= len(self.words):
                raise ValueError("length")
            state = state << 16 | self.words[self.at]
            self.at += 1
        self.states[lane] = state

    def symbol(self, lane: int, table: Table) -> Any:
        whole, slot = divmod(self.states[lane], 1 << table.bits)
        symbol = table.symbols[slot]
        self.set(lane, whole * table.slots[symbol] + slot - table.firsts[symbol])
        return symbol

    def raw(self, lane: int, bits: int) -> int:
        whole, value = divmod(self.states[lane], 1 << bits)
        self.set(lane, whole)
        return value

    def pairs(self, wanted: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Two raw numbers of each of the first lanes, of so many bits."""
        found = []
        for lane, (one, two) in enumerate(wanted):
            together = one + two <= 16
            value = self.raw(lane, one + two if together else one)
            found.append((value & ((1 << one) - 1), value >> one))
        for lane, (one, two) in enumerate(wanted):
            if one + two > 16:
                found[lane] = (found[lane][0], self.raw(lane, two))
        return found

    def nibbles(self, count: int, table: Table | None) -> list[int]:
        """A string of bits."""
        if table is None:
            return []
        nibbles = [self.symbol(k % LANES, table) for k in range(-(-count // 4))]
        return [nibbles[k // 4] >> k % 4 & 1 for k in range(count)]

    def finish(self) -> None:
        if self.at != len(self.words) or any(state != LEAST for state in self.states):
            raise ValueError("end")


def lane_lengths(count: int) -> list[int]:
    return [count // LANES + (lane < count % LANES) for lane in range(LANES)]


class Lane:
    """What one lane knows of its event before, and its events so far: (gap, minor, major, p)."""

    def __init__(self, head: Head) -> None:
        self.minor = self.p = 0
        self.major = head.start if head.steps else 0
        self.events: list[tuple[int, int, int, int]] = []

    def band(self, head: Head, step: int, p: int) -> int:
        """Where the leaf of the next event is from; ``major`` is that event's from here on."""
        near = head.near and step == 0 and p == self.p
        self.p = p
        if head.steps:
            self.major = (self.major + unzigzag(step)) & WORD
        if near:
            return head.bands
        return min(self.major >> head.shift, head.bands - 1) if head.steps else 0

    def put(self, head: Head, gap: int, band: int, minor: int, major: int) -> None:
        """``minor``, ``major``: in the leaf's tree."""
        near = band == head.bands
        self.minor = ((self.minor - (1 << head.minor_bits) if near else 0) + minor) & WORD
        if not head.steps and not near:
            self.major = major & WORD
        self.events.append((gap, self.minor, self.major, self.p))


def token_numbers(head: Head, token: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Base and bits of the time and of the step."""
    time, step, _ = token
    steps = STEP_BINS[step] if head.steps else (step, 0)
    return (*(TIME_BINS[time] if time != ESCAPE else (0, 0)), *steps)


def take_events(payload: Payload, lanes: Lanes) -> Iterator[tuple[int, int, int, int]]:
    """(gap, minor, major, p) of each event, in order."""
    head = payload.head
    lengths = lane_lengths(payload.count)
    states = [Lane(head) for _ in range(LANES)]
    for step in range(lengths[0]):
        some = [state for state, length in zip(states, lengths, strict=True) if step < length]
        tokens = [lanes.symbol(k, payload.tokens[s.p]) for k, s in enumerate(some)]
        numbers = [token_numbers(head, token) for token in tokens]
        raw = lanes.pairs([(n[1], n[3]) for n in numbers])
        bands, leaves = [], []
        for k, state in enumerate(some):
            bands.append(state.band(head, numbers[k][2] + raw[k][1], tokens[k][2]))
            leaves.append(lanes.symbol(k, payload.leaves[bands[k]]))
        more = lanes.pairs([(leaf[2], leaf[3]) for leaf in leaves])
        for k, state in enumerate(some):
            a, b = (leaves[k][i] + more[k][i] for i in range(2))
            state.put(head, numbers[k][0] + raw[k][0], bands[k], a, b)
    for state in states:
        yield from state.events


# -------------------------------------------------------------------------------- columns


def contexts(head: Head) -> Any:
    """A function that gives the context of a place, then takes its polarity."""
    small: dict[int, int] = {}
    large: dict[int, int] = {}

    def cell(minor: int, major: int, bits: int, cells: int) -> int:
        row = max(head.minor_bits, bits) - bits
        return (major >> bits << row | minor >> bits) % cells

    def at(minor: int, major: int) -> tuple[int, Any]:
        a, b = cell(minor, major, 1, 65_536), cell(minor, major, 3, 16_384)

        def learn(p: int) -> None:
            small[a] = 2 + p
            large[b] = (2 * large.get(b, 0) + p) % 4

        return small.get(a, 0) + 4 * large.get(b, 0), learn

    return at


def polarities(
    head: Head, places: list[tuple[int, int]], unsure: list[int], sure: list[int]
) -> list[int]:
    """Of form cells: what is predicted, where it is not wrong."""
    found = []
    context_at = contexts(head)
    strings = (iter(unsure), iter(sure))
    taken = [0, 0]
    for place in places:
        context, learn = context_at(*place)
        which = head.sure >> context & 1
        p = head.predicted >> context & 1 ^ next(strings[which], 0)
        taken[which] += 1
        learn(p)
        found.append(p)
    if taken[1] != head.sure_events:
        raise ValueError("sure events")
    return found


def times(payload: Payload, gaps: list[int]) -> list[int]:
    more = [gap * payload.head.unit for gap in gaps]
    before = 0
    for place, difference in payload.exceptions:
        if not before <= place < payload.count:
            raise ValueError("position")
        more[place] += difference
        before = place
    return [as_signed(payload.head.t0 + passed) for passed in accumulate(more)]


def decode(words: Sequence[int], count: int) -> Columns:
    """All events of a payload; ValueError where it cannot be."""
    payload = Payload(words, count)
    head = payload.head
    lanes = Lanes(payload.lanes, payload.stream)
    strings = [lanes.nibbles(n, table) for n, table in payload.strings]
    events = list(take_events(payload, lanes))
    lanes.finish()
    gaps, minor, major, p = (list(column) for column in zip(*events, strict=True))
    if head.how == CELLS:
        p = polarities(head, list(zip(minor, major, strict=True)), *strings)
    elif head.how != TOKENS:
        p = [head.how] * count
    minor = [(v + head.low_minor) & WORD for v in minor]
    major = [(v + head.low_major) & WORD for v in major]
    x, y = (major, minor) if head.swapped else (minor, major)
    return times(payload, gaps), x, y, p
