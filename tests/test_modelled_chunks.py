"""Codec 2: events come back from every form there is, and from the one that is chosen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.codec.chunk import (
    MODELLED,
    Rooms,
    decode_blocks,
    decode_chunk,
    encode_chunk,
    has_blocks,
    preset_codec,
)
from evstore.codec.model_format import LANES, MOST_EVENTS
from evstore.codec.modelled_decode_kernels import decode_chunks
from evstore.codec.modelled_encode_kernels import encode_modelled
from evstore.codec.modelled_room import decode_room
from evstore.codec.rans_kernels import lane_start
from evstore.errors import ArgumentError, UnsupportedError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from guards import expect_guards, guarded
from modelled import FORMS, decoded, encode_as, made_up, walk, whole_chunk
from pure import pure
from streams import COORDINATES, MAX_T, MIN_T, POLARITIES, TIMES, piece, streams

U = np.uint64
NAMES = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


def expect_back(events: Events) -> None:
    words = encode_chunk(events, MODELLED)
    assert decode_chunk(words, len(events), MODELLED) == events


# ---------------------------------------------------------------------------- there and back


@given(streams())
@settings(max_examples=80)
def test_events_come_back(events: Events) -> None:
    expect_back(events)


@given(streams(), st.sampled_from(sorted(FORMS)), st.booleans())
@settings(max_examples=80)
def test_events_come_back_from_any_form(events: Events, form: str, past: bool) -> None:
    words = encode_as(FORMS[form], events)
    assert decoded(words, len(events), past=past) == (0, events)


@NAMES
def test_every_kind_in_every_form(form: int, seed: int) -> None:
    kinds = [(t, "sensor", "runs", "any") for t in TIMES]
    kinds += [("dense", a, b, "any") for a in COORDINATES for b in COORDINATES]
    kinds += [("jitter", "rows", "hot pixel", p) for p in POLARITIES]
    for n in (1, 33, 530):
        for kind in kinds:
            events = piece(n, *kind, seed)
            assert decoded(encode_as(form, events), n) == (0, events), (n, kind)


@NAMES
@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 511, 512, 513, 543, 1024, 8191, 8192, MOST_EVENTS])
def test_lengths_around_lanes_and_vectors(form: int, n: int) -> None:
    events = walk(n)
    assert decoded(encode_as(form, events), n) == (0, events)


@pytest.mark.parametrize("power", range(65))
@pytest.mark.parametrize("sign", [1, -1])
def test_time_steps_at_every_bit(power: int, sign: int) -> None:
    steps = [k for off in (-1, 0, 1) for k in (sign * ((1 << power) + off), 3, 0)]
    t = np.cumsum(np.array([k % (1 << 64) for k in steps * 15], np.uint64)).view(np.int64)
    n = len(t)
    expect_back(Events(t, np.zeros(n, "u2"), np.arange(n), np.arange(n) & 1))


def test_differences_that_overflow() -> None:
    t = np.array([MIN_T, MAX_T, MIN_T, 0, MAX_T, -1, MIN_T, MIN_T + 1, MAX_T] * 5, np.int64)
    x = np.array([0, 65_535, 1] * 15)
    for form in FORMS.values():
        events = Events(t, x, x[::-1], x & 1)
        assert decoded(encode_as(form, events), 45) == (0, events)


@pytest.mark.parametrize("unit", [1, 2, 7, 1000, 65_535, 65_536, 65_537])
def test_times_that_a_unit_divides(unit: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for most in (2, 32_767, 32_768, 40_000):
        t = MAX_T - unit * np.cumsum(rng.integers(0, most, 300))[::-1]
        expect_back(Events(t, np.zeros(300, "u2"), np.zeros(300, "u2"), np.ones(300, "u1")))


def lane_ends(n: int) -> list[int]:
    """The last event of each lane that has one."""
    starts = [int(lane_start(U(lane), U(n))) for lane in range(LANES + 1)]
    return sorted({stop - 1 for start, stop in pairwise(starts) if stop > start})


@pytest.mark.parametrize("n", [2, 31, 33, 500])
def test_on_events_that_none_follows(n: int) -> None:
    """The table of what follows an ON event is one of nothing."""
    events, ends = walk(n), lane_ends(n)
    for some in (ends, ends[-1:], ends[:-1]):
        p = np.zeros(n, np.uint8)
        p[some] = 1
        given = Events(events.t, events.x, events.y, p)
        expect_back(given)
        for form in FORMS.values():
            assert decoded(encode_as(form, given), n) == (0, given)


def test_identical_events_up_to_as_many_as_a_payload_may_say() -> None:
    """Readers bound what they allocate by the size of a record: more are left to codec 1."""
    for n in (2, 1000, 10_000):
        expect_back(Events([7] * n, [3] * n, [65_535] * n, [1] * n))
    n = 60_000
    with pytest.raises(UnsupportedError, match="codec 2 does not hold these 60000 events"):
        encode_chunk(Events([7] * n, [3] * n, [9] * n, [1] * n), MODELLED)


def test_more_events_than_a_chunk_may_have() -> None:
    events = walk(MOST_EVENTS + 1)
    with pytest.raises(UnsupportedError, match="codec 2 does not hold these 65536 events"):
        encode_chunk(events, MODELLED)
    with pytest.raises(ArgumentError, match="one event or more"):
        encode_chunk(events[:0], MODELLED)


def test_name_and_blocks() -> None:
    assert preset_codec("balanced") == MODELLED
    assert not has_blocks(MODELLED)


def test_payloads_are_what_they_were() -> None:
    """The format stands. An encoder that finds something smaller may change this, knowingly."""
    k = np.arange(3000, dtype=np.uint64)
    some = (k * U(0x9E3779B97F4A7C15)) >> U(40)  # no random generator promises its numbers
    t = np.cumsum((some & U(15)) * U(10)) - U(600) * (some % U(97) == 0)
    x, y = 300 + some % U(60) + (some & U(0x100)), k // U(25)
    p = (k // U(7) + (some % U(11) == 0)) & U(1)
    events = Events(t.astype(np.int64), x, y, p)
    hashed = xxhash.xxh3_64()
    for form in (*FORMS.values(), -1):
        for part in (events, events[:50], events[2000:2001]):
            hashed.update(encode_as(form, part).tobytes())
    assert hashed.hexdigest() == "1369c46022a3cb3a"


# -------------------------------------------------------------- parts, and several at once


def test_any_columns_of_several_chunks(seed: int) -> None:
    """Only what is asked for is written, where it is asked for, past the cache or not."""
    rng = np.random.default_rng(seed)
    chunks = list(made_up((1, 40, 600), seed))
    payloads = [encode_as(form, events) for form, events in chunks]
    words = np.concatenate(payloads)
    stops = np.cumsum([len(payload) for payload in payloads])
    rooms = Rooms()
    for k in range(40):
        which = rng.permutation(len(chunks))[: rng.integers(1, 6)]
        wanted = [c for c in COLUMNS if rng.random() < 0.6]
        rows, at = [], int(rng.integers(0, 4))
        for i in which:
            n = len(chunks[i][1])
            rows.append([stops[i] - len(payloads[i]), stops[i], n, 0, 1, at])
            at += n
        whole, views = guarded(at)
        arrays = {c: views[c] if c in wanted else None for c in COLUMNS}
        decode_blocks(
            words, np.array(rows).ravel(), MODELLED, **arrays, past=k % 2 > 0, rooms=rooms
        )
        expect_guards(whole, at)
        for i, row in zip(which, rows, strict=True):
            for name in wanted:
                found = views[name][row[5] : row[5] + row[2]]
                assert np.array_equal(found, getattr(chunks[i][1], name)), (name, i)


def test_what_lay_in_memory_before_changes_nothing(seed: int) -> None:
    room = decode_room(600)
    for k, (form, events) in enumerate(made_up((1, 40, 600), seed)):
        for array in room:
            array.view(np.uint8)[:] = (0, 165, 255)[k % 3]
        assert decoded(encode_as(form, events), len(events), room) == (0, events)


# ------------------------------------------------------------------------ as plain Python

old_numpy = pytest.mark.skipif(
    int(np.__version__.split(".")[0]) < 2,
    reason="scalars of numpy 1 turn uint64 + int into float64",
)


@old_numpy
def test_kernels_as_python_give_the_same(seed: int) -> None:
    """There every index is checked, and nothing is a vector."""
    encode, decode = pure(encode_modelled), pure(decode_chunks)
    for form, events in made_up((1, 40), seed):
        n = len(events)
        words = encode_as(form, events, encode)
        assert words.tolist() == encode_as(form, events).tolist()
        assert decoded(words, n, decode=decode) == (0, events)
    events = walk(200, seed)
    words = encode_as(-1, events, encode)  # the form is found by trial
    assert words.tolist() == encode_chunk(events, MODELLED).tolist()
    back = {c: np.empty(200, COLUMN_DTYPES[c]) for c in COLUMNS}
    assert decode(words, whole_chunk(words, 200), *back.values(), False, decode_room(200)) == 0
    assert Events(**back) == events
