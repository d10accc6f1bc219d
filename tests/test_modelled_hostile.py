"""Payloads of codec 2 that are not to be trusted: an error or events, in bounds, to an end."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from evstore.codec.chunk import MODELLED, Rooms, decode_blocks, decode_chunk
from evstore.codec.model_format import (
    BANDS,
    EXCEPTION_WORDS,
    EXCEPTIONS,
    FORM,
    HEAD,
    LOW_MAJOR,
    LOW_MINOR,
    MOST_EVENTS,
    SIDES,
    STATE_WORDS,
    SURE_EVENTS,
    SWAPPED,
    TABLE_WORDS,
    UNIT,
)
from evstore.codec.modelled_decode_kernels import decode_chunks
from evstore.codec.modelled_room import decode_room
from evstore.errors import CorruptError
from evstore.events import Events
from guards import expect_guards, guarded
from modelled import AWKWARD, FORMS, Words, decoded, encode_as, made_up, mutate, walk, whole_chunk

NAMES = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
EXTREMES = (0, 1, 0x7FFF, 0x8000, 0xFFFF)
MOST_MEMORY = 8 << 20
ROOMS = Rooms()  # one for all: what another payload left in it must not show


def decodes(words: Words, n: int, past: bool = False) -> bool:
    """Whether it does; in bounds either way, and what is told of an event is possible."""
    whole, views = guarded(n)
    try:
        decode_blocks(words, whole_chunk(words, n), MODELLED, **views, past=past, rooms=ROOMS)
        good = True
    except CorruptError:
        good = False
    expect_guards(whole, n)
    assert not good or not n or views["p"].max() <= 1
    return good


def stepping(n: int) -> Events:
    """A walk of many exceptions: every fifth event is before the one before it."""
    events = walk(n)
    t = events.t.copy()
    t[::5] -= 1000
    return Events(t, events.x, events.y, events.p)


def small() -> list[Events]:
    one = walk(40)
    return [one, Events(one.t, one.x, one.y, np.ones(40, np.uint8)), stepping(33), walk(1)]


# ---------------------------------------------------------------------- flipped, cut, forged


@NAMES
def test_every_flipped_bit(form: int) -> None:
    for k, events in enumerate(small()):
        words = encode_as(form, events)
        for bit in range(16 * len(words)):
            words[bit // 16] ^= 1 << bit % 16
            decodes(words, len(events), past=bool((bit + k) % 2))
            words[bit // 16] ^= 1 << bit % 16
        assert decodes(words, len(events))


@NAMES
def test_flipped_bits_of_long_payloads(form: int, seed: int) -> None:
    """All of the head and the tables, and some of what follows; that is long enough for vectors."""
    words = encode_as(form, walk(1500))
    first = 16 * (HEAD + int(words[TABLE_WORDS]))
    rest = np.random.default_rng(seed).integers(first, 16 * len(words), 800)
    for bit in (*range(first), *rest.tolist()):
        words[bit // 16] ^= 1 << bit % 16
        decodes(words, 1500, past=bool(bit % 2))
        words[bit // 16] ^= 1 << bit % 16
    assert decodes(words, 1500)


@NAMES
def test_cut_or_longer_is_an_error(form: int) -> None:
    """All words are taken, and no others."""
    for events in (*small(), walk(900)):
        words = encode_as(form, events)
        for length in range(len(words)):
            assert not decodes(words[:length], len(events), past=bool(length % 2))
        for more in ([0], [0xFFFF], [1] * 300):
            assert not decodes(np.concatenate([words, np.array(more, np.uint16)]), len(events))


@NAMES
def test_every_word_of_the_head(form: int) -> None:
    for events in (*small(), walk(900)):
        given = encode_as(form, events)
        for place in range(HEAD):
            for value in (*EXTREMES, *AWKWARD):
                words = given.copy()
                words[place] = value
                decodes(words, len(events), past=bool(value % 2))


@NAMES
def test_several_words_of_the_head(form: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for events in (*small(), walk(900)):
        given = encode_as(form, events)
        for _ in range(200):
            words = given.copy()
            places = rng.integers(0, HEAD, int(rng.integers(2, 6)))
            words[places] = rng.choice(AWKWARD, len(places))
            decodes(words, len(events))


@NAMES
def test_any_words_of_the_tables(form: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for events in (*small(), walk(900)):
        given = encode_as(form, events)
        tables = int(given[TABLE_WORDS])
        for _ in range(150):
            words = given.copy()
            some = rng.integers(HEAD, HEAD + tables, int(rng.integers(1, tables + 1)))
            words[some] = rng.choice([0, 0xFFFF, 0x5555, rng.integers(65_536)], len(some))
            decodes(words, len(events))


def test_any_change_at_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = 0
    for k, (form, events) in enumerate(made_up((1, 40, 300, 1100), seed)):
        words = encode_as(form, events)
        for _ in range(30):
            found += decodes(mutate(words, rng), len(events), past=bool(k % 2))
    assert found > 0  # both happened


def test_random_words(seed: int) -> None:
    """Whole payloads of them, or all that follows on a head that can be."""
    rng = np.random.default_rng(seed)
    forms = list(FORMS.values())
    for k in range(2000):
        top = int(rng.choice([2, 20, 600, 65_536]))
        words = rng.integers(0, top, int(rng.integers(0, 3000))).astype(np.uint16)
        if k % 2 and len(words) > HEAD:
            words[:HEAD] = encode_as(forms[k // 2 % len(forms)], walk(40))[:HEAD]
        decodes(words, int(rng.choice([1, 40, 1100])), past=bool(k % 3))


# --------------------------------------------------------------------------- one thing wrong


@NAMES
def test_counts_that_are_not_its_own(form: int) -> None:
    for n in (33, 40, 900):
        words = encode_as(form, walk(n))
        for count in (0, 1, n - 1, n + 1, n + 32, 2 * n, 1024, MOST_EVENTS, MOST_EVENTS + 1):
            assert count == n or not decodes(words, count), count
        with pytest.raises(CorruptError, match="chunk does not decode"):
            decode_chunk(words, n + 1, MODELLED)


@NAMES
def test_tables_of_any_length(form: int) -> None:
    given = encode_as(form, walk(200))
    own = int(given[TABLE_WORDS])
    for length in (*range(len(given) + 5), *range(0, 65_536, 997), 65_535):
        words = given.copy()
        words[TABLE_WORDS] = length
        assert decodes(words, 200) == (length == own)


@NAMES
def test_exceptions_out_of_place(form: int) -> None:
    events = stepping(60)
    given = encode_as(form, events)
    first = HEAD + int(given[TABLE_WORDS])
    places = first + EXCEPTION_WORDS * np.arange(int(given[EXCEPTIONS]))
    assert len(places) > 5
    own = given[places].tolist()
    wrong = [[60], [61], [0xFFFF], [own[1]], [own[-1], own[0]], [0, 5, 4]]
    for values in wrong:
        words = given.copy()
        words[places[: len(values)]] = values
        good = sorted(words[places].tolist()) == words[places].tolist() and max(values) < 60
        assert decodes(words, 60) == good
        if not good:
            with pytest.raises(CorruptError, match="an exception beyond its block"):
                decode_chunk(words, 60, MODELLED)
    for count in (*range(len(places)), len(places) + 1, 59, 60, 61, 0xFFFF):
        words = given.copy()
        words[EXCEPTIONS] = count
        assert not decodes(words, 60)


@NAMES
def test_coordinates_beyond_16_bits_wrap(form: int) -> None:
    events = walk(300)
    given = encode_as(form, events)
    for field, swapped in ((LOW_MINOR, "y"), (LOW_MAJOR, "x")):
        name = swapped if form & SWAPPED else "xy".replace(swapped, "")
        words = given.copy()
        words[field] = 0xFFFF
        found = decode_chunk(words, 300, MODELLED)
        moved = getattr(events, name) - given[field] + np.uint16(0xFFFF)
        assert getattr(found, name).tolist() == moved.tolist()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (FORM, 32), (FORM, 0x8000), (UNIT, 0), (EXCEPTIONS, 41), (SURE_EVENTS, 41),
        (SIDES, 17), (SIDES, 17 << 8), (BANDS, 0x0C0), (BANDS, 0x1D0), (BANDS, 0x20C0),
        (TABLE_WORDS, 0xFFFF),
    ],
)  # fmt: skip
def test_heads_that_cannot_be(field: int, value: int) -> None:
    for form in FORMS.values():
        words = encode_as(form, walk(40))
        words[field] = value
        assert not decodes(words, 40)


@NAMES
def test_states_below_the_least(form: int) -> None:
    given = encode_as(form, walk(40))
    first = HEAD + int(given[TABLE_WORDS]) + EXCEPTION_WORDS * int(given[EXCEPTIONS])
    for place in range(first + 1, first + STATE_WORDS, 2):
        words = given.copy()
        words[place] = 0
        assert not decodes(words, 40)


@pytest.mark.parametrize(
    "piece",
    [
        (0, 1 << 40, 40, 0, 1, 0), (-1, 200, 40, 0, 1, 0), (9, 8, 40, 0, 1, 0),
        (0, 100, 40, 0, 1, 1), (0, 100, 40, 0, 1, -1), (0, 100, -1, 0, 1, 0),
        (0, 100, 1 << 40, 0, 1, 0), (0, 100, 1 << 62, 0, 1, 1 << 62), (0, 5, 40, 0, 1, 0),
    ],
)  # fmt: skip
def test_pieces_that_cannot_be(piece: tuple[int, ...]) -> None:
    words, (whole, views) = encode_as(0, walk(40)), guarded(40)
    rows = np.array([0, len(words), 40, 0, 1, 0, *piece])
    with pytest.raises(CorruptError) as caught:
        decode_blocks(words, rows, MODELLED, **views)
    assert caught.value.offset == 1  # the second chunk is the bad one
    expect_guards(whole, 40)


# ----------------------------------------------------------------------- what surrounds them


def test_what_lies_behind_a_payload_changes_nothing(seed: int) -> None:
    """Vectors load words from there."""
    rng = np.random.default_rng(seed)
    behind = rng.integers(0, 65_536, 600).astype(np.uint16)
    for form, events in made_up((40, 700), seed):
        given = encode_as(form, events)
        for words in (given, *(mutate(given, rng) for _ in range(8))):
            n = len(events)
            code, found = decoded(words, n)
            longer = np.concatenate([behind[:7], words, behind])
            back = Events.empty(length=n)
            piece = whole_chunk(words, n)
            piece[:2] += 7
            told = (back.t, back.x, back.y, back.p, False, decode_room(n))
            assert decode_chunks(longer, piece, *told) == code
            assert code or back == found


def test_what_lay_in_memory_before_changes_nothing_of_spoilt_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    room = decode_room(700)
    for form, events in made_up((40, 700), seed):
        given = encode_as(form, events)
        for _ in range(8):
            words = mutate(given, rng)
            for array in room:
                array.view(np.uint8)[:] = rng.integers(256)
            n = len(events)
            found = decoded(words, n, room)
            code, again = decoded(words, n)
            assert code == found[0]
            assert code or found[1] == again


def test_no_payload_asks_for_much_memory_or_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    decode_chunk(encode_as(0, walk(40)), 40, MODELLED)
    tracemalloc.start()
    try:
        for k in range(60):
            # As many bands, leaves and events as a head can tell of.
            words = rng.choice([0, 0xFFFF, 0x5555, 1, 65_535], 120_000).astype(np.uint16)
            if k % 2:
                words = rng.integers(0, 65_536, 120_000).astype(np.uint16)
            words[:HEAD] = encode_as(7 if k % 3 else 4, walk(40))[:HEAD]
            words[BANDS] = (31 << 8 | 8 << 4) if k % 3 else (1 << 8 | 12 << 4)
            words[SIDES], words[TABLE_WORDS] = 16 << 8 | 16, 65_535
            tracemalloc.reset_peak()
            before, start = tracemalloc.get_traced_memory()[0], time.process_time()
            decodes(words, MOST_EVENTS)
            with pytest.raises(CorruptError):
                decode_chunk(words, MOST_EVENTS + 1, MODELLED)
            assert tracemalloc.get_traced_memory()[1] - before < MOST_MEMORY
            assert time.process_time() - start < 5
    finally:
        tracemalloc.stop()
