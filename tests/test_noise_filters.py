"""Filters keep what their definitions say, whatever the batches, and wherever times lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import naive_noise_filters as naive
from evstore import Events
from evstore.errors import ArgumentError
from evstore.noise import (
    ActivityFilter,
    AntiFlicker,
    BackgroundActivity,
    Compose,
    Decimation,
    HotPixelMask,
    PixelRateLimit,
    RateLimit,
    Refractory,
    Stcf,
    TimestampQuantise,
    Transform,
    stcf_scores,
)
from evstore.noise.filters import sources
from evstore.noise.filters.choosing_kernels import STEP

SIZE = (13, 9)
Rows = list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class Case:
    """A filter and what says what it keeps."""

    filter: Transform
    naive: Callable[[Rows], list[bool]]


def near(window: int, support: int, neighbours: int, same: bool, active: bool) -> Any:
    def kept(rows: Rows) -> list[bool]:
        ages = naive.neighbour_ages(rows, SIZE, neighbours, same, active)
        return naive.supported(ages, window, support)

    return kept


PIXELS = [(5, 4), (0, 0), (12, 8)]
CASES = {
    "refractory kept": Case(Refractory(700), lambda r: naive.refractory(r, 700, "kept")),
    "refractory all": Case(
        Refractory(700, restart="all"), lambda r: naive.refractory(r, 700, "all")
    ),
    "refractory 0": Case(Refractory(0), lambda r: naive.refractory(r, 0, "kept")),
    "activity 8": Case(ActivityFilter(60), near(60, 1, 8, False, False)),
    "activity 4": Case(ActivityFilter(60, neighbours=4), near(60, 1, 4, False, False)),
    "activity 8 active": Case(ActivityFilter(900, start="active"), near(900, 1, 8, False, True)),
    "activity 4 active": Case(
        ActivityFilter(900, neighbours=4, start="active"), near(900, 1, 4, False, True)
    ),
    "stcf 1": Case(Stcf(60, 1), near(60, 1, 8, False, False)),
    "stcf 2": Case(Stcf(150), near(150, 2, 8, False, False)),
    "stcf 3 of 4": Case(Stcf(400, 3, 4), near(400, 3, 4, False, False)),
    "stcf 2 same": Case(Stcf(300, same_polarity=True), near(300, 2, 8, True, False)),
    "stcf 2 same active": Case(
        Stcf(900, 2, 4, same_polarity=True, start="active"), near(900, 2, 4, True, True)
    ),
    "decimation": Case(Decimation(3), lambda r: naive.decimation(r, 3, "pixel")),
    "decimation 1": Case(Decimation(1), lambda r: naive.decimation(r, 1, "pixel")),
    "decimation stream": Case(
        Decimation(7, by="stream"), lambda r: naive.decimation(r, 7, "stream")
    ),
    "rate": Case(RateLimit(40_000, burst=20), lambda r: naive.rate_limit(r, 40_000, 20)),
    "mask": Case(HotPixelMask(PIXELS), lambda r: naive.masked(r, set(PIXELS))),
}


DTYPES = [
    [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")],
    [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")],
    [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8"), ("weight", "<f8"), ("name", "S3")],
    [("p", "i1"), ("t", ">i4"), ("y", "<u4"), ("x", "<u2")],
    {"names": ["t", "x", "y", "p"], "formats": ["<i8", "<u2", "<u2", "?"],
     "offsets": [0, 8, 10, 12], "itemsize": 40},
]  # fmt: skip


def make(rng: np.random.Generator, size: int, mean_us: float = 15, first: int = 0) -> Events:
    """Runs of events of a row, some at the same time, as sensors give them."""
    steps = rng.exponential(mean_us, size) * (rng.random(size) < 0.7)
    t = first + np.cumsum(steps.astype(np.int64))
    runs = np.cumsum(rng.random(size) < 0.4)
    at = rng.integers(0, SIZE[0] * SIZE[1], size)[runs]
    x = (at % SIZE[0] + np.arange(size)) % SIZE[0]
    return Events(t, x, at // SIZE[0], rng.integers(0, 2, size), SIZE)


def rows_of(events: Events) -> Rows:
    columns = (events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist())
    return list(zip(*columns, strict=True))


def streamed(filter: Transform, events: Events, cuts: list[int]) -> Events:
    stream = filter.stream(SIZE)
    bounds = [0, *cuts, len(events)]
    parts = [stream.push(events[a:b]) for a, b in pairwise(bounds)]
    return Events.concatenate([*parts, stream.end()])


@pytest.mark.parametrize("name", CASES)
def test_keeps_what_is_meant(name: str, seed: int) -> None:
    case, rng = CASES[name], np.random.default_rng(seed)
    events = make(rng, 5000)
    mask = np.array(case.naive(rows_of(events)))
    expected = events[mask]
    assert name.endswith(" 1") or 0 < len(expected) < len(events)
    assert case.filter(events) == expected
    assert case.filter(events).resolution == SIZE
    found, labels = case.filter(events, labels=True)
    assert found == expected
    assert labels.tolist() == [0] * len(found)
    for _ in range(2):
        cuts = sorted(rng.integers(0, len(events), 8).tolist())
        assert streamed(case.filter, events, [*cuts, cuts[-1]]) == expected
    assert streamed(case.filter, events, list(range(0, 300))) == expected


@pytest.mark.parametrize(
    ("name", "first"),
    [
        (name, first)
        for name in CASES
        for first in (-(1 << 63), -(10**9), 1 << 30, 10**15)
        if first > -(1 << 62) or "active" not in name  # of time 0, which would be too far away
    ],
)
def test_wherever_times_lie(name: str, first: int, seed: int) -> None:
    """Few events, some years apart: maps are rebased, and widened for a while."""
    case, rng = CASES[name], np.random.default_rng(seed)
    steps = [2, 30, 1 << 20, 1 << 29, (1 << 30) - 1, 1 << 30, 1 << 33, 1 << 61]
    gaps = np.zeros(400, np.int64)
    gaps[rng.integers(0, 400, 40)] = rng.choice(steps, 40)
    gaps[gaps == 1 << 61] = 0
    gaps[[100, 200, 300]] = [1 << 61, 1 << 60, 1 << 61]
    events = make(rng, 400, 5, 0)
    events.t[:] = events.t + np.cumsum(gaps) + first
    assert np.all(np.diff(events.t) >= 0)
    rows = rows_of(events)
    expected = events[np.array(case.naive(rows))]
    assert case.filter(events) == expected
    # Streams go through long times in small steps: so only the first part.
    some = events[:50]
    if some.t[-1] - some.t[0] < 10**9:
        cuts = sorted(rng.integers(0, 50, 3).tolist())
        assert streamed(case.filter, some, cuts) == events[:50][np.array(case.naive(rows[:50]))]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
@pytest.mark.parametrize("start", ["quiet", "active"])
def test_smallest_sensors(size: tuple[int, int], start: str, seed: int) -> None:
    """Of one column or row: neighbours that there are not, and before time 0 too."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(-2000, 6000, 500))
    columns = (rng.integers(0, side, 500) for side in (*size, 2))
    events = Events(t, *columns, size)
    for neighbours in (4, 8):
        ages = naive.neighbour_ages(rows_of(events), size, neighbours, False, start == "active")
        for support, filter in (
            (1, ActivityFilter(40, neighbours, start)),
            (1, Stcf(40, 1, neighbours, start=start)),
            (2, Stcf(400, 2, neighbours, start=start)),
        ):
            expected = events[np.array(naive.supported(ages, filter.window_us, support))]
            assert filter(events) == expected


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pieces of so many events, which are no whole number of steps."""
    size = 2 * STEP + 100
    for name in ("PIECE", "LOADED"):
        monkeypatch.setattr(sources, name, size)
    return size


def test_more_than_a_piece(seed: int, small_pieces: int) -> None:
    """Several pieces, the last one short, and of columns that are not contiguous."""
    rng = np.random.default_rng(seed)
    size = small_pieces * 2 + 77
    events = make(rng, size)
    expected = events[np.array(naive.refractory(rows_of(events), 700, "kept"))]
    assert Refractory(700)(events) == expected
    wide = Events.empty(SIZE, 2 * size)
    for name in "txyp":
        getattr(wide, name)[::2] = getattr(events, name)
    assert Refractory(700)(wide[::2]) == expected


@pytest.mark.parametrize("name", CASES)
def test_nothing_and_one(name: str) -> None:
    filter = CASES[name].filter
    assert len(filter(Events.empty(SIZE))) == 0
    assert filter(Events.empty(SIZE), labels=True)[1].dtype == np.uint8
    one = Events([5], [3], [4], [1], SIZE)
    assert len(filter(one)) == sum(CASES[name].naive(rows_of(one)))
    assert len(streamed(filter, Events.empty(SIZE), [0, 0])) == 0


@pytest.mark.parametrize("name", CASES)
def test_time_steps_back(name: str, seed: int) -> None:
    """Sorted first, stable for equal times; late ones are found in any piece."""
    rng = np.random.default_rng(seed)
    events = make(rng, 3000)
    order = rng.permutation(3000)
    case = CASES[name]
    shuffled = events[order]
    again = shuffled[np.argsort(shuffled.t, kind="stable")]
    expected = again[np.array(case.naive(rows_of(again)))]
    assert case.filter(shuffled) == expected


@pytest.mark.parametrize("name", [*CASES])
def test_records_of_several_pieces(name: str, seed: int, small_pieces: int) -> None:
    """Each is judged as itself, whichever step and piece it lies in."""
    case, rng = CASES[name], np.random.default_rng(seed)
    array = make(rng, 2 * small_pieces + 77).to_structured(DTYPES[1])
    rows = list(zip(*(array[field].tolist() for field in "txyp"), strict=True))
    expected = array[np.array(case.naive(rows))]
    assert np.array_equal(case.filter(array), expected)
    numbered = np.zeros(len(array), [*array.dtype.descr, ("number", "<u4")])
    for field in "txyp":
        numbered[field] = array[field]
    numbered["number"] = np.arange(len(array))
    assert np.array_equal(
        case.filter(numbered)["number"], np.flatnonzero(np.array(case.naive(rows)))
    )


@pytest.mark.parametrize("at", [5, 2 * STEP + 90, 2 * STEP + 110, 3 * STEP + 7])
def test_faults_in_any_step(at: int, small_pieces: int) -> None:
    """A step back, and an event outside of what the first ones tell, before it or behind it."""
    t, x = np.arange(10, 10 + 4 * STEP), np.zeros(4 * STEP, np.int64)
    t[at] -= 3
    x[3 * STEP] = 50
    events = Events(t, x, x, 0 * x)
    expected = events[np.argsort(events.t, kind="stable")]
    assert Decimation(1)(events) == expected
    array = events.to_structured(DTYPES[1])
    assert np.array_equal(Decimation(1)(array)["t"], expected.t)
    with pytest.raises(ArgumentError, match="outside of the sensor of 34x34"):
        Decimation(1, resolution=(34, 34))(array)


def test_polarities_of_minus_one(seed: int) -> None:
    """Nobody looks at them: they are kept. Where they are looked at they are refused."""
    dtype = np.dtype([("x", "<i4"), ("y", "<i4"), ("t", "<i8"), ("p", "i1")])
    array = make(np.random.default_rng(seed), 3000).to_structured(dtype)
    array["p"] = 2 * array["p"] - 1
    found = Refractory(700)(array)
    assert np.array_equal(np.unique(found["p"]), [-1, 1])
    with pytest.raises(ArgumentError, match="column 'p' must hold 0"):
        Stcf(300, same_polarity=True)(array)
    array["x"][2500] = 100
    with pytest.raises(ArgumentError, match="outside of the sensor of 34x34"):
        Refractory(5, resolution=(34, 34))(array)
    array["x"][2500] = -1
    with pytest.raises(ArgumentError, match="column"):
        Refractory(5, resolution=(34, 34))(array)


@pytest.mark.parametrize("resolution", [None, (34, 34), (65_536, 34)])
@pytest.mark.parametrize("field", ["x", "y"])
def test_a_negative_coordinate_is_no_large_one(
    field: str, resolution: tuple[int, int] | None, seed: int
) -> None:
    """Fields of 16 bits with a sign are read without one."""
    array = make(np.random.default_rng(seed), 3000).to_structured(DTYPES[1])
    array[field][2900] = -5
    with pytest.raises(ArgumentError, match=f"column '{field}' must lie in 0..65535"):
        Refractory(5, resolution=resolution)(array)


def test_the_widest_sensor(seed: int) -> None:
    array = make(np.random.default_rng(seed), 3000).to_structured(DTYPES[0])
    array["x"][2900] = 65_535
    assert np.array_equal(Decimation(1, resolution=(65_536, 34))(array), array)
    assert np.array_equal(Decimation(1)(array), array)
    with pytest.raises(ArgumentError, match="outside of the sensor of 65535x34"):
        Decimation(1, resolution=(65_535, 34))(array)


def test_a_polarity_of_two(seed: int) -> None:
    """Refused by who looks at it, and kept as it is by others."""
    array = make(np.random.default_rng(seed), 3000).to_structured(DTYPES[0])
    array["p"][2900] = 2
    assert np.array_equal(Decimation(1)(array), array)
    with pytest.raises(ArgumentError, match="column 'p' must hold 0"):
        Stcf(300, same_polarity=True)(array)


@pytest.mark.parametrize("p", ["i1", ">i2", "<f4"])
@pytest.mark.parametrize("x", ["<u2", ">u2"])
@pytest.mark.parametrize("start", [None, 0])
def test_a_polarity_that_nobody_looks_at(p: str, x: str, start: int | None) -> None:
    array = np.zeros(3, [("t", "<i8"), ("x", x), ("y", "<i2"), ("p", p)])
    array["t"], array["p"] = [1, 2, 3], [-1, 1, 7]
    assert np.array_equal(Refractory(0)(array, start=start), array)
    with pytest.raises(ArgumentError, match="column 'p'"):
        Stcf(300, same_polarity=True)(array, start=start)


def test_polarities_that_somebody_set() -> None:
    """Places in a map are found by them."""
    events = Events([1, 2, 3], [1, 2, 3], [1, 2, 3], [0, 1, 0], (34, 34))
    events.p[1] = 255
    for transform in (AntiFlicker(100), Stcf(300, same_polarity=True), BackgroundActivity()):
        with pytest.raises(ArgumentError, match="column 'p' must hold 0"):
            transform(events)
        with pytest.raises(ArgumentError, match="column 'p' must hold 0"):
            transform.stream((34, 34)).push(events)


def test_columns_that_somebody_set() -> None:
    """Of other dtypes: checked before a kernel has them."""
    events = Events([1, 2, 3], [1, 2, 3], [1, 2, 3], [0, 1, 0], (34, 34))
    events.x = np.array([5, -3, 7], np.int16)
    for transform in (Decimation(1), BackgroundActivity()):
        with pytest.raises(ArgumentError, match="column 'x'"):
            transform(events)
    events.x = np.array([5, 3, 7], np.int16)
    assert Decimation(1)(events).x.tolist() == [5, 3, 7]
    events.y = events.y[:2]
    with pytest.raises(ArgumentError, match="equal length"):
        Decimation(1)(events)


def test_resolution_of_numpy_integers(seed: int) -> None:
    """They would overflow where pixels are counted."""
    rng = np.random.default_rng(seed)
    columns = (rng.integers(0, side, 500) for side in (640, 480, 2))
    plain = Events(np.arange(500), *columns, (640, 480))
    size = np.uint16(640), np.uint16(480)
    for events in (
        Events(plain.t, plain.x, plain.y, plain.p, size),
        Events.of(plain.t, plain.x, plain.y, plain.p, size),
    ):
        for transform in (Decimation(3), ActivityFilter(500), BackgroundActivity(seed=1)):
            assert transform(events) == transform(plain)


def test_active_of_a_time_too_far_away() -> None:
    events = Events([-(1 << 62) - 1, 5], [1, 1], [1, 1], [1, 1], (34, 34))
    with pytest.raises(ArgumentError, match="start='active' is of time 0"):
        ActivityFilter(5, start="active")(events)


@pytest.mark.parametrize("support", [1, 4, 8])
@pytest.mark.parametrize("first", [-(1 << 61), -(1 << 31), -(1 << 30), -1000])
def test_active_pixels_and_those_around_the_sensor(first: int, support: int) -> None:
    """What lies around the sensor was never active, however long before time 0 a stream begins."""
    events = make(np.random.default_rng(support), 300, 15, first)
    for neighbours in (4, 8):
        if support <= neighbours:
            expected = near(100, support, neighbours, False, True)(rows_of(events))
            stcf = Stcf(100, support, neighbours, start="active")
            assert stcf(events) == events[np.array(expected)]
    corner = Events([first], [0], [0], [1], SIZE)
    assert len(Stcf(100, support=4, start="active")(corner)) == 0


def test_one_step_back_in_a_later_piece(seed: int, small_pieces: int) -> None:
    events = make(np.random.default_rng(seed), small_pieces + 10)
    events.t[-1] = 0
    found = Refractory(0)(events)
    assert np.all(np.diff(found.t) >= 0)
    assert found == Refractory(0)(events[np.argsort(events.t, kind="stable")])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["refractory kept", "activity 8", "decimation", "mask"])
def test_structured(dtype: Any, name: str, seed: int) -> None:
    """The records as they are, fields that nobody knows too; fresh, and the caller's to write."""
    rng = np.random.default_rng(seed)
    events = make(rng, 2000)
    array = np.zeros(2000, np.dtype(dtype))
    for field in "txyp":
        array[field] = getattr(events, field)
    if "weight" in array.dtype.names:
        array["weight"] = rng.random(2000)
        array["name"] = rng.integers(0, 999, 2000).astype("S3")
    before = array.copy()
    case = CASES[name]
    expected = array[np.array(case.naive(rows_of(events)))]
    found = case.filter(array)
    assert found.dtype == array.dtype
    assert found.flags.writeable
    assert np.array_equal(found, expected)
    assert not np.shares_memory(found, array)
    found["t"] = 0
    assert np.array_equal(array, before)
    twice = np.repeat(array, 2)[::2]
    assert np.array_equal(case.filter(twice), expected)


