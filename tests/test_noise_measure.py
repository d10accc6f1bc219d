"""Measured noise, against what was put in: hot pixels, background, flicker, refractory, leak."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import noise_scenes as scenes
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import (
    BackgroundActivity,
    Compose,
    Flicker,
    HotPixels,
    Leak,
    Measurement,
    Transform,
    find_hot_pixels,
    measure,
)
from evstore.noise.measuring import counting_kernels as kernels
from evstore.noise.measuring.quiet_rate import quiet_rates
from evstore.noise.measuring.refractory import edges_us, refractory_us
from evstore.synth import simulate
from noise_scenes import Part

TEN_S = 10_000_000
NONE = Part(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool))


def hot_of(found: Measurement) -> set[int]:
    hot = found.hot_pixels
    return set((hot["y"].astype(int) * found.resolution[0] + hot["x"]).tolist())


def assert_hot(found: set[int], true: set[int], must: float) -> None:
    assert len(found & true) >= must * len(true), (len(found & true), len(true))
    assert len(found & true) >= must * len(found), (len(found & true), len(found))


STATIC, FAST, SLOW = ((64, 48), 0, 0), ((56, 60), 150_000, 0.15), ((64, 64), 60_000, 0.4)
FIELD, HALF = None, (0, 0, 30, 40)


@pytest.mark.parametrize(
    ("scene", "frequency", "a_cycle", "box", "duty"),
    [
        (STATIC, None, 0, FIELD, None),
        (FAST, None, 0, FIELD, None),
        (SLOW, None, 0, FIELD, None),
        (STATIC, 100, 0.6, FIELD, None),
        (SLOW, 100, 0.6, FIELD, None),
        (FAST, 50, 1.0, HALF, 0.2),
        (STATIC, 60, 2.0, (5, 5, 13, 13), None),
        (SLOW, 60, 2.0, (5, 5, 13, 13), None),
        (FAST, 120, 0.4, (20, 0, 56, 48), None),
        (STATIC, 87.3, 1.0, (16, 16, 48, 40), 0.5),
        (SLOW, 87.3, 1.0, (16, 16, 48, 48), 0.5),
    ],
)
def test_calibration(
    scene: tuple[scenes.Size, float, float], frequency: float | None, a_cycle: float,
    box: scenes.Box | None, duty: float | None,
) -> None:  # fmt: skip
    size, rate, threshold = scene
    rng = np.random.default_rng(int(rate + 10 * (frequency or 0)))
    signal = scenes.moving(size, TEN_S, rate, threshold)
    noise, mean = scenes.background(rng, size, TEN_S, 5, on=0.6)
    hot, where = scenes.hot(
        rng, size, TEN_S, count=20, periodic=frequency == 60, cluster=3 if frequency == 50 else 1
    )
    lamp = NONE
    if frequency is not None:
        lamp = scenes.flicker(
            rng, size, TEN_S, frequency, a_cycle=a_cycle, box=box, duty=duty
        )  # fmt: skip
    found = measure(scenes.mixed(size, signal, noise, hot, lamp)[0])
    assert_hot(hot_of(found), where, 0.95 if rate else 0.99)
    if frequency is None:
        assert found.flicker is None
    else:
        assert found.flicker is not None
        assert abs(found.flicker.frequency_hz - frequency) < 0.5
        left, top, right, bottom = box or (0, 0, *size)
        area = np.zeros(found.flicker.area.shape, bool)
        area[top:bottom, left:right] = True
        agreed = (area & found.flicker.area).sum() / (area | found.flicker.area).sum()
        assert agreed > 0.8
        assert abs(2 * found.flicker.events_per_cycle / a_cycle - 1) < 0.8
    if frequency is None or box is not None:
        assert found.background is not None
        assert abs(found.background.rate_hz / mean - 1) < (0.15 if rate else 0.05)
        assert abs(found.background.on_fraction - 0.6) < 0.03
        assert abs(found.background.spread_decades - 0.1) < (0.1 if rate else 0.03)
        outside = found.background.rate_map[np.isfinite(found.background.rate_map)]
        assert outside.size == found.background.pixels


def test_rates_of_hot_pixels_and_parameters() -> None:
    rng = np.random.default_rng(5)
    size = (64, 48)
    noise, _ = scenes.background(rng, size, TEN_S, 2)
    t = np.arange(0, TEN_S, 2500)
    one = Part(t, np.full(t.size, 100), np.ones(t.size, bool))
    found = measure(scenes.mixed(size, noise, one)[0])
    assert found.hot_pixels["x"].tolist() == [100 % 64]
    assert found.hot_pixels["y"].tolist() == [100 // 64]
    assert abs(found.hot_pixels["rate_hz"][0] - 400) < 5
    parameters = found.parameters()
    assert parameters["HotPixels"]["count"] == 1
    assert abs(parameters["BackgroundActivity"]["rate_hz"] / 2 - 1) < 0.1
    assert "Flicker" not in parameters
    told = json.loads(json.dumps(found.to_dict()))
    assert told["hot_pixels"][0]["x"] == 100 % 64
    assert "hot pixels: 1" in str(found)


def test_batches_do_not_matter() -> None:
    rng = np.random.default_rng(7)
    size, duration = (50, 40), 3_500_000
    events, _ = scenes.mixed(
        size,
        scenes.moving(size, duration, 50_000),
        scenes.background(rng, size, duration, 5)[0],
        scenes.hot(rng, size, duration, count=4)[0],
        scenes.flicker(rng, size, duration, 100, a_cycle=1, box=(0, 0, 20, 20)),
    )
    whole = measure(events)
    cuts = np.sort(rng.integers(0, len(events), 200))
    cuts = np.concatenate([[0, 0], cuts, [len(events)]])
    parts = (events[a:b] for a, b in pairwise(cuts))
    cut = measure(parts)
    assert whole.to_dict() == cut.to_dict()
    assert whole.background is not None
    assert cut.background is not None
    assert np.array_equal(whole.background.rate_map, cut.background.rate_map, equal_nan=True)
    assert np.array_equal(whole.intervals.still, cut.intervals.still)
    assert np.array_equal(whole.spectrum[1], cut.spectrum[1])


@pytest.mark.parametrize("least", [20, 100, 500, 2000])
def test_refractory(least: int) -> None:
    rng = np.random.default_rng(least)
    times = [np.cumsum(least + rng.exponential(20_000, 3000)).astype(np.int64) for _ in range(64)]
    t, pixel = np.concatenate(times), np.repeat(np.arange(64), 3000)
    events, _ = scenes.mixed((8, 8), Part(t, pixel, rng.random(t.size) < 0.5))
    found = measure(events).refractory_us
    assert found is not None
    assert abs(found / least - 1) < 0.15


def test_without_refractory() -> None:
    rng = np.random.default_rng(0)
    events, _ = scenes.mixed((32, 32), scenes.background(rng, (32, 32), TEN_S, 50)[0])
    assert measure(events).refractory_us is None
    assert refractory_us(np.zeros(kernels.INTERVAL_BINS, np.int64)) is None


def test_leak_is_told_from_shot_noise() -> None:
    rng = np.random.default_rng(9)
    size = (32, 32)
    gaps = 1e6 / 2.0 * (1 + 0.1 * rng.standard_normal((1024, 30)))
    t = (np.cumsum(gaps, 1) - gaps[:, :1] * rng.random((1024, 1))).astype(np.int64)
    pixel = np.repeat(np.arange(1024), 30)
    inside = (t.ravel() >= 0) & (t.ravel() < TEN_S)
    leak = Part(t.ravel()[inside], pixel[inside], np.ones(int(inside.sum()), bool))
    found = measure(scenes.mixed(size, leak)[0])
    assert found.leak_rate_hz is not None
    assert abs(found.leak_rate_hz / 2 - 1) < 0.1
    assert found.parameters()["Leak"]["rate_hz"] == found.leak_rate_hz
    shot, _ = scenes.background(rng, size, TEN_S, 2, on=0.9)
    assert measure(scenes.mixed(size, shot)[0]).leak_rate_hz is None


def test_long_silence_and_extreme_times() -> None:
    hour = 3_600_000_000
    t = np.array([-(1 << 61), 5 - (1 << 61), hour - (1 << 61), 2000 * hour - (1 << 61)])
    found = measure(Events(t, [0, 0, 1, 2], [0, 0, 0, 0], [1, 0, 1, 0], resolution=(16, 16)))
    assert found.events == 4
    assert found.duration_us == 2000 * hour + 1
    assert found.hot_pixels.size == 0
    with pytest.raises(ArgumentError, match="must lie within"):
        measure(Events([0, 1 << 62], [0, 0], [0, 0], [1, 0], resolution=(16, 16)))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 300)])
def test_few_events_and_small_sensors(size: scenes.Size) -> None:
    found = measure(Events.empty(size), size)
    assert found.background is None
    assert found.flicker is None
    assert not found.events
    assert found.parameters() == {}
    str(found), json.dumps(found.to_dict())
    one = measure(Events([5], [0], [0], [1], resolution=size))
    assert (one.events, one.duration_us) == (1, 1)
    rng = np.random.default_rng(1)
    measure(scenes.mixed(size, scenes.background(rng, size, 100_000, 100)[0])[0], size)


def test_bad_arguments() -> None:
    events = Events([1, 2], [3, 3], [3, 3], [1, 0])
    for call in (measure, find_hot_pixels):
        with pytest.raises(ArgumentError, match="resolution"):
            call(events)
        with pytest.raises(ArgumentError, match="outside"):
            call(events, (3, 3))
        with pytest.raises(ArgumentError, match="min_rate_hz"):
            call(events, (8, 8), min_rate_hz=0)
        with pytest.raises(ArgumentError, match="steps back"):
            call([events, events], (8, 8))
        with pytest.raises(ArgumentError, match="Events"):
            call([3], (8, 8))  # type: ignore[list-item]
        with pytest.raises(ArgumentError, match="structured array"):
            call(np.arange(3), (8, 8))
        with pytest.raises(ArgumentError, match=r"missing \['p'\]"):
            call(np.zeros(3, [("t", "i8"), ("x", "i2"), ("y", "i2")]), (8, 8))
    with pytest.raises(ArgumentError, match="resolution"):
        measure([])
    assert find_hot_pixels([]).shape == (0, 2)


def test_of_no_events_the_resolution_is_theirs() -> None:
    none = Events.empty((10, 12))
    for events in (none, [none], [Events.empty(), none, none]):
        assert measure(events).resolution == (10, 12)
        assert find_hot_pixels(events).shape == (0, 2)
    with pytest.raises(ArgumentError, match="resolution"):
        measure(Events.empty())
    some = Events([3, 4], [1, 9], [1, 11], [0, 1])
    assert measure([none, some]).events == 2
    with pytest.raises(ArgumentError, match="outside"):
        measure([Events.empty((4, 4)), some])


def test_structured_arrays() -> None:
    rng = np.random.default_rng(15)
    hot, where = scenes.hot(rng, (32, 24), 2_000_000, count=3)
    noise, _ = scenes.background(rng, (32, 24), 2_000_000, 5)
    events, _ = scenes.mixed((32, 24), noise, hot)
    array = events.to_structured()
    more = np.zeros(array.size, [*array.dtype.descr, ("label", "u1")])
    for name in array.dtype.names or ():
        more[name] = array[name]
    want = measure(events)
    assert hot_of(want) == where
    several: list[Any] = [array, more, [array[:1000], events[1000:2000], array[2000:]]]
    for given in several:
        assert measure(given, (32, 24)).to_dict() == want.to_dict()
        assert {int(y) * 32 + int(x) for x, y in find_hot_pixels(given, (32, 24))} == where
    with pytest.raises(ArgumentError, match="give resolution="):
        measure(array)


@pytest.mark.parametrize("rate", [20, 45, 50])
def test_what_is_just_below_the_limit_is_hot(rate: int) -> None:
    """By less than three deviations; not what fires less than half as often."""
    t = np.arange(0, TEN_S, 1_000_000 // rate)
    events = Events(t, t * 0 + 3, t * 0 + 5, t * 0 + 1, resolution=(16, 16))
    assert find_hot_pixels(events).tolist() == ([] if rate == 20 else [[3, 5]])


def test_find_hot_pixels_is_what_measure_finds() -> None:
    rng = np.random.default_rng(11)
    size = (64, 64)
    events, _ = scenes.mixed(
        size,
        scenes.moving(size, 2_000_000, 100_000),
        scenes.hot(rng, size, 2_000_000, count=10)[0],
    )
    found = find_hot_pixels(events)
    assert found.shape == (10, 2)
    assert {int(y) * 64 + int(x) for x, y in found} == hot_of(measure(events))


def test_what_comes_and_goes_is_not_hot() -> None:
    """As many events as a hot pixel has, but in a tenth of the time."""
    rng = np.random.default_rng(13)
    burst = Part(rng.integers(0, 1_000_000, 2000), np.full(2000, 50), np.ones(2000, bool))
    noise, _ = scenes.background(rng, (16, 16), TEN_S, 5)
    assert find_hot_pixels(scenes.mixed((16, 16), noise, burst)[0]).size == 0


def test_interval_bins_match_their_edges() -> None:
    edges = edges_us()
    t = np.array([0])
    for gap in [1, 2, 3, 7, 8, 15, 16, 17, 1000, 65_537, 10**9, 2**33 + 5, 2**50]:
        state = one_pixel()
        for time in (t, t + gap):
            kernels.quiet_cell(
                time, np.zeros(1, np.uint16), np.zeros(1, np.uint16), np.ones(1, np.uint8), 1, 3, 1,
                state,
            )  # fmt: skip
        (found,) = np.flatnonzero(state.intervals)
        assert edges[found] <= gap < edges[found + 1]


def one_pixel() -> kernels.Quiet:
    return kernels.Quiet(
        cell=np.zeros(1, np.int32), on=np.zeros(1, np.uint32), off=np.zeros(1, np.uint32),
        exposed=np.zeros(1, np.int32), last=np.full(1, -1, np.int64), block=np.zeros(1, np.int32),
        limit=np.zeros(1, np.int32), levels=np.zeros(kernels.LEVELS, np.uint32),
        quiet=np.zeros(1, np.int64), intervals=np.zeros(kernels.INTERVAL_BINS, np.int64),
        still=np.zeros(kernels.INTERVAL_BINS, np.int64), every=0,
        gaps=np.zeros(2 * kernels.OCTAVES, np.uint16),
    )  # fmt: skip


@pytest.mark.parametrize("rate", [0.05, 0.5, 6.4, 40])
def test_quiet_rates_of_half_a_histogram(rate: float) -> None:
    rng = np.random.default_rng(int(100 * rate))
    counts = np.concatenate([rng.poisson(rate, 20_000), rng.integers(30, 400, 20_000)])
    levels = np.bincount(np.minimum(counts, kernels.LEVELS - 1), minlength=kernels.LEVELS)
    found = quiet_rates(levels[None].astype(np.uint32))
    assert abs(found.events[0] / rate - 1) < 0.1
    assert abs(found.share[0] - 0.5) < 0.05


def test_quiet_rates_of_nothing() -> None:
    assert np.isnan(quiet_rates(np.zeros((1, kernels.LEVELS), np.uint32)).events[0])


def test_what_it_says_makes_such_noise_again() -> None:
    from evstore import noise

    rng = np.random.default_rng(21)
    size = (64, 48)
    events, _ = scenes.mixed(
        size,
        scenes.background(rng, size, TEN_S, 5)[0],
        scenes.hot(rng, size, TEN_S, count=20)[0],
        scenes.flicker(rng, size, TEN_S, 100, a_cycle=2, box=(32, 0, 64, 48)),
    )
    first = measure(events)
    parameters = first.parameters()
    makers = [
        getattr(noise, name)(**parameters[name])
        for name in ("HotPixels", "BackgroundActivity", "Flicker")
    ]
    made = noise.Compose(*makers, seed=3)(Events.empty(size), start=0, stop=TEN_S)
    again = measure(made)
    # One that touches the flickering area and fires less than it cannot be told from it.
    assert abs(again.hot_pixels.size - first.hot_pixels.size) <= 1
    assert first.background is not None
    assert again.background is not None
    assert abs(again.background.rate_hz / first.background.rate_hz - 1) < 0.05
    assert again.flicker is not None
    assert abs(again.flicker.frequency_hz - 100) < 0.5
    assert again.flicker.region == (32, 0, 64, 48)
    assert abs(again.flicker.events_per_cycle - 1) < 0.2


@pytest.mark.parametrize(
    "chain",
    [
        [Leak(rate_hz=1)],
        [BackgroundActivity(0.5), Flicker(100, region=(0, 0, 30, 30))],
        [BackgroundActivity(0.5), Flicker(60, waveform="pwm", duty=0.2)],
        [BackgroundActivity(5), Flicker(500, region=(10, 10, 60, 50))],
        [HotPixels(fraction=0.01, periodic=True)],
        [HotPixels(fraction=0.01, low_hz=60, high_hz=60, periodic=True)],
    ],
    ids=lambda chain: " ".join(type(one).__name__ for one in chain),
)
def test_regular_times_are_no_refractory(chain: list[Transform], seed: int) -> None:
    """A lamp's half cycles, and intervals of leak and hot pixels, are no rest."""
    made = Compose(*chain, seed=seed)(Events.empty((96, 64)), start=0, stop=5_000_000)
    assert measure(made).refractory_us is None
    assert "Refractory" not in measure(made).parameters()


@pytest.mark.parametrize("events_per_s", [200_000, 1_000_000, 5_000_000])
def test_a_scene_has_no_refractory(events_per_s: int) -> None:
    """Its intervals grow dense by and by."""
    parts = simulate((128, 96), 2_000_000, events_per_s=events_per_s, seed=1)
    assert measure(Events.concatenate(list(parts))).refractory_us is None
