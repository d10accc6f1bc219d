"""What is measured of noise, made again and measured again, is the same, time after time."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from evstore import noise
from evstore.events import Events
from evstore.noise import (
    BackgroundActivity,
    Compose,
    HotPixels,
    Leak,
    Measurement,
    Refractory,
    measure,
)
from evstore.noise.measuring.again import between_hz
from evstore.noise.measuring.hot import never_hot_hz
from evstore.noise.measuring.unthinned import unthinned_hz, unthinned_spread

SIZE = (64, 48)
TEN_S = 10_000_000
ROUNDS = 3


def made(*transforms: Any, seed: int = 1, size: tuple[int, int] = SIZE) -> Measurement:
    empty = Events.empty(size)
    return measure(Compose(*transforms, seed=seed)(empty, start=0, stop=TEN_S, sample=1))


def again(found: Measurement, seed: int) -> Measurement:
    """Made and measured."""
    steps = [getattr(noise, name)(**given) for name, given in found.parameters().items()]
    return made(*steps, seed=seed, size=found.resolution)


def hot(rate: float, **how: Any) -> HotPixels:
    return HotPixels(count=30, low_hz=rate, high_hz=rate, **how)


@pytest.mark.parametrize(
    ("pixels", "background", "rest_us"),
    [
        (hot(500), 5, 1000),
        (hot(200), 5, 3000),
        (hot(200), 5, 10_000),
        (hot(150), 20, 2000),
        (hot(500, periodic=True), 5, 1000),
        (hot(500, periodic=True, jitter=0.25), 5, 1000),
        (hot(200, periodic=True), 20, 3000),
        (hot(900, periodic=True, jitter=0.05), 5, 3000),  # fires more often than it may
    ],
)
def test_after_a_rest(pixels: HotPixels, background: float, rest_us: int) -> None:
    first = made(pixels, BackgroundActivity(background), Refractory(rest_us))
    mean = first.hot_pixels["rate_hz"].mean()
    assert first.background is not None
    if rest_us * pixels.low_hz < 1e6 * 0.7:
        assert (first.hot_jitter is not None) == pixels.periodic
        said = first.parameters()["HotPixels"]
        # The rest is measured to an eighth octave.
        assert 0.9 * pixels.low_hz < said["low_hz"] < said["high_hz"] < 1.1 * pixels.low_hz
        assert said.get("periodic", False) == pixels.periodic
    found = first
    for seed in range(ROUNDS):
        found = again(found, seed + 2)
        assert found.hot_pixels.size == 30
        assert abs(found.hot_pixels["rate_hz"].mean() / mean - 1) < 0.04
        assert found.background is not None
        assert abs(found.background.rate_hz / first.background.rate_hz - 1) < 0.025
        assert found.refractory_us == first.refractory_us
    assert json.loads(json.dumps(found.to_dict()))["hot_jitter"] == found.hot_jitter


def test_background_and_leak_after_a_rest() -> None:
    first = made(BackgroundActivity(5), Leak(2), Refractory(5000), size=(128, 96))
    said = first.parameters()
    assert abs(said["BackgroundActivity"]["rate_hz"] / 5 - 1) < 0.02
    assert abs(said["Leak"]["rate_hz"] / 2 - 1) < 0.02
    found = first
    for seed in range(ROUNDS):
        found = again(found, seed + 2)
        assert found.background is not None
        assert first.background is not None
        assert abs(found.background.rate_hz / first.background.rate_hz - 1) < 0.02
        assert found.leak_rate_hz is not None
        assert first.leak_rate_hz is not None
        assert abs(found.leak_rate_hz / first.leak_rate_hz - 1) < 0.03


@pytest.mark.parametrize("periodic", [False, True])
def test_without_a_rest_rates_are_those_seen(periodic: bool) -> None:
    found = made(HotPixels(count=30, periodic=periodic), BackgroundActivity(5))
    assert found.refractory_us is None
    said = found.parameters()
    assert "most_hz" not in said["BackgroundActivity"]
    rates = found.hot_pixels["rate_hz"]
    low, high = said["HotPixels"]["low_hz"], said["HotPixels"]["high_hz"]
    assert rates.min() <= low < high <= rates.max() * (1 + 1e-9)
    assert math.isclose((high - low) / math.log(high / low), rates.mean(), rel_tol=1e-6)
    assert "periodic" not in said["HotPixels"]
    assert found.background is not None
    assert said["BackgroundActivity"]["rate_hz"] == found.background.rate_hz
    assert said["BackgroundActivity"]["spread_decades"] == found.background.spread_decades
    assert (found.hot_jitter is not None) == periodic


def test_unthinned_is_what_was_thinned() -> None:
    rates = np.array([0.0, 1.0, 50.0, 1000.0])
    assert np.allclose(unthinned_hz(rates / (1 + rates * 2e-3), 2000), rates)
    assert np.isfinite(unthinned_hz(np.array([1e6]), 2000)).all()  # more than it could give


@pytest.mark.parametrize(("mean", "decades"), [(5, 0.1), (20, 0.4), (1, 0.7), (0.1, 1.0)])
def test_a_spread_is_that_before_the_rest(mean: float, decades: float) -> None:
    rng = np.random.default_rng(3)
    rates = 10 ** (decades * rng.standard_normal(2_000_000))
    rates *= mean / rates.mean()
    given = rates / (1 + rates * 5e-3)
    spread = np.sqrt(np.log((given**2).mean() / given.mean() ** 2)) / np.log(10)
    found = unthinned_spread(float(given.mean()), float(spread), 5000)
    assert abs(found[0] / mean - 1) < 0.03
    assert abs(found[1] - decades) < 0.03
    assert unthinned_spread(0.0, 0.1, 5000) == (0.0, 0.1)


@pytest.mark.parametrize(
    ("background", "rest_us"),
    [(BackgroundActivity(20, 0.4), 10_000), (BackgroundActivity(10, 0.5), 0),
     (BackgroundActivity(5, 0.6, bursts=0.3), 0)],
)  # fmt: skip
def test_hot_pixels_of_a_wide_background_are_not_made_twice(
    background: BackgroundActivity, rest_us: int
) -> None:
    """The upper end of its rates is called hot."""
    first = made(HotPixels(count=20, low_hz=100), background, Refractory(rest_us))
    assert first.hot_pixels.size > 30
    limit = first.parameters()["BackgroundActivity"]["most_hz"]
    assert limit / (1 + limit * rest_us / 1e6) < 43
    found = first
    for seed in range(ROUNDS):
        found = again(found, seed + 2)
        assert abs(found.hot_pixels.size / first.hot_pixels.size - 1) < 0.34
        assert found.background is not None
        assert first.background is not None
        assert abs(found.background.rate_hz / first.background.rate_hz - 1) < 0.15


@pytest.mark.parametrize(
    "background",
    [BackgroundActivity(5, 0.5), BackgroundActivity(5, 0.8), BackgroundActivity(5, 1.2),
     BackgroundActivity(100, 0.2), BackgroundActivity(50, 0.2)],
    ids=lambda given: f"{given.rate_hz:g}-{given.spread_decades:g}",
)  # fmt: skip
def test_a_wide_background_makes_as_many_events_again(background: BackgroundActivity) -> None:
    size = (128, 96)
    empty = Events.empty(size)
    first = Compose(background, seed=1)(empty, start=0, stop=TEN_S, sample=1)
    said = measure(first).parameters()
    assert said["HotPixels"]["count"] > 50
    steps = [getattr(noise, name)(**given) for name, given in said.items()]
    second = Compose(*steps, seed=2)(empty, start=0, stop=TEN_S, sample=1)
    assert abs(len(second) / len(first) - 1) < 0.055


@pytest.mark.parametrize(
    "rates",
    [[70.0], [50.0, 1000.0], [5.0] + 30 * [200.0], 30 * [100.0] + [10_000.0], 30 * [100.0],
     list(np.geomspace(50, 1000, 99)), list(43 - 20 * np.log(np.linspace(1e-3, 1, 500)))],
    ids=["one", "two", "a slow one", "a fast one", "equal", "by the law", "most are slow"],
)  # fmt: skip
def test_ends_give_the_mean(rates: list[float]) -> None:
    given = np.array(rates)
    low, high = between_hz(given)
    assert given.min() * (1 - 1e-9) <= low <= high
    mean = (high - low) / math.log(high / low) if high > low * (1 + 1e-6) else low
    assert math.isclose(mean, given.mean(), rel_tol=1e-6)
    if rates == list(np.geomspace(50, 1000, 99)):
        assert abs(low / 50 - 1) < 0.03
        assert abs(high / 1000 - 1) < 0.03


def test_pixels_below_the_limit_are_hardly_hot() -> None:
    for duration in (300_000, 1_000_000, TEN_S):
        for least in (20.0, 50.0, 400.0):
            rate = never_hot_hz(duration, least)
            assert rate < least
            found = made_for(duration, BackgroundActivity(rate, spread_decades=0), least)
            assert found.hot_pixels.size <= 0.05 * SIZE[0] * SIZE[1] / 20


def made_for(duration: int, transform: Any, min_rate_hz: float) -> Measurement:
    """Of a twentieth of the pixels, around which there is nothing."""
    events = transform(Events.empty(SIZE), start=0, stop=duration, sample=1)
    apart = (events.x % 5 == 2) & (events.y % 4 == 2)
    return measure(events[apart], min_rate_hz=min_rate_hz)