def test_scores_say_it_for_every_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = make(rng, 1500)
    for support, neighbours, same in ((1, 8, False), (2, 8, False), (3, 4, False), (2, 8, True)):
        scores = stcf_scores(events, support, neighbours=neighbours, same_polarity=same)
        ages = naive.neighbour_ages(rows_of(events), SIZE, neighbours, same, False)
        never = np.iinfo(np.int64).max
        expected = [some[support - 1] if len(some) >= support else never for some in ages]
        assert scores.tolist() == expected
        for window in (1, 50, 333):
            kept = Stcf(window, support, neighbours, same)(events)
            assert kept == events[scores < window]


def test_scores_of_what_cannot_be_scored() -> None:
    with pytest.raises(ArgumentError, match="step back"):
        stcf_scores(Events([5, 4], [1, 1], [1, 1], [1, 1]))
    with pytest.raises(ArgumentError, match="outside"):
        stcf_scores(Events([5], [9], [1], [1]), resolution=(5, 5))
    with pytest.raises(ArgumentError, match="support"):
        stcf_scores(Events([5], [9], [1], [1]), 9)
    with pytest.raises(ArgumentError, match="resolution must be"):
        stcf_scores(Events([5], [9], [1], [1]), resolution=(0, 5))
    assert stcf_scores(Events.empty()).size == 0


