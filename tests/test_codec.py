"""Codec 1 against an independent reference, bit for bit; hostile payloads stay in bounds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import naive
from evstore.codec import bitpack_kernels as bits
from evstore.codec import packed_decode_kernels, packed_encode_kernels
from evstore.codec.chunk import (
    block_times,
    blocks_of,
    decode_blocks,
    decode_chunk,
    encode_chunk,
    measure,
    preset_codec,
)
from evstore.errors import ArgumentError, CorruptError, EvstoreError, UnsupportedError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from guards import expect_guards, guarded
from pure import pure
from streams import COORDINATES, MAX_T, MIN_T, TIMES, piece, streams

U = np.uint64


def columns_of(events: Events) -> naive.Columns:
    return events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist()


def same(events: Events, columns: naive.Columns) -> bool:
    return columns_of(events) == tuple(list(column) for column in columns)


# --------------------------------------------------------------------------- bit for bit


@given(streams())
@settings(max_examples=80)
def test_kernels_and_reference_agree_bit_for_bit(events: Events) -> None:
    words = encode_chunk(events)
    assert words.tolist() == naive.encode(columns_of(events))
    assert decode_chunk(words, len(events)) == events
    assert same(events, naive.decode(words.tolist(), len(events)))


@pytest.mark.parametrize("t", sorted(TIMES))
@pytest.mark.parametrize("n", [1, 64, 1024, 1025])
def test_every_kind_of_times(t: str, n: int, seed: int) -> None:
    events = piece(n, t, "sensor", "runs", "any", seed)
    words = encode_chunk(events)
    assert words.tolist() == naive.encode(columns_of(events))
    assert decode_chunk(words, n) == events


@pytest.mark.parametrize("kind", sorted(COORDINATES))
@pytest.mark.parametrize("n", [1, 64, 1024, 1025])
def test_every_kind_of_coordinates(kind: str, n: int, seed: int) -> None:
    events = piece(n, "dense", kind, kind, "one on", seed)
    words = encode_chunk(events)
    assert words.tolist() == naive.encode(columns_of(events))
    assert decode_chunk(words, n) == events


@pytest.mark.parametrize("n", [1, 1023, 1024, 1025, 2048, 16_383, 16_384, 16_385, 65_536])
@pytest.mark.parametrize("t", ["dense", "jitter", "any"])
def test_lengths_around_blocks_and_chunks(n: int, t: str, seed: int) -> None:
    events = piece(n, t, "sensor", "long runs", "any", seed)
    assert decode_chunk(encode_chunk(events), n) == events


@pytest.mark.parametrize("power", range(65))
@pytest.mark.parametrize("sign", [1, -1])
def test_time_steps_at_every_bit(power: int, sign: int) -> None:
    t = []
    for off in (-1, 0, 1):
        step = sign * ((1 << power) + off)
        t += [0, naive.as_signed(step), naive.as_signed(2 * step)]
    n = len(t)
    events = Events(np.array(t, np.int64), np.zeros(n, "u2"), np.ones(n, "u2"), np.ones(n, "u1"))
    words = encode_chunk(events)
    assert words.tolist() == naive.encode(columns_of(events))
    assert decode_chunk(words, n) == events


def test_differences_that_overflow() -> None:
    t = np.array([MIN_T, MAX_T, MIN_T, 0, MAX_T, -1, MIN_T, MIN_T + 1, MAX_T], np.int64)
    events = Events(t, np.arange(9), np.arange(9)[::-1], np.ones(9, int))
    words = encode_chunk(events)
    assert words.tolist() == naive.encode(columns_of(events))
    assert decode_chunk(words, 9) == events


@pytest.mark.parametrize("width", range(17))
@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000, 1024])
def test_packing_at_every_width(width: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << width, count).astype(np.uint16)
    values[0] = (1 << width) - 1
    rows = np.zeros(-(-count // 64) * 64, np.uint16)
    rows[:count] = values
    words = np.full(bits.section_words(count, width), 0xFFFF, np.uint16)
    bits.pack(rows, count, width, words)
    assert words.tolist() == naive.pack(values.tolist(), width)
    out = np.zeros(rows.size, np.uint16)
    bits.unpack(words, U(0), U(count), U(width), np.uint16(5), out, U(0), False)
    assert np.array_equal(out[:count], values + np.uint16(5))
    assert naive.unpack(words.tolist(), count, width) == values.tolist()


def test_backward_steps_are_paid_for_only_where_they_occur() -> None:
    n = 8 * 1024
    forward = np.arange(n) * 2
    once = forward.copy()
    once[5000] -= 100
    zeros, ones = np.zeros(n, int), np.ones(n, int)
    plain = encode_chunk(Events(forward, zeros, zeros, ones))
    stepped = encode_chunk(Events(once, zeros, zeros, ones))
    assert (len(stepped) - len(plain)) * 16 <= 8 * 1024  # a few bits an event, in one block of 8


def test_one_polarity_costs_no_bit() -> None:
    n = 4096
    both = piece(n, "dense", "sensor", "sensor", "any", 1)
    one = Events(both.t, both.x, both.y, np.ones(n, np.uint8))
    assert len(encode_chunk(both)) - len(encode_chunk(one)) == n // 16


# ----------------------------------------------------------------------------- worst case
#
# No payload exceeds worst_words, block by block, where R <= 16 is its number of rows:
#   times        width min(16, full) makes exceptions of no value (full <= 16): 64 * R words,
#                or of all n <= 64 * R values at worst: 64 * R + 3 * n <= 256 * R words. The
#                width chosen is never dearer than that one. Raw times are 4 * n <= 256 * R.
#   coordinates  plain is at most 64 * R, at width 16; runs are chosen only where smaller.
#   polarity     ceil(n / 16) words, 64 at most.
# So a block takes at most 12 + 388 * R words: just what worst_words says.


@given(streams())
@settings(max_examples=60)
def test_no_payload_exceeds_worst_words(events: Events) -> None:
    assert len(encode_chunk(events)) <= packed_encode_kernels.worst_words(len(events))


def test_the_worst_payload_there_is() -> None:
    for n in (1, 64, 65, 1024, 1025, 4096):
        # Differences of 48 bits that 16 cannot hold, each one an exception.
        rows = np.arange(n)
        t = np.cumsum(np.where(rows % 2, 1 << 46, (1 << 46) + 1))
        x = (rows * 40_503) & 0xFFFF
        events = Events(t, x, x[::-1], rows % 2)
        words = encode_chunk(events)
        assert len(words) <= packed_encode_kernels.worst_words(n)
        assert decode_chunk(words, n) == events


# ------------------------------------------------------------------- parts of what there is


@given(st.data())
@settings(max_examples=60)
def test_any_blocks_and_any_columns(data: st.DataObject) -> None:
    events = data.draw(streams(5000))
    n, blocks = len(events), blocks_of(len(events))
    first = data.draw(st.integers(0, blocks))
    last = data.draw(st.integers(first, blocks))
    wanted = data.draw(st.sets(st.sampled_from(COLUMNS)))
    start, stop = first * 1024, min(last * 1024, n)
    if stop <= start:
        return
    arrays = {c: np.empty(stop - start, COLUMN_DTYPES[c]) if c in wanted else None for c in COLUMNS}
    words = encode_chunk(events)
    decode_blocks(words, np.array([0, len(words), n, first, last, 0]), 1, **arrays)
    for name in wanted:
        assert np.array_equal(arrays[name], getattr(events, name)[start:stop])


@given(streams(4000))
@settings(max_examples=30)
def test_first_times_of_blocks_and_measures(events: Events) -> None:
    words = encode_chunk(events)
    assert block_times(words, len(events)).tolist() == events.t[::1024].tolist()
    t, x, y, p = columns_of(events)
    assert measure(events) == (
        all(a <= b for a, b in pairwise(t)), len(t),
        t[0], t[-1], min(t), max(t), min(x), min(y), max(x) + 1, max(y) + 1, sum(p),
    )  # fmt: skip


def test_unaligned_and_strided_columns_are_taken() -> None:
    a = np.zeros(100, dtype=[("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
    a["t"], a["x"] = np.arange(100), np.arange(100)[::-1]
    events = Events.from_structured(a)
    assert decode_chunk(encode_chunk(events), 100) == events


def test_names_and_numbers_of_codecs() -> None:
    words = encode_chunk(Events([1], [2], [3], [1]))
    assert preset_codec("fast") == 1
    with pytest.raises(ArgumentError, match="preset must be one of fast"):
        preset_codec("fats")
    with pytest.raises(UnsupportedError, match="codec 9"):
        decode_chunk(words, 1, 9)
    with pytest.raises(UnsupportedError, match="codec 9"):
        encode_chunk(Events([1], [2], [3], [1]), 9)
    with pytest.raises(CorruptError, match="too short"):
        block_times(words[:5], 1)


# ------------------------------------------------------------------------ as plain Python

old_numpy = pytest.mark.skipif(
    int(np.__version__.split(".")[0]) < 2,
    reason="scalars of numpy 1 turn uint64 + int into float64",
)


@old_numpy
@given(streams(80))
@settings(max_examples=25)
def test_kernels_as_python_give_the_same(events: Events) -> None:
    n = len(events)
    out = np.zeros(packed_encode_kernels.worst_words(n), np.uint16)
    measures = np.zeros(packed_encode_kernels.MEASURES, np.int64)
    told = (events.t, events.x, events.y, events.p, out, *encode_scratch(), measures)
    used = pure(packed_encode_kernels.encode)(*told)
    words = encode_chunk(events)
    assert out[:used].tolist() == words.tolist()
    back = Events.empty(length=n)
    code = pure(packed_decode_kernels.decode)(
        words, whole_chunk(words, n), back.t, back.x, back.y, back.p, False, scratch()
    )
    assert code == 0
    assert back == events
    assert measures[:-1].tolist() == [*map(int, measure(events))]


@old_numpy
def test_a_full_block_as_python() -> None:
    events = piece(1025, "jitter", "runs", "any", "any", 3)
    out = np.zeros(packed_encode_kernels.worst_words(1025), np.uint16)
    measures = np.zeros(packed_encode_kernels.MEASURES, np.int64)
    told = (events.t, events.x, events.y, events.p, out, *encode_scratch(), measures)
    used = pure(packed_encode_kernels.encode)(*told)
    assert out[:used].tolist() == encode_chunk(events).tolist()
    assert measures[:-1].tolist() == [*map(int, measure(events))]
    back = Events.empty(length=1025)
    columns = (back.t, back.x, back.y, back.p)
    words = out[:used]
    decode = pure(packed_decode_kernels.decode)
    assert decode(words, whole_chunk(words, 1025), *columns, False, scratch()) == 0
    assert back == events


# -------------------------------------------------------------------------------- hostile


def mutate(words: NDArray[np.uint16], blocks: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """A payload with some words changed, mostly of the descriptors, or cut, or longer."""
    words = words.copy()
    for _ in range(int(rng.integers(1, 5))):
        near = 12 * blocks if rng.random() < 0.7 else len(words)
        words[rng.integers(0, min(near, len(words)))] = rng.choice(
            [0, 1, 16, 17, 255, 256, 257, 512, 1023, 1024, 0x4000, 0x8000, 0xC000, 0xFFFF]
            if rng.random() < 0.7
            else rng.integers(0, 65_536, 1)
        )
    kind = rng.random()
    if kind < 0.1:
        return words[: rng.integers(0, len(words))]
    if kind < 0.2:
        return np.concatenate([words, words[: rng.integers(0, len(words))]])
    return words


def whole_chunk(words: NDArray[np.uint16], n: int) -> NDArray[np.int64]:
    """What decode is told of a chunk that fills ``words``."""
    return np.array([0, len(words), n, 0, blocks_of(n), 0])


def scratch() -> NDArray[np.uint16]:
    return np.empty(packed_decode_kernels.SCRATCH, np.uint16)


def encode_scratch() -> tuple[NDArray[Any], ...]:
    return np.empty(1032, np.uint64), np.empty(1032, np.uint16), np.empty(1032, np.uint16)


def expect_code_or_events(words: NDArray[np.uint16], n: int, past: bool) -> bool:
    """In bounds; and the reference says the same. True where it decodes."""
    whole, views = guarded(n)
    code = packed_decode_kernels.decode(
        words, whole_chunk(words, n), *views.values(), past, scratch()
    )
    expect_guards(whole, n)
    try:
        expected = naive.decode(words.tolist(), n)
    except naive.NaiveError:
        assert code != 0
        with pytest.raises(EvstoreError):
            decode_chunk(words, n)
        return False
    assert code == 0
    for name, column in zip(COLUMNS, expected, strict=True):
        assert views[name].tolist() == list(column), name
    return True


def test_mutated_payloads_give_what_the_reference_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    decoded = 0
    for k in range(300):
        n = int(rng.choice([1, 64, 70, 1024, 1100]))
        kinds = [str(rng.choice(sorted(table))) for table in (TIMES, COORDINATES, COORDINATES)]
        events = piece(n, *kinds, "any", seed + k)
        words = mutate(encode_chunk(events), blocks_of(n), rng)
        decoded += expect_code_or_events(words, n, bool(k % 2))
    assert 0 < decoded < 300  # both happened


def test_random_payloads_end_in_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(300):
        n = int(rng.integers(1, 4000))
        top = int(rng.choice([2, 20, 600, 65_536]))
        words = rng.integers(0, top, int(rng.integers(0, 6000))).astype(np.uint16)
        whole, views = guarded(n)
        past = bool(rng.random() < 0.5)
        told = (words, whole_chunk(words, n), *views.values(), past, scratch())
        packed_decode_kernels.decode(*told)
        expect_guards(whole, n)


@old_numpy
def test_hostile_payloads_are_read_in_bounds(seed: int) -> None:
    """As Python, where reading beyond the payload or the scratch is an IndexError."""
    rng = np.random.default_rng(seed)
    decode = pure(packed_decode_kernels.decode)
    for k in range(60):
        n = int(rng.choice([1, 63, 64, 70, 130]))
        kinds = [str(rng.choice(sorted(table))) for table in (TIMES, COORDINATES, COORDINATES)]
        words = encode_chunk(piece(n, *kinds, "any", seed + k))
        for hostile in (words, mutate(words, 1, rng)):
            back = Events.empty(length=n)
            told = (hostile, whole_chunk(hostile, n))
            code = decode(*told, back.t, back.x, back.y, back.p, False, scratch())
            columns = Events.empty(length=n)
            compiled = packed_decode_kernels.decode
            into = (columns.t, columns.x, columns.y, columns.p)
            assert code == compiled(*told, *into, True, scratch())
            assert code or back == columns
