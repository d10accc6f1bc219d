"""Measured bursts, against what was put in; none where there are none."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import noise_scenes as scenes
from evstore.events import Events
from evstore.noise import BackgroundActivity, Leak, Measurement, measure
from noise_scenes import Part

TEN_S = 10_000_000
SIZE = (64, 48)


def again(noise: Any, duration: int = TEN_S, size: tuple[int, int] = SIZE) -> Measurement:
    return measure(noise(Events.empty(size), start=0, stop=duration, sample=0), size)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "said",
    [
        {"rate_hz": 5, "bursts": 0.3, "burst_delay_us": 3000},
        {"rate_hz": 1, "bursts": 0.6, "burst_delay_us": 5000, "burst_flip": 0.9},
        {"rate_hz": 1, "bursts": 0.8, "spread_decades": 0.4, "burst_flip": 0.1},
        {"rate_hz": 5, "bursts": 0.8},
        {"rate_hz": 0.3, "bursts": 0.6, "burst_delay_us": 20_000, "burst_spread_decades": 0.7},
    ],
)
def test_is_what_was_put_in(said: dict[str, float], seed: int) -> None:
    noise = BackgroundActivity(seed=seed, **said)  # type: ignore[arg-type]
    found = again(noise)
    given = found.parameters()["BackgroundActivity"]
    assert abs(given["rate_hz"] / noise.rate_hz - 1) < 0.05
    assert abs(given["bursts"] - noise.bursts) < 0.05
    assert abs(given["burst_delay_us"] / noise.burst_delay_us - 1) < 0.15
    assert abs(given["burst_spread_decades"] - noise.burst_spread_decades) < 0.06
    assert abs(given["burst_flip"] - noise.burst_flip) < 0.06
    assert abs(given["spread_decades"] - noise.spread_decades) < 0.1
    told = json.loads(json.dumps(found.to_dict()))["background"]["bursts"]
    assert told["share"] == given["bursts"]
    assert "follow another event" in str(found)
    # And what such noise is measured as is such noise.
    twice = again(BackgroundActivity(seed=seed + 10, **given)).parameters()["BackgroundActivity"]
    assert abs(twice["bursts"] - given["bursts"]) < 0.05
    assert abs(twice["burst_delay_us"] / given["burst_delay_us"] - 1) < 0.15


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rate", "spread"), [(0.1, 0.1), (0.3, 0.8), (1, 0.5), (5, 0.1), (5, 0.3), (20, 0.1)]
)
def test_none_where_pixels_fire_at_random(rate: float, spread: float, seed: int) -> None:
    found = again(BackgroundActivity(rate_hz=rate, spread_decades=spread, seed=seed))
    assert found.background is not None
    assert found.background.bursts is None
    assert "bursts" not in found.parameters()["BackgroundActivity"]
    assert "follow" not in str(found)


def test_none_where_events_are_regular() -> None:
    for rate in (0.5, 2, 10):
        found = again(Leak(rate_hz=rate, seed=1))
        assert found.background is None or found.background.bursts is None


def test_beside_what_moves_and_hot_pixels() -> None:
    """A third of the sensor moves, the rest is still; 12 pixels are hot."""
    size, rng = (96, 64), np.random.default_rng(4)
    noise = BackgroundActivity(rate_hz=2, bursts=0.5, burst_delay_us=2000, seed=2)
    made: Events = noise(Events.empty(size), start=0, stop=TEN_S, sample=1)
    moving = scenes.moving((32, 64), TEN_S, 60_000)
    y, x = np.divmod(moving.pixel, 32)
    events, _ = scenes.mixed(
        size,
        Part(made.t, made.y.astype(np.int64) * 96 + made.x, made.p.astype(bool)),
        Part(moving.t, y * 96 + x, moving.p),
        scenes.hot(rng, size, TEN_S, count=12)[0],
    )
    found = measure(events)
    assert found.background is not None
    assert abs(found.background.rate_hz / 2 - 1) < 0.15
    bursts = found.background.bursts
    assert bursts is not None
    assert abs(bursts.share - 0.5) < 0.07
    assert abs(bursts.delay_us / 2000 - 1) < 0.2


def test_batches_do_not_matter() -> None:
    noise = BackgroundActivity(rate_hz=2, bursts=0.5, seed=2)
    events: Events = noise(Events.empty(SIZE), start=0, stop=3_000_000, sample=1)
    cuts = np.sort(np.random.default_rng(1).integers(0, len(events), 100))
    whole = measure(events)
    cut = measure(events[a:b] for a, b in pairwise([0, *cuts, len(events)]))
    assert whole.to_dict() == cut.to_dict()
    assert whole.background is not None
    assert whole.background.bursts is not None


def test_a_large_sensor_is_looked_at_in_part() -> None:
    size = (1500, 1000)
    noise = BackgroundActivity(rate_hz=0.5, bursts=0.5, burst_delay_us=2000, seed=2)
    found = again(noise, 400_000, size).background
    assert found is not None
    assert found.bursts is not None
    assert abs(found.bursts.share - 0.5) < 0.05