def test_scores_as_filters_take_their_arguments() -> None:
    events = Events([5, 8], [1, 2], [1, 1], [1, 1])
    for resolution in ((34, 34, 2), np.array([34, 34])):
        assert stcf_scores(events, 1, resolution=resolution).tolist()[1] == 3  # type: ignore[arg-type]
    least, most = -(1 << 63), (1 << 63) - 1
    far = Events([least + 1, most], [1, 2], [1, 1], [1, 1])
    assert stcf_scores(far, 1).tolist() == [most, most]


@pytest.mark.parametrize("counts", ["kept", "all"])
@pytest.mark.parametrize(("rate", "half_life"), [(200, 20_000), (30, 5_000), (700.5, 900)])
def test_pixel_rate(counts: str, rate: float, half_life: int, seed: int) -> None:
    """As the formula in floats, but for levels within a hair of the limit."""
    events = make(np.random.default_rng(seed), 4000, 60)
    filter = PixelRateLimit(rate, half_life, counts)
    found = filter(events)
    rows = rows_of(events)
    levels, limit = naive.pixel_rate_levels(rows, rate, half_life, counts)
    clear = np.array([abs(level - limit) > 0.01 * limit + 1e-3 for level in levels])
    kept = np.array([level < limit for level in levels])
    assert 0 < len(found) < len(events)
    # A decision within the hair may be another one, and change those that follow of its pixel.
    assert abs(len(found) - kept.sum()) <= 8 * (~clear).sum() + 2
    if clear.all():
        assert found == events[kept]
    cuts = [100, 101, 101, 2500]
    assert streamed(filter, events, cuts) == found


