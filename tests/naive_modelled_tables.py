"""What a payload of codec 2 says before its stream, as formats/evs/SPEC.md tells it.

Its head, its tables and its exceptions. Nothing of evstore is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

LANES = 32
HEAD = 16
STATES = 64
EXCEPTION = 5

ALL_OFF, ALL_ON, CELLS, TOKENS = 0, 1, 2, 3


def bins(single: int, doublings: int) -> list[tuple[int, int]]:
    """Base and raw bits of each bin: some of one value each, then two to a doubling."""
    found = [(base, 0) for base in range(single)]
    for k in range(doublings):
        top = single << k
        raw = top.bit_length() - 2
        found += [(top, raw), (top + top // 2, raw)]
    return found


TIME_BINS = bins(2, 14)
ESCAPE = 30
STEP_BINS = bins(8, 13)


def zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def unzigzag(value: int) -> int:
    return value >> 1 if value % 2 == 0 else -(value + 1) // 2


def number(words: Sequence[int]) -> int:
    """The least significant word first."""
    return sum(word << 16 * k for k, word in enumerate(words))


# ----------------------------------------------------------------------------------- head


class Head(NamedTuple):
    steps: bool
    swapped: bool
    near: bool
    how: int  # p is told
    t0: int
    unit: int
    exceptions: int
    low_minor: int
    low_major: int
    minor_bits: int
    major_bits: int
    shift: int
    leaf_bits: int
    bands: int
    table_words: int
    predicted: int
    sure: int
    sure_events: int
    start: int

    @property
    def token_bits(self) -> int:
        return 11 if self.how == TOKENS else 12

    @property
    def step_bins(self) -> int:
        return 34 if self.steps else 2


def head_of(words: Sequence[int], count: int) -> Head:
    """The fields of the head; ValueError where they cannot be."""
    if len(words) < HEAD + STATES:
        raise ValueError("length")
    form, sides, bands = words[0], words[9], words[10]
    head = Head(
        bool(form & 1), bool(form & 2), bool(form & 4), form >> 3, number(words[1:5]),
        words[5], words[6], words[7], words[8], sides & 0xFF, sides >> 8,
        bands & 15, bands >> 4 & 15, bands >> 8, words[11], words[12], words[13], words[14],
        words[15],
    )  # fmt: skip
    good = head.how <= TOKENS and 1 <= count <= 65_535 and head.unit > 0
    good = good and head.exceptions <= count and head.sure_events <= count
    good = good and head.minor_bits <= 16 and head.major_bits <= 16
    good = good and head.leaf_bits <= 12 and 1 <= head.bands <= 31
    good = good and (head.bands + head.near) << head.leaf_bits <= 8192
    good = good and (head.steps or (head.bands == 1 and head.how != TOKENS))
    if not good:
        raise ValueError("head")
    return head


# --------------------------------------------------------------------------------- tables


class Bits:
    """The bits of words, lowest first."""

    def __init__(self, words: Sequence[int]) -> None:
        self.value = number(words)
        self.left = 16 * len(words)

    def take(self, bits: int) -> int:
        if bits > self.left:
            raise ValueError("tables")
        found = self.value & ((1 << bits) - 1)
        self.value >>= bits
        self.left -= bits
        return found

    def golomb(self, low: int) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        high = (1 << zeros) + self.take(zeros) - 1
        return high << low | self.take(low)

    def next_class(self, last: int) -> int:
        klass = last + unzigzag(self.golomb(1))
        if not 1 <= klass <= 31:
            raise ValueError("class")
        return klass


class Table:
    """Symbols, each with its class, and how they share the slots."""

    def __init__(self, classes: dict[Any, int], bits: int) -> None:
        self.classes = classes
        self.bits = bits
        self.slots = dict(zip(classes, shared(list(classes.values()), bits), strict=True))
        ends = accumulate(self.slots.values())
        self.firsts = {s: end - self.slots[s] for s, end in zip(classes, ends, strict=True)}
        self.symbols = [symbol for symbol, slots in self.slots.items() for _ in range(slots)]


def weight(klass: int) -> int:
    return 0 if klass < 2 else (2 + klass % 2) << (klass - 2) // 2


def shared(classes: list[int], bits: int) -> list[int]:
    """Slots of each symbol that is there."""
    if not 1 <= len(classes) <= 1 << bits:
        raise ValueError("slots")
    weights = [weight(klass) for klass in classes]
    if not any(weights):
        weights = [1] * len(classes)
    left = (1 << bits) - len(classes)
    scale = (left << 32) // sum(weights)
    ends = [0] + [upto * scale >> 32 for upto in accumulate(weights)]
    ends[-1] = left
    return [1 + b - a for a, b in pairwise(ends)]


def token_table(bits: Bits, head: Head) -> Table:
    """Symbols are (time bin, step bin, p)."""
    polarities = 2 if head.how == TOKENS else 1
    classes, token, last = {}, -1, 6
    count = bits.take(12)
    if count == 0 and head.how == TOKENS:
        table = Table({(0, 0, 0): 1}, head.token_bits)
        table.classes = {}
        return table
    for _ in range(count):
        token += 1 + bits.golomb(0)
        last = bits.next_class(last)
        step, p = divmod(token, polarities)
        symbol = (step // head.step_bins, step % head.step_bins, p)
        if symbol[0] > ESCAPE:
            raise ValueError("token")
        classes[symbol] = last
    return Table(classes, head.token_bits)


#: A box of the minor and the major coordinate: least values, bits of the sides.
Box = tuple[int, int, int, int]


def halves(box: Box) -> tuple[Box, Box]:
    a, b, a_bits, b_bits = box
    if a_bits >= b_bits:
        a_bits -= 1
        return (a, b, a_bits, b_bits), (a + (1 << a_bits), b, a_bits, b_bits)
    b_bits -= 1
    return (a, b, a_bits, b_bits), (a, b + (1 << b_bits), a_bits, b_bits)


class Tree(NamedTuple):
    """A table of leaves as it is written: boxes that are cut, and those that hold no event."""

    table: Table
    forced: int
    cut: set[Box]

    def find(self, a: int, b: int, box: Box) -> Box:
        """The leaf that holds a place."""
        while box in self.cut:
            lower, upper = halves(box)
            box = upper if a >= upper[0] and b >= upper[1] else lower
        return box


def root_of(head: Head, band: int) -> Box:
    if band == head.bands:
        return 0, 0, head.minor_bits + 1, 0
    return 0, 0, head.minor_bits, 0 if head.steps else head.major_bits


def says(box: Box, depth: int, forced: int) -> bool:
    """Whether a bit says if the box is cut."""
    return depth >= forced and box[2] + box[3] > 0 and max(box[2], box[3]) <= 14


def tree_of(bits: Bits, head: Head, band: int) -> Tree | None:
    if not bits.take(1):
        return None
    forced = bits.take(5)
    if forced > 12:
        raise ValueError("forced")
    classes: dict[Any, int] = {}
    cut: set[Box] = set()
    last = 6
    todo = [(root_of(head, band), 0)]
    while todo:
        box, depth = todo.pop()
        one_pixel = box[2] + box[3] == 0
        if bits.take(1) if says(box, depth, forced) else not one_pixel:
            cut.add(box)
            todo += [(half, depth + 1) for half in reversed(halves(box))]
        elif bits.take(1):
            last = classes[box] = bits.next_class(last)
            if len(classes) > 4096:
                raise ValueError("leaves")
    return Tree(Table(classes, head.leaf_bits), forced, cut)


def nibble_table(bits: Bits) -> Table:
    classes = {v: bits.take(5) for v in range(16)}
    return Table({v: klass for v, klass in classes.items() if klass}, 10)


class Payload:
    """What a payload says before its stream."""

    def __init__(self, words: Sequence[int], count: int) -> None:
        self.head = head = head_of(words, count)
        self.count = count
        at = HEAD + head.table_words
        behind = at + EXCEPTION * head.exceptions
        if behind + STATES > len(words):
            raise ValueError("length")
        bits = Bits(words[HEAD:at])
        self.tokens = [token_table(bits, head) for _ in range(1 + (head.how == TOKENS))]
        self.trees = [tree_of(bits, head, band) for band in range(head.bands + head.near)]
        nowhere = (0, 0, 0, 0)
        middle = (1 << head.minor_bits, 0, 0, 0)
        self.leaves = [
            tree.table
            if tree
            else Table({middle if k == head.bands else nowhere: 1}, head.leaf_bits)
            for k, tree in enumerate(self.trees)
        ]
        unsure = count - head.sure_events
        strings = (unsure, head.sure_events) if head.how == CELLS else (0, 0)
        self.strings = [(n, nibble_table(bits) if n else None) for n in strings]
        rows = [words[k : k + EXCEPTION] for k in range(at, behind, EXCEPTION)]
        self.exceptions = [(row[0], number(row[1:])) for row in rows]
        self.lanes = words[behind : behind + STATES]
        self.stream = words[behind + STATES :]
