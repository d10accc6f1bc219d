"""Codec 1, the framing of records and the root again: slow, from formats/evs/SPEC.md alone.

Plain Python integers and lists; nothing of evstore is imported, so that an error in a kernel
cannot be here too. Sections are built as one big integer a lane, not word by word.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

BLOCK = 1024
LANES = 64
WORD = 0xFFFF
TIMES = 1 << 64  # times and their differences are modulo this

NARROW, WIDE, SIGNED, RAW = 0, 1, 2, 3
OFFSET, RUNS = 0, 1
ALL_OFF, ALL_ON, BITS = 0, 1, 2

Columns = tuple[list[int], list[int], list[int], list[int]]


class NaiveError(Exception):
    """A payload that cannot be."""


# ------------------------------------------------------------------------------- sections


def section_words(count: int, width: int) -> int:
    rows = -(-count // LANES)
    return LANES * -(-rows * width // 16)


def pack(values: Sequence[int], width: int) -> list[int]:
    """Value i goes to lane i % 64, at bit (i // 64) * width of that lane's integer."""
    lanes = [0] * LANES
    for i, value in enumerate(values):
        lanes[i % LANES] |= (value & ((1 << width) - 1)) << (i // LANES * width)
    per_lane = section_words(len(values), width) // LANES
    return [lanes[lane] >> 16 * k & WORD for k in range(per_lane) for lane in range(LANES)]


def unpack(words: Sequence[int], count: int, width: int) -> list[int]:
    per_lane = section_words(count, width) // LANES
    lanes = [
        sum(words[k * LANES + lane] << 16 * k for k in range(per_lane)) for lane in range(LANES)
    ]
    mask = (1 << width) - 1
    return [lanes[i % LANES] >> (i // LANES * width) & mask for i in range(count)]


# ---------------------------------------------------------------------------------- times


def as_signed(value: int) -> int:
    return (value + TIMES // 2) % TIMES - TIMES // 2


def four_words(value: int) -> list[int]:
    return [value % TIMES >> 16 * k & WORD for k in range(4)]


def zigzag(difference: int) -> int:
    return 2 * difference if difference >= 0 else -2 * difference - 1


def cheapest_width(values: Sequence[int]) -> int | None:
    """Bits and exceptions counted, the widest of equals; None where no width will do."""
    costs = {}
    for width in range(17):
        over = sum(value >> width != 0 for value in values)
        if all(value >> width < 1 << 32 for value in values):
            costs[width] = 16 * section_words(len(values), width) + 48 * over
    if not costs:
        return None
    # A width beyond the largest value's costs the same or more and is never taken.
    most = max(values).bit_length()
    costs = {width: cost for width, cost in costs.items() if width <= most}
    return max(width for width, cost in costs.items() if cost == min(costs.values()))


def encode_times(t: Sequence[int]) -> tuple[list[int], list[int]]:
    """(t0, form and exceptions: 6 words, section)."""
    steps = [as_signed(b - a) for a, b in zip([t[0], *t], t, strict=False)]
    if min(steps) < 0:
        form, values = SIGNED, [zigzag(step) for step in steps]
    else:
        form, values = WIDE, steps
        if max(steps) <= WORD and (t[-1] - t[0]) % TIMES <= WORD:
            form = NARROW
    width = cheapest_width(values)
    if width is None:
        section = [word for time in t for word in four_words(time)]
        return [*four_words(t[0]), RAW << 8, 0], section
    section = pack([value & WORD for value in values], width)
    found = 0
    for i, value in enumerate(values):
        if value >> width:
            section += [i, value >> width & WORD, value >> width >> 16]
            found += 1
    return [*four_words(t[0]), form << 8 | width, found], section


def decode_times(head: Sequence[int], words: Words, n: int) -> list[int]:
    first = as_signed(sum(head[k] << 16 * k for k in range(4)))
    form, width, exceptions = head[4] >> 8, head[4] & 0xFF, head[5] & 0x3FFF
    if form > RAW or width > 16 or exceptions > n:
        raise NaiveError("times")
    if form == RAW:
        raw = words.take(4 * n)
        return [as_signed(sum(raw[4 * i + k] << 16 * k for k in range(4))) for i in range(n)]
    values = unpack(words.take(section_words(n, width)), n, width)
    for _ in range(exceptions):
        at, low, high = words.take(3)
        if at >= n:
            raise NaiveError("position")
        extra = low if form == NARROW else high << 16 | low
        values[at] |= extra << width
    if form == NARROW:
        values = [value & WORD for value in values]
    if form == SIGNED:
        values = [value >> 1 if value % 2 == 0 else -(value + 1) // 2 for value in values]
    times, passed = [], 0
    for value in values:
        passed += value
        times.append(as_signed(first + (passed & WORD if form == NARROW else passed)))
    return times


# ---------------------------------------------------------------------- coordinates and p


def encode_coordinates(values: Sequence[int]) -> tuple[list[int], list[int]]:
    """(form, low, runs: 3 words, section)."""
    low = min(values)
    width = (max(values) - low).bit_length()
    n = len(values)
    changed = [1] + [int(a != b) for a, b in pairwise(values)]
    starts = [value - low for value, new in zip(values, changed, strict=True) if new]
    as_runs = (n + 15) // 16 + section_words(len(starts), width)
    if as_runs + 32 * n // BLOCK < section_words(n, width):
        return [RUNS << 8 | width, low, len(starts)], bitmap(changed) + pack(starts, width)
    return [OFFSET << 8 | width, low, 0], pack([value - low for value in values], width)


def bitmap(bits: Sequence[int]) -> list[int]:
    """A bit an event, in order, lowest bits first."""
    groups = [bits[i : i + 16] for i in range(0, len(bits), 16)]
    return [sum(bit << k for k, bit in enumerate(group)) for group in groups]


def decode_coordinates(head: Sequence[int], words: Words, n: int) -> list[int]:
    form, width, low, runs = head[0] >> 8, head[0] & 0xFF, head[1], head[2]
    if form > RUNS or width > 16 or runs > n:
        raise NaiveError("coordinates")
    if form == OFFSET:
        values = unpack(words.take(section_words(n, width)), n, width)
        return [(low + value) & WORD for value in values]
    changed = words.bits(n)
    starts = unpack(words.take(section_words(runs, width)), runs, width)
    if changed[0] != 1 or sum(changed) != runs:
        raise NaiveError("runs")
    places, at = [], -1
    for new in changed:
        at += new
        places.append(at)
    return [(low + starts[place]) & WORD for place in places]


def encode_polarity(p: Sequence[int]) -> tuple[int, list[int]]:
    if len(set(p)) == 1:
        return (ALL_ON if p[0] else ALL_OFF), []
    return BITS, bitmap(p)


# --------------------------------------------------------------------------------- chunks


class Words:
    """A payload, read from its front."""

    def __init__(self, words: Sequence[int]) -> None:
        self.words = words
        self.at = 0

    def bits(self, count: int) -> list[int]:
        """The inverse of bitmap."""
        found = self.take((count + 15) // 16)
        return [found[i // 16] >> i % 16 & 1 for i in range(count)]

    def take(self, count: int) -> Sequence[int]:
        if self.at + count > len(self.words):
            raise NaiveError("length")
        self.at += count
        return self.words[self.at - count : self.at]


def encode(columns: Columns) -> list[int]:
    """The words of a chunk's payload: all descriptors, then all sections."""
    heads: list[int] = []
    sections: list[int] = []
    for start in range(0, len(columns[0]), BLOCK):
        t, x, y, p = (column[start : start + BLOCK] for column in columns)
        head, section = encode_times(t)
        sections += section
        for values in (x, y):
            more, section = encode_coordinates(values)
            head += more
            sections += section
        form, section = encode_polarity(p)
        head[5] |= form << 14
        sections += section
        heads += head
    return heads + sections


def decode(payload: Sequence[int], count: int) -> Columns:
    """All events of a payload; NaiveError where it cannot be."""
    words = Words(payload)
    blocks = -(-count // BLOCK)
    heads = [words.take(12) for _ in range(blocks)]
    columns: Columns = ([], [], [], [])
    for b, head in enumerate(heads):
        n = min(BLOCK, count - b * BLOCK)
        form = head[5] >> 14
        if form > BITS:
            raise NaiveError("polarity")
        columns[0].extend(decode_times(head, words, n))
        columns[1].extend(decode_coordinates(head[6:9], words, n))
        columns[2].extend(decode_coordinates(head[9:12], words, n))
        columns[3].extend(words.bits(n) if form == BITS else [form] * n)
    if words.at != len(payload):
        raise NaiveError("length")
    return columns


# -------------------------------------------------------------------------------- records


def varint(value: int) -> bytes:
    groups = []
    while True:
        groups.append(value & 0x7F)
        value >>= 7
        if not value:
            break
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


def signed_varint(value: int) -> bytes:
    return varint(zigzag(value))


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where the next byte is)."""
    value = 0
    for k in range(10):
        value |= (data[at + k] & 0x7F) << 7 * k
        if data[at + k] < 0x80:
            return value, at + k + 1
    raise NaiveError("varint")


def record(kind: bytes, head: bytes, payload: bytes, xxh3: Any) -> bytes:
    """Kind, length, head, a zero up to an even place, payload, check (``xxh3``: bytes to int)."""
    length = varint(len(head) + len(payload))
    longer = length[:-1] + bytes([length[-1] | 0x80, 0])  # the same length, in a byte more
    starts = (
        kind + length + head,
        kind + varint(len(head) + 1 + len(payload)) + head + bytes(1),
        kind + longer + head,
    )
    start = next(start for start in starts if len(start) % 2 == 0)
    check: bytes = xxh3(start + payload).to_bytes(8, "little")
    return start + payload + (check[:4] if kind in (b"B", b"E") else check)


# ----------------------------------------------------------------------------------- root

LEAF = 65_536


def eights(bits: Sequence[int]) -> bytes:
    """Eight bits to a byte, the first one lowest."""
    groups = [bits[i : i + 8] for i in range(0, len(bits), 8)]
    return bytes(sum(bit << k for k, bit in enumerate(group)) for group in groups)


def leaf_bytes(columns: Columns) -> bytes:
    """What is hashed of up to 65,536 events."""
    t, x, y, p = columns
    steps = [(b - a) % TIMES for a, b in zip([t[0], *t], t, strict=False)]
    t_bits, x_bits, y_bits = (max(values).bit_length() for values in (steps, x, y))
    head = b"leaf" + struct.pack("<Iq", len(t), t[0]) + bytes([t_bits, x_bits, y_bits, 0])
    parts = ((steps, t_bits), (x, x_bits), (y, y_bits), (p, 1))
    return head + b"".join(
        eights([v >> k & 1 for v in part]) for part, n in parts for k in range(n)
    )


def json_bytes(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def side_hash(columns: dict[str, tuple[str, list[int]]]) -> str:
    """``columns``: name to (dtype as numpy writes it, values)."""
    codes = {"<i8": "q", "<i4": "i", "<u2": "H", "|u1": "B"}
    facts = {}
    for name, (dtype, values) in columns.items():
        content = struct.pack(f"<{len(values)}{codes[dtype]}", *values)
        facts[name] = [dtype, len(values), hashlib.sha256(content).hexdigest()]
    return hashlib.sha256(json_bytes(facts)).hexdigest()


def root(columns: Columns, sides: dict[str, Any], label: Any = None, header: str = "") -> bytes:
    n = len(columns[0])
    leaves = b""
    for start in range(0, n, LEAF):
        t, x, y, p = (column[start : start + LEAF] for column in columns)
        leaves += hashlib.sha256(leaf_bytes((t, x, y, p))).digest()
    rest = {
        "header": hashlib.sha256(header.encode()).hexdigest(),
        "label": label,
        "side": {name: side_hash(side) for name, side in sides.items()},
    }
    tree = hashlib.sha256(b"tree" + leaves).digest()
    return hashlib.sha256(b"root" + struct.pack("<Q", n) + tree + json_bytes(rest)).digest()