def test_pixel_rate_of_regular_pixels() -> None:
    """A pixel just below the rate gives all, one far above it gives the rate, or nothing."""
    slow = Events(np.arange(0, 10_000_000, 10_100), [3] * 991, [4] * 991, [1] * 991, SIZE)
    fast = Events(np.arange(0, 10_000_000, 500), [5] * 20_000, [4] * 20_000, [1] * 20_000, SIZE)
    assert len(PixelRateLimit(100)(slow)) == 991
    assert 1000 <= len(PixelRateLimit(100)(fast)) < 1100  # it starts at level 0
    assert len(PixelRateLimit(100, counts="all")(slow)) == 991
    assert len(PixelRateLimit(100, counts="all")(fast)) < 20


@pytest.mark.parametrize("half_life", [1, 3, 200, 255, 256, 1000])
@pytest.mark.parametrize("counts", ["kept", "all"])
def test_pixel_rate_after_any_time(half_life: int, counts: str) -> None:
    """Nothing is left of a level after very long, whatever the time is a multiple of."""
    times = [0, 0, 0, 1]
    for shift in (44, 45, 54, 55, 56, 57, 62):
        times += [(1 << shift) * half_life + k for k in (0, 0, 2)]
    t = np.sort([time for time in times if time < 1 << 63] + [-(1 << 62), -(1 << 62)])
    events = Events(t, t * 0 + 1, t * 0 + 1, t * 0, SIZE)
    filter = PixelRateLimit(2.5e5 / half_life, half_life, counts)
    levels, limit = naive.pixel_rate_levels(rows_of(events), 2.5e5 / half_life, half_life, counts)
    expected = events[np.array(levels) < limit]
    assert filter(events) == streamed(filter, events, [1, 4, 5, 9]) == expected
    pair = Events([0, 0, 1 << 56], [1] * 3, [1] * 3, [1] * 3, SIZE)
    assert len(PixelRateLimit(1e6, half_life_us=1)(pair)) == 3


