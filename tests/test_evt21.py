"""The EVT2.1 kernel against a slow decoder that takes one bit at a time, and independent ones."""

from __future__ import annotations

import io
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import FormatError
from evstore.formats import evt21, registry
from evstore.formats.reading import ReadOptions
from vectors import FORMATS, join

COUNTED = {kind: f"unknown_0x{kind:x}_words" for kind in (2, 3, 4, 5, 6, 7, 9, 11, 12, 13)}
COUNTED |= {14: "others_words", 15: "continued_words"}


def pack(words: list[int], order: str) -> bytes:
    if order == "little":
        return struct.pack(f"<{len(words)}Q", *words)
    return b"".join(struct.pack("<II", word >> 32, word & 0xFFFFFFFF) for word in words)


def slow(words: list[int]) -> tuple[list[Any], list[Any], Counter[str]]:
    high: int | None = None
    events, triggers, dropped = [], [], Counter()
    for word in words:
        kind, low = word >> 60, word >> 54 & 63
        if kind in (0, 1):
            places = [k for k in range(32) if word >> k & 1]
            if high is None:
                dropped["events_before_time_high"] += len(places)
            else:
                x, y = word >> 43 & 2047, word >> 32 & 2047
                events += [(high + low, x + k, y, kind) for k in places]
        elif kind == 8:
            value = (word >> 32 & 0x0FFFFFFF) << 6
            turns, before = (0, 0) if high is None else divmod(high, 1 << 34)
            high = value + (turns + (before - value > 1 << 33) << 34)
        elif kind == 10 and high is None:
            dropped["triggers_before_time_high"] += 1
        elif kind == 10:
            triggers.append((high + low, word >> 40 & 31, word >> 32 & 1))
        else:
            dropped[COUNTED[kind]] += 1
    return events, triggers, +dropped


# Any word; and what sensors send, so that most of the words do something.
KINDS = st.sampled_from([0, 0, 1, 1, 8, 10])
MASKS = st.sampled_from([0, 1, 1 << 31, 0xFFFFFFFF, 0x00F000F0]) | st.integers(0, 2**32 - 1)
USUAL = st.tuples(KINDS, st.integers(0, 2**28 - 1), MASKS)
WORDS = st.lists(
    st.integers(0, 2**64 - 1) | USUAL.map(lambda w: w[0] << 60 | w[1] << 32 | w[2]), max_size=60
)


@given(WORDS, st.sampled_from([1, 5, 40, 65_536]), st.sampled_from(["legacy", "little"]))
def test_kernel_agrees_with_the_slow_decoder(words: list[int], limit: int, order: str) -> None:
    content = b"% evt 2.1\n% end\n" + pack(words, order)
    options = ReadOptions(batch_events=limit)
    reading = evt21.read(io.BytesIO(content), options, f"evt21-{order}")
    decoded = join(list(reading.batches))
    events, triggers, dropped = slow(words)
    assert list(zip(*(c.tolist() for c in decoded.columns), strict=True)) == events
    assert list(zip(*(c.tolist() for c in decoded.triggers), strict=True)) == triggers
    assert reading.dropped == dropped
    assert reading.metadata["word_order"] == order


def scene(count: int = 3000) -> tuple[list[int], list[Any]]:
    """Words as a sensor sends them, and their events."""
    source = np.random.default_rng(5)
    words: list[int] = []
    before = None
    for k in range(count):
        t = 100_000 + 11 * k
        if t >> 6 != before:
            before = t >> 6
            words.append((8 << 28 | before) << 32)
        x, y = 32 * int(source.integers(0, 9)), int(source.integers(0, 320))
        mask = int(source.integers(0, 2**32)) & int(source.integers(0, 2**32))
        words.append((k % 2 << 28 | (t & 63) << 22 | x << 11 | y) << 32 | mask)
    return words, slow(words)[0]


def test_evlib_agrees(tmp_path: Path) -> None:
    """It knows one order only; the other is the same words with their halves exchanged."""
    package = pytest.importorskip("evlib")
    words, expected = scene()
    path = tmp_path / "made.raw"
    text = b"% evt 2.1\n% format EVT21;height=320;width=320\n% geometry 320x320\n% end\n"
    path.write_bytes(text + pack(words, "little"))
    found = package.load_events(str(path)).collect()
    columns = (found["t"].dt.total_microseconds(), found["x"], found["y"], found["polarity"] > 0)
    values = (np.asarray(column.to_list()).astype(np.int64).tolist() for column in columns)
    assert list(zip(*values, strict=True)) == expected


def read(content: bytes) -> list[Any]:
    return join(list(evt21.read(io.BytesIO(content), ReadOptions()).batches)).columns


@pytest.mark.parametrize("order", ["legacy", "little"])
def test_the_words_tell_the_order(order: str) -> None:
    words, expected = scene()
    content = b"% evt 2.1\n% end\n" + pack(words, order)
    reading = evt21.read(io.BytesIO(content), ReadOptions())
    assert reading.metadata["word_order"] == order
    assert list(zip(*(c.tolist() for c in read(content)), strict=True)) == expected


def test_a_stated_order_is_kept_where_an_unknown_kind_comes_with_it() -> None:
    words = [8 << 60 | 1 << 32, 2 << 60, 1 << 60 | 1]
    content = b"% evt 2.1\n% endianness little\n% end\n" + pack(words, "little")
    assert [c.tolist() for c in read(content)] == [[64], [0], [0], [1]]


def test_named_evt2_it_is_refused() -> None:
    content = (FORMATS / "evt21" / "vectors" / "legacy.raw").read_bytes()
    with pytest.raises(FormatError, match=r"EVT2\.1"):
        registry.by_name("evt2").read(io.BytesIO(content), ReadOptions())
