"""A coarse clock first: what comes after it meets times before the stream's start."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evstore.events import Events
from evstore.noise import (
    ActivityFilter,
    AntiFlicker,
    BackgroundActivity,
    BandwidthLimit,
    Compose,
    Decimation,
    EventDrop,
    Flicker,
    HotPixels,
    Leak,
    MissingRows,
    PixelRateLimit,
    RateLimit,
    Refractory,
    SpatialJitter,
    Stcf,
    TimeJitter,
    TimestampQuantise,
    Transform,
)

SIZE = (34, 34)
START = 99_999
STEPS: list[Transform] = [
    ActivityFilter(500),
    ActivityFilter(500, 4, start="active"),
    AntiFlicker(100),
    BackgroundActivity(20),
    BackgroundActivity(20, bursts=0.5),
    BandwidthLimit(20_000, buffer_events=100),
    BandwidthLimit(20_000, buffer_events=100, delay=False),
    Decimation(3),
    EventDrop(0.3),
    Flicker(100),
    HotPixels(count=5),
    HotPixels(count=5, periodic=True),
    Leak(5),
    MissingRows(fraction=0.3, duration_us=70),
    PixelRateLimit(100, half_life_us=1000),
    RateLimit(10_000, burst=20),
    Refractory(300),
    SpatialJitter(1.0),
    Stcf(500),
    TimeJitter(300),
    TimestampQuantise(70),
]


def some_events(seed: int) -> Events:
    rng = np.random.default_rng(seed)
    t = np.sort(START + rng.integers(0, 250_000, 5000))
    t[:50] = START
    return Events(t, *rng.integers(0, 34, (2, 5000)), rng.integers(0, 2, 5000), SIZE)


@pytest.mark.parametrize("step_us", [1000, 100_000])
@pytest.mark.parametrize("step", STEPS, ids=lambda one: type(one).__name__)
def test_streams_and_calls_agree(step: Transform, step_us: int, seed: int) -> None:
    both = Compose(TimestampQuantise(step_us), step, seed=3)
    events = some_events(seed)
    whole = both(events, sample="a", start=START, stop=400_000)
    stream = both.stream(SIZE, sample="a", start=START)
    cuts = [0, 1, 2, 60, 61, 1000, 3000, 5000]
    parts = [stream.push(events[a:b]) for a, b in itertools.pairwise(cuts)]
    found = Events.concatenate([*parts, stream.end(400_000)])
    assert found == whole
    assert np.all(np.diff(found.t) >= 0)
    if step.makes_events:
        coarse = TimestampQuantise(step_us)(events)
        assert np.all(found.t >= min(START, int(coarse.t[0])))
        assert np.count_nonzero(found.t < START) == np.count_nonzero(coarse.t < START)


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize(("step_us", "first"), [(1000, 999), (10_000, 9999), (1_000_000, 777)])
def test_a_saturated_readout(delay: bool, step_us: int, first: int) -> None:
    """All that fits its buffer, and no byte behind it."""
    t = np.full(1000, first)
    events = Events(t, *np.ones((3, 1000), int), SIZE)
    limit = BandwidthLimit(1e6, buffer_events=700, delay=delay)
    assert len(Compose(TimestampQuantise(step_us), limit)(events)) == 700


def test_a_bucket_that_is_full_at_first() -> None:
    events = Events(np.arange(999, 1019), *np.ones((3, 20), int), SIZE)
    assert len(Compose(TimestampQuantise(1000), RateLimit(1_000_000, burst=10))(events)) == 11