def test_pixel_rate_of_coarse_time_stamps(seed: int) -> None:
    """The first ones may lie before the start."""
    events = make(np.random.default_rng(seed), 2000, 60, 12_345)
    coarse, limit = TimestampQuantise(1000), PixelRateLimit(200, 5000)
    both = Compose(coarse, limit)
    found = both(events)
    assert found == limit(coarse(events)) == streamed(both, events, [3, 500])
    rows = rows_of(coarse(events))
    levels, most = naive.pixel_rate_levels(rows, 200, 5000, "kept")
    assert len(found) == pytest.approx(np.sum(np.array(levels) < most), abs=8)


def test_rate_over_any_time(seed: int) -> None:
    events = make(np.random.default_rng(seed), 5000, 5)
    t = RateLimit(50_000, burst=10)(events).t
    for span_us in (100, 1000, 7000):
        most = max(np.searchsorted(t, t + span_us) - np.arange(t.size))
        assert most <= 10 + span_us * 50_000 / 1e6 + 1


def test_mask_as_array() -> None:
    array = np.zeros((9, 13), bool)
    for x, y in PIXELS:
        array[y, x] = True
    assert HotPixelMask(array) == HotPixelMask(np.array(PIXELS)) == HotPixelMask(PIXELS[::-1])
    assert HotPixelMask(array).pixels == tuple(sorted(PIXELS))
    assert hash(HotPixelMask(array)) == hash(HotPixelMask(PIXELS))


