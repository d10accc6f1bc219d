"""Codec 2 against an independent reference: it reads the same, and makes the same payload again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

import evstore
import modelled
import naive_modelled
import naive_modelled_tables as tables
import naive_modelled_writing
from evstore.codec import model_format
from evstore.codec.chunk import MODELLED, decode_blocks, decode_chunk, encode_chunk
from evstore.codec.modelled_shape_kernels import IN_TOKENS
from evstore.errors import UnsupportedError
from evstore.events import COLUMNS, Events
from streams import COORDINATES, MAX_T, MIN_T, POLARITIES, TIMES, piece, streams

STEPS, SWAPPED, NEAR = 1, 2, 4
OFF, ON, CELLS, TOKENS = range(4)


def columns_of(events: Events) -> naive_modelled.Columns:
    return events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist()


def agree(events: Events, form: int = -1) -> Any:
    """All that must hold of these events; what their payload says.

    ``form``: one that need not be the cheapest.
    """
    words = encode_chunk(events, MODELLED) if form < 0 else modelled.encode_as(form, events)
    assert decode_chunk(words, len(events), MODELLED) == events
    columns = columns_of(events)
    assert naive_modelled.decode(words.tolist(), len(events)) == columns
    assert naive_modelled_writing.encode(words.tolist(), columns) == words.tolist()
    return tables.Payload(words.tolist(), len(events))


# ----------------------------------------------------------------------- samples of all forms

Made = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def rows(r: np.random.Generator, n: int) -> Made:
    """A sensor that reads out rows: y stands still or moves a little, x jumps."""
    y = np.cumsum(r.random(n) < 0.1) % 720
    return np.cumsum(r.integers(0, 3, n)), r.integers(0, 1280, n), y, r.integers(0, 2, n)


def near_rows(r: np.random.Generator, n: int) -> Made:
    """Rows in which one event follows the other, all of one polarity for a while."""
    y = np.cumsum(r.random(n) < 0.03) * 3 % 720
    x = np.cumsum(r.integers(1, 4, n)) % 1280
    return np.cumsum(r.random(n) < 0.1) * 7, x, y, np.cumsum(r.random(n) < 0.02) % 2


def few_rows(r: np.random.Generator, n: int) -> Made:
    """As near_rows, but each row is anywhere: the map, with near events."""
    k = np.cumsum(r.random(n) < 0.1)
    x = np.cumsum(r.integers(1, 4, n)) % 1024
    y = r.integers(0, 1024, n + 1)[k]
    return np.cumsum(r.integers(0, 9, n)), x, y, r.integers(0, 2, n)


def hot_places(r: np.random.Generator, n: int) -> Made:
    """A few places that have all events, each with a polarity of its own."""
    places = r.integers(0, 65_536, (2, 40))
    k = r.integers(0, 40, n)
    return np.cumsum(r.integers(0, 999, n)) * 10, *places[:, k], (k + (r.random(n) < 0.1)) % 2


def hot_rows(r: np.random.Generator, n: int) -> Made:
    """As hot_places, on eight rows: cut by y first, the map swapped."""
    k = r.integers(0, 40, n)
    x, y = r.integers(0, 256, 40)[k], r.integers(0, 8, 40)[k] * 32
    return np.cumsum(r.integers(0, 999, n)), x, y, (k + (r.random(n) < 0.1)) % 2


def two_halves(r: np.random.Generator, n: int) -> Made:
    """Rows with nothing between them: bands that have no event."""
    t, x, y, p = rows(r, n)
    return t, x, y % 20 + 700 * (np.arange(n) // 300 % 2), p


def tall(r: np.random.Generator, n: int) -> Made:
    """All coordinates there are."""
    x, y = r.integers(0, 65_536, (2, n))
    x[: n // 2 : 7], y[: n // 2 : 5] = 0, 65_535
    x[n // 2 :: 7], y[n // 2 :: 5] = 65_535, 0
    return np.cumsum(r.integers(0, 40_000, n)), x, y, r.integers(0, 2, n)


def turned(make: Callable[[np.random.Generator, int], Made]) -> Any:
    """With x for y."""

    def made(r: np.random.Generator, n: int) -> Made:
        t, x, y, p = make(r, n)
        return t, y, x, p

    return made


def with_times(
    change: Callable[[np.random.Generator, int, NDArray[Any]], NDArray[Any]],
) -> Callable[[np.random.Generator, int], Made]:
    def made(r: np.random.Generator, n: int) -> Made:
        t, x, y, p = rows(r, n)
        return change(r, n, t), x, y, p

    return made


SAMPLES: dict[str, Callable[[np.random.Generator, int], Made]] = {
    "rows": rows,
    "columns": turned(rows),
    "near rows": near_rows,
    "near columns": turned(near_rows),
    "few rows": few_rows,
    "few columns": turned(few_rows),
    "hot places": hot_places,
    "hot rows": hot_rows,
    "hot columns": turned(hot_rows),
    "two halves": two_halves,
    "tall": tall,
    "steps back": with_times(lambda r, n, t: t - 40 * (np.arange(n) % 30 == 29)),
    "gaps": with_times(lambda r, n, t: t + np.cumsum(r.random(n) < 0.02) * (1 << 33)),
    "ends": with_times(lambda r, n, t: np.resize(np.array([MIN_T, MAX_T, -1, 0, MAX_T - 1]), n)),
    "ticks": with_times(lambda r, n, t: t * 1000 - 123_456),
    "large ticks": with_times(lambda r, n, t: t * 65_535),
    "larger ticks": with_times(lambda r, n, t: t * 65_536),
    "ticks and gaps": with_times(
        lambda r, n, t: t * 50 + np.cumsum(r.random(n) < 0.01) * ((1 << 40) + 1)
    ),
}


def sample(name: str, n: int, p: str, seed: int) -> Events:
    r = np.random.default_rng(seed)
    made = SAMPLES[name](r, n)
    polarity = {"off": np.zeros(n), "on": np.ones(n)}.get(p, made[3])
    if p == "by row":  # of a row, and so of what is near in time: p form 3 pays
        polarity = made[2] // 2 % 2
    if p == "by column":
        polarity = made[1] // 2 % 2
    return Events(
        made[0].astype(np.int64),
        made[1].astype(np.uint16),
        made[2].astype(np.uint16),
        polarity.astype(np.uint8),
    )


@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize("p", ["as made", "off", "on", "by row", "by column"])
def test_samples_agree(name: str, p: str, seed: int) -> None:
    agree(sample(name, 2000, p, seed))


def test_samples_show_every_form() -> None:
    """With a seed of its own: what the encoder chooses is not chance here."""
    seen = Counter[Any]()
    for name in sorted(SAMPLES):
        for p in ("as made", "off", "by row", "by column"):
            said = agree(sample(name, 1000, p, 5))
            head = said.head
            kind = ("steps" if head.steps else "map", head.swapped, head.near)
            seen.update([kind, ("p", head.how), ("bands", head.bands > 1)])
            seen.update([("unit", head.unit > 1), ("exceptions", bool(said.exceptions))])
            seen.update(("tree", tree is not None) for tree in said.trees)
            seen.update(("raw", a + b > 16) for t in said.leaves for _, _, a, b in t.classes)
            seen.update([("sides", max(head.minor_bits, head.major_bits))])
            seen.update(("near", k == head.bands) for k, t in enumerate(said.trees) if t)
    on = agree(sample("rows", 100, "on", 5)).head.how
    wanted: set[Any] = {("steps", s, n) for s in (False, True) for n in (False, True)}
    wanted |= {("map", s, n) for s in (False, True) for n in (False, True)}
    wanted |= {(name, flag) for name in ("bands", "unit", "exceptions") for flag in (False, True)}
    wanted |= {("tree", False), ("tree", True), ("raw", True), ("sides", 16), ("near", True)}
    wanted |= {("p", OFF), ("p", CELLS), ("p", TOKENS)}
    assert wanted <= set(seen), wanted - set(seen)
    assert on == ON


@pytest.mark.parametrize("form", modelled.FORMS.values(), ids=modelled.FORMS)
def test_every_form_holds_all_events(form: int, seed: int) -> None:
    for k, name in enumerate(sorted(SAMPLES)):
        said = agree(sample(name, 500, "as made", seed + k), form)
        assert said.head.steps == bool(form & STEPS)
        assert said.head.swapped == bool(form & SWAPPED)
        largest_map = not form & STEPS and said.head.minor_bits + said.head.major_bits == 32
        assert said.head.near == (bool(form & NEAR) and not largest_map)
        assert said.head.how == (TOKENS if form & IN_TOKENS else CELLS)


@given(streams(1500))
@settings(max_examples=60)
def test_any_events_agree(events: Events) -> None:
    agree(events)


@pytest.mark.parametrize("p", ["as made", "by row"])
def test_the_form_is_near_the_best(p: str, seed: int) -> None:
    """Estimates from a sample of events cost 1 % at most, and tables that are not estimated."""
    for k, name in enumerate(sorted(SAMPLES)):
        for n in (5000, 16_384):
            events = sample(name, n, p, seed + k)
            least = min(len(modelled.encode_as(form, events)) for form in modelled.FORMS.values())
            assert len(encode_chunk(events, MODELLED)) <= 1.01 * least + 25, (name, n)


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 63, 64, 65, 1023, 1025])
def test_lengths_around_lanes(n: int, seed: int) -> None:
    for name in ("rows", "near columns", "few rows", "tall", "gaps"):
        agree(sample(name, n, "as made", seed))


@pytest.mark.parametrize("name", ["near rows", "rows", "few columns", "tall"])
def test_as_many_events_as_there_may_be(name: str, seed: int) -> None:
    said = agree(sample(name, 65_535, "as made", seed))
    assert said.count == model_format.MOST_EVENTS
    if said.head.steps:
        assert said.head.bands > 7  # more than chunks of few events have


def test_one_event_more_is_not_held(seed: int) -> None:
    with pytest.raises(UnsupportedError, match="65536 events"):
        encode_chunk(sample("rows", 65_536, "as made", seed), MODELLED)


@pytest.mark.parametrize("power", range(65))
@pytest.mark.parametrize("sign", [1, -1])
def test_time_steps_at_every_bit(power: int, sign: int) -> None:
    t = []
    for off in (-1, 0, 1):
        step = sign * ((1 << power) + off)
        t += [0, naive_modelled.as_signed(step), naive_modelled.as_signed(2 * step)]
    n = len(t)
    agree(Events(np.array(t, np.int64), np.zeros(n, "u2"), np.ones(n, "u2"), np.ones(n, "u1")))


@pytest.mark.parametrize("power", range(17))
def test_steps_and_distances_at_every_bit(power: int) -> None:
    """Of both coordinates: what one of them steps over is a place of the other."""
    far = np.array([0, 1, 65_535, *[((1 << power) + k) % 65_536 for k in (-1, 0, 1)]] * 40)
    y = np.repeat(far, 3)[: len(far)]
    t, p = np.arange(len(far)), np.arange(len(far)) // 7 % 2
    agree(Events(t, far, y, p))
    agree(Events(t, y, far, p))


@pytest.mark.parametrize("polarity", sorted(POLARITIES))
@pytest.mark.parametrize("n", [33, 640])
def test_every_kind_of_polarity(polarity: str, n: int, seed: int) -> None:
    for times, x in (("dense", "sensor"), ("jitter", "runs"), ("bursts", "rows")):
        agree(piece(n, times, x, "runs", polarity, seed))


@pytest.mark.parametrize("t", sorted(TIMES))
def test_every_kind_of_times(t: str, seed: int) -> None:
    agree(piece(1025, t, "sensor", "runs", "any", seed))


@pytest.mark.parametrize("kind", sorted(COORDINATES))
def test_every_kind_of_coordinates(kind: str, seed: int) -> None:
    agree(piece(1025, "dense", kind, kind, "any", seed))
    agree(piece(1025, "dense", kind, "two", "any", seed))


def test_no_event_comes_after_one_that_is_on() -> None:
    said = agree(Events([0, 1], [0, 0], [0, 2], [0, 1]), STEPS | IN_TOKENS)
    assert [len(table.classes) for table in said.tokens] == [2, 0]


def test_every_event_comes_after_one_that_is_on_but_one() -> None:
    said = agree(Events(range(64), [5] * 64, [7] * 64, [1] * 63 + [0]), STEPS | IN_TOKENS)
    assert all(table.classes for table in said.tokens)


def test_any_columns(seed: int) -> None:
    events = sample("gaps", 2000, "as made", seed)
    words = encode_chunk(events, MODELLED)
    pieces = np.array([0, len(words), 2000, 0, 2, 0])
    for wanted in range(16):
        whole = Events.empty(length=2000)
        some = [getattr(whole, c) if wanted >> k & 1 else None for k, c in enumerate(COLUMNS)]
        t, x, y, p = some
        decode_blocks(words, pieces, MODELLED, t, x, y, p)
        for name, column in zip(COLUMNS, some, strict=True):
            assert column is None or np.array_equal(column, getattr(events, name))


# ---------------------------------------------------------------------------- real recordings


RECORDINGS = (
    "atis/ncaltech101_faces_easy_0001.bin",
    "atis/nmnist_sample.bin",
    "made/davis240_boxes_60k.npz",
    "made/vga_outdoor_evt3.raw",
    "prophesee/gen3_vga_a_evt2.raw",
    "prophesee/gen41_hd_burst_evt3.raw",
    "prophesee/ncars_obj_004418.dat",
)


@pytest.mark.parametrize("name", RECORDINGS)
def test_excerpts_of_recordings_agree(name: str, data_dir: Path) -> None:
    with evstore.open(data_dir / name) as recording:
        n = recording.n_events
        for start in sorted({0, max(0, n // 2 - 1500), max(0, n - 3000)}):
            agree(recording[start : start + 3000])


# ------------------------------------------------------------------------------------ bins


def test_bins_of_the_reference_are_those_of_the_codec() -> None:
    times = zip(model_format.TIME_BASE.tolist(), model_format.TIME_RAW.tolist(), strict=True)
    assert [*times] == [*tables.TIME_BINS, (0, 0)]
    steps = zip(model_format.STEP_BASE.tolist(), model_format.STEP_RAW.tolist(), strict=True)
    assert [*steps] == tables.STEP_BINS


@pytest.mark.parametrize("places", [500, 2000])
def test_many_places_that_are_hot(places: int, seed: int) -> None:
    """A leaf each: the tables hold them, and pay."""
    r = np.random.default_rng(seed)
    k = r.integers(0, places, 16_384)
    x, y = r.integers(0, 1280, places)[k], r.integers(0, 720, places)[k]
    events = Events(np.cumsum(r.integers(0, 99, len(k))), x, y, r.integers(0, 2, len(k)))
    words = encode_chunk(events, MODELLED)
    assert decode_chunk(words, len(events), MODELLED) == events
    assert len(words) < 0.9 * len(encode_chunk(events))