def test_mask_of_another_sensor() -> None:
    with pytest.raises(ArgumentError, match=r"\(40, 8\).*13x9"):
        HotPixelMask([(40, 8)])(make(np.random.default_rng(1), 10))
    # Of events that do not say what sensor they are of, it may well be.
    events = Events([1, 2], [3, 4], [5, 6], [1, 1])
    assert HotPixelMask([(40, 8), (3, 5)])(events).x.tolist() == [4]


BAD: list[Callable[[], Any]] = [
    lambda: Refractory(-1), lambda: Refractory(1 << 30), lambda: Refractory(1.5),  # type: ignore[arg-type]
    lambda: Refractory(5, "some"), lambda: Refractory(True),
    lambda: ActivityFilter(0), lambda: ActivityFilter(5, 6), lambda: ActivityFilter(5, start="on"),
    lambda: Stcf(0), lambda: Stcf(5, 0), lambda: Stcf(5, 5, 4), lambda: Stcf(5, neighbours=9),
    lambda: Decimation(0), lambda: Decimation(2, by="row"), lambda: RateLimit(0),
    lambda: RateLimit(5, burst=0), lambda: PixelRateLimit(0), lambda: PixelRateLimit(-3),
    lambda: PixelRateLimit(float("nan")), lambda: PixelRateLimit(1e12),
    lambda: PixelRateLimit(5, 0), lambda: PixelRateLimit(5, counts="x"), lambda: HotPixelMask([]),
    lambda: HotPixelMask(np.zeros((9, 13), bool)), lambda: HotPixelMask([(1, 2, 3)]),
    lambda: HotPixelMask([(-1, 2)]), lambda: HotPixelMask([(1.5, 2)]),
    lambda: HotPixelMask([(70_000, 2)]), lambda: HotPixelMask([(1, 2), (3,)]),
    lambda: HotPixelMask("pixels"), lambda: HotPixelMask(None),
    lambda: Stcf(10, neighbours=np.array([])),  # type: ignore[arg-type]
    lambda: Stcf(10, neighbours=np.array([8])), lambda: Stcf(10, neighbours=[8]),  # type: ignore[arg-type]
    lambda: Stcf(10, start=np.array(["quiet", "active"])),  # type: ignore[arg-type]
    lambda: Decimation(2, by=np.array("row")),  # type: ignore[arg-type]
    lambda: Decimation(2, resolution=np.array(5.0)),  # type: ignore[arg-type]
    lambda: Decimation(2, resolution={}),  # type: ignore[arg-type]
    lambda: Decimation(2, resolution=(float("inf"), 5)),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize("make_it", BAD)
def test_bad_parameters(make_it: Callable[[], Any]) -> None:
    with pytest.raises(ArgumentError, match="must"):
        make_it()


@pytest.mark.parametrize("name", CASES)
def test_outside_of_the_sensor(name: str) -> None:
    """Before it is written where no pixel is; also in the last of many events."""
    x = np.full(3000, 3)
    for column, row in ((13, 3), (3, 9), (65_535, 65_535)):
        x[-1] = column
        y = np.full(3000, 3)
        y[-1] = row
        events = Events(np.arange(3000), x, y, x * 0, SIZE)
        with pytest.raises(ArgumentError, match="outside of the sensor of 13x9"):
            CASES[name].filter(events)


def test_too_many_pixels() -> None:
    events = Events([1], [65_535], [65_535], [1])
    with pytest.raises(ArgumentError, match="65536x65536 has"):
        Refractory(5)(events)
    with pytest.raises(ArgumentError, match="65536x65536 has"):
        Decimation(5)(events)


@pytest.mark.parametrize("what", [[1, 2], np.zeros(3), np.zeros((2, 2), DTYPES[0]), None])
def test_no_events(what: Any) -> None:
    with pytest.raises(ArgumentError):
        Refractory(5)(what)


def test_objects_are_refused() -> None:
    array = np.zeros(3, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "?"), ("more", object)])
    with pytest.raises(ArgumentError, match="structured"):
        Refractory(5)(array)


def test_times_of_the_sample(seed: int) -> None:
    events = make(np.random.default_rng(seed), 50, 10, 100)
    assert Refractory(5)(events, start=0, stop=10**6) == Refractory(5)(events)
    with pytest.raises(ArgumentError, match="outside of the times"):
        Refractory(5)(events, start=0, stop=150)


def test_after_each_other(seed: int) -> None:
    """In a Compose, labels stay with their events."""
    events = make(np.random.default_rng(seed), 3000)
    both = Compose(HotPixelMask(PIXELS), Refractory(700), ActivityFilter(60))
    found, labels = both(events, labels=True)
    step = ActivityFilter(60)(Refractory(700)(HotPixelMask(PIXELS)(events)))
    assert found == step
    assert labels.size == len(found)
    assert streamed(both, events, [5, 700]) == found
