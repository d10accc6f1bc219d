"""Lights that are weak, slow or two; and what moves evenly, which is no light."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import noise_scenes as scenes
from evstore.events import Events
from evstore.noise import (
    AntiFlicker,
    BackgroundActivity,
    Compose,
    Flicker,
    HotPixels,
    Transform,
    measure,
)
from evstore.noise.batch import Sensor, batch_of
from evstore.noise.measuring.series import Series
from evstore.noise.measuring.travelling import travels
from noise_scenes import Part

SIZE = (64, 48)
TEN_S = 10_000_000


def made(*chain: Transform, seed: int = 1, size: scenes.Size = SIZE, stop: int = TEN_S) -> Events:
    found: Events = Compose(*chain, seed=seed)(Events.empty(size), start=0, stop=stop, sample=1)
    return found


def grating(
    size: scenes.Size, stop: int, edges_hz: float, apart: float, angle: float = 0.0,
    speeds_up: float = 0.0,
) -> Events:  # fmt: skip
    """ON and OFF edges by turns, ``apart`` pixels, each late by 500 us; and background of 5 Hz."""
    rng = np.random.default_rng(3)
    noise, _ = scenes.background(rng, size, stop, 5)
    y, x = np.divmod(np.arange(size[0] * size[1]), size[0])
    along = (x * np.cos(angle) + y * np.sin(angle)) / apart
    parts = [noise]
    for edge in range(int(stop / 1e6 * edges_hz)):
        cycles = edge + along
        seconds = cycles / edges_hz * (1 + speeds_up * cycles / (stop / 1e6 * edges_hz))
        t = (seconds * 1e6 + rng.normal(0, 500, x.size)).astype(np.int64)
        some = (t >= 0) & (t < stop) & (rng.random(x.size) < 0.8)
        parts.append(Part(t[some], np.flatnonzero(some), np.full(int(some.sum()), edge % 2 == 0)))
    return scenes.mixed(size, *parts)[0]


@pytest.mark.parametrize(("frequency", "seed"), [(50, 1), (50, 6), (100, 1), (100, 7)])
def test_weak_light_among_hot_pixels(frequency: float, seed: int) -> None:
    events = made(
        BackgroundActivity(5), HotPixels(count=40),
        Flicker(frequency, 0.1, region=(10, 5, 40, 30)), seed=seed,
    )  # fmt: skip
    found = measure(events)
    assert found.hot_pixels.size == 40
    assert found.flicker is not None
    assert abs(found.flicker.frequency_hz - frequency) < 0.5
    true = np.zeros(found.flicker.area.shape, bool)
    true[5:30, 10:40] = True
    assert (found.flicker.area & true).sum() > 0.95 * true.sum()
    assert found.background is not None
    assert abs(found.background.rate_hz / 5 - 1) < 0.03


@pytest.mark.parametrize("size", [(64, 48), (128, 96)])
@pytest.mark.parametrize(
    ("edges_hz", "apart", "angle"),
    [(44, 32, 0.0), (44, 21, 0.4), (20, 32, 0.0), (20, 21, 0.4), (10, 32, 0.0), (10, 32, 1.57)],
)
def test_what_moves_evenly_is_no_light(
    size: scenes.Size, edges_hz: float, apart: float, angle: float
) -> None:
    events = grating(size, 4_000_000, edges_hz, apart, angle)
    found = measure(events)
    assert found.flicker is None
    assert found.hot_pixels.size == 0
    if size == (128, 96):  # in a second few blocks of a small sensor show it: too few to be sure
        assert len(AntiFlicker()(events)) == len(events)
    if edges_hz == 44:
        assert found.background is None  # nowhere is quiet for 20 ms
    elif found.background is not None:
        assert abs(found.background.rate_hz / 5 - 1) < 0.15


@pytest.mark.parametrize(("blades", "turns_hz"), [(3, 10), (5, 10), (4, 25)])
def test_a_fan_is_no_light(blades: int, turns_hz: float) -> None:
    size, stop, rng = (96, 96), 3_000_000, np.random.default_rng(2)
    noise, _ = scenes.background(rng, size, stop, 5)
    y, x = np.divmod(np.arange(96 * 96), 96)
    inside = np.flatnonzero(np.hypot(x - 48, y - 48) < 45)
    angle = np.arctan2(y - 48, x - 48)[inside] / (2 * np.pi)
    parts = [noise]
    for blade in range(-2 * blades, int(stop / 1e6 * turns_hz * blades)):
        for on, late in ((True, 0.0), (False, 0.3)):
            seconds = ((blade + late) / blades + angle) / turns_hz
            t = (1e6 * seconds + rng.normal(0, 300, angle.size)).astype(np.int64)
            some = (t >= 0) & (t < stop)
            parts.append(Part(t[some], inside[some], np.full(int(some.sum()), on)))
    found = measure(scenes.mixed(size, *parts)[0])
    assert found.flicker is None
    assert found.hot_pixels.size == 0
    assert found.background is None or abs(found.background.rate_hz / 5 - 1) < 0.05


def test_a_lamp_beside_what_moves_evenly() -> None:
    moving = grating((64, 96), 6_000_000, 30, 32)
    y = moving.y.astype(np.int64)
    rng = np.random.default_rng(4)
    noise, _ = scenes.background(rng, (64, 160), 6_000_000, 5)
    still = noise.pixel >= 64 * 96
    events, _ = scenes.mixed(
        (64, 160),
        Part(moving.t, y * 64 + moving.x, moving.p.astype(bool)),
        Part(*(column[still] for column in noise)),
        scenes.flicker(rng, (64, 160), 6_000_000, 100, a_cycle=1, box=(0, 112, 64, 128)),
    )
    found = measure(events)
    assert found.flicker is not None
    assert abs(found.flicker.frequency_hz - 100) < 0.5
    assert found.flicker.region == (0, 112, 64, 128)
    assert found.background is not None
    assert abs(found.background.rate_hz / 5 - 1) < 0.05


@pytest.mark.parametrize("spread", [0.01, 0.1, 0.25])
@pytest.mark.parametrize("region", [None, (0, 0, 20, 20), (20, 10, 30, 40), (5, 5, 60, 40)])
def test_pixels_of_a_lamp_may_be_late(
    spread: float, region: tuple[int, int, int, int] | None
) -> None:
    for seed in range(4):
        light = Flicker(100, 0.3, phase_spread=spread, region=region)
        found = measure(made(BackgroundActivity(5), light, seed=seed, stop=2_000_000)).flicker
        assert found is not None
        assert abs(found.frequency_hz - 100) < 0.5


@pytest.mark.parametrize("frequency", [10, 12.5, 16.7, 20, 25, 30])
@pytest.mark.parametrize("a_cycle", [1.0, 3.0])
def test_slow_light_is_told_by_its_fundamental(frequency: float, a_cycle: float) -> None:
    events = made(BackgroundActivity(5), Flicker(frequency, a_cycle, region=(0, 0, 40, 48)))
    found = measure(events)
    assert found.flicker is not None
    assert abs(found.flicker.frequency_hz - frequency) < 0.1
    assert abs(found.flicker.events_per_cycle / a_cycle - 1) < 0.2
    assert found.background is not None
    assert abs(found.background.rate_hz / 5 - 1) < 0.06


@pytest.mark.parametrize("frequency", [600, 750, 800, 857.14, 444.44])
@pytest.mark.parametrize("seed", [1, 2])
def test_harmonics_that_are_folded_back_begin_no_row(frequency: float, seed: int) -> None:
    """Those beyond the spectrum's end lie at multiples of a part of these frequencies."""
    lights = [
        Flicker(frequency, region=(5, 5, 55, 45), jitter_us=20.0),
        Flicker(frequency, region=(5, 5, 55, 45), jitter_us=20.0, waveform="pwm", duty=0.2),
    ]
    if frequency != 444.44:  # of which so short flashes look like those of twice as many
        lights.append(replace(lights[1], duty=0.95))
    for light in lights:
        found = measure(made(BackgroundActivity(5), light, seed=seed, stop=5_000_000)).flicker
        assert found is not None
        assert abs(found.frequency_hz - frequency) < 0.5


@pytest.mark.parametrize("frequency", [600, 750, 800])
def test_light_without_jitter_is_told_in_seconds(frequency: float) -> None:
    light = Flicker(frequency, region=(5, 5, 55, 45), jitter_us=0.0)
    found = measure(made(BackgroundActivity(5), light, stop=3_000_000)).flicker
    assert found is not None
    assert abs(found.frequency_hz - frequency) < 0.5


@pytest.mark.parametrize("frequency", [200, 250, 400])
@pytest.mark.parametrize("duty", [0.1, 0.2, 0.3])
def test_short_flashes_are_not_told_by_a_stronger_harmonic(frequency: float, duty: float) -> None:
    """Though harmonics of that, folded back, might make the line that they begin with."""
    for seed in (1, 2):
        light = Flicker(frequency, waveform="pwm", duty=duty, region=(5, 5, 55, 45), jitter_us=20.0)
        found = measure(made(BackgroundActivity(5), light, seed=seed, stop=3_000_000)).flicker
        assert found is not None
        assert abs(found.frequency_hz - frequency) < 0.5


@pytest.mark.parametrize("seconds", [3, 10])
@pytest.mark.parametrize("frequency", [11, 17, 25])
@pytest.mark.parametrize(
    "how",
    [{"phase_spread": 0.05}, {"phase_spread": 0.1}, {"waveform": "pwm", "duty": 0.95}],
    ids=["late", "later", "flashes"],
)
def test_slow_light_with_few_harmonics_or_a_weak_fundamental(
    seconds: int, frequency: float, how: dict[str, Any]
) -> None:
    light = Flicker(frequency, region=(5, 5, 55, 45), **how)
    found = measure(made(BackgroundActivity(5), light, stop=seconds * 1_000_000)).flicker
    assert found is not None
    assert abs(found.frequency_hz - frequency) < 0.5


@pytest.mark.parametrize(
    ("frequency", "background", "a_cycle"),
    [(10, 5, 1.0), (10, 20, 1.0), (100, 20, 0.2), (100, 20, 1.0), (50, 5, 0.1)],
)
def test_light_of_the_whole_field_without_the_background(
    frequency: float, background: float, a_cycle: float
) -> None:
    found = measure(made(BackgroundActivity(background), Flicker(frequency, a_cycle)))
    assert found.background is not None
    assert abs(found.background.rate_hz / background - 1) < 0.05
    assert found.flicker is not None
    assert abs(found.flicker.events_per_cycle / a_cycle - 1) < 0.05
    of_light = 2 * frequency * a_cycle
    assert abs(found.flicker.share - of_light / (of_light + background)) < 0.03


@pytest.mark.parametrize("frequency", [4, 5, 8])
def test_light_that_is_too_slow_is_not_told_wrongly(frequency: float) -> None:
    assert measure(made(BackgroundActivity(5), Flicker(frequency))).flicker is None


@pytest.mark.parametrize("others", [(100, 120), (120, 100), (50, 100), (60, 87.3)])
def test_one_of_two_lamps_is_told(others: tuple[float, float]) -> None:
    halves = (0, 0, 32, 48), (32, 0, 64, 48)
    ninths = (0, 0, 21, 16), (40, 30, 61, 46)
    for regions in (halves, ninths):
        lamps = [Flicker(hz, region=box) for hz, box in zip(others, regions, strict=True)]
        found = measure(made(BackgroundActivity(5), *lamps))
        assert found.flicker is not None
        told = [abs(found.flicker.frequency_hz - hz) < 0.5 for hz in others].index(True)
        assert found.flicker.region == regions[told]
        assert abs(found.flicker.events_per_cycle - 1) < 0.1
        assert found.background is not None
        assert abs(found.background.rate_hz / 5 - 1) < 0.06


def wave(turn_x: float, turn_y: float, random: float = 0.0) -> Series:
    """Of 3 s: ON events where a cosine of 60 Hz is near its top, later by so much each pixel."""
    rng = np.random.default_rng(5)
    y, x = np.divmod(np.arange(SIZE[0] * SIZE[1]), SIZE[0])
    late = (x * turn_x + y * turn_y + random * rng.standard_normal(x.size)) / 60
    t = ((np.arange(5, 175)[:, None] / 60 + late) * 1e6).astype(np.int64).ravel()
    order = np.argsort(t, kind="stable")
    order = order[(t[order] >= 0) & (t[order] < 3_000_000)]
    at = order % x.size
    series = Series(Sensor(*SIZE))
    series.add(batch_of(Events(t[order], x[at], y[at], np.ones(at.size, bool), SIZE)))
    series.end(3_000_000)
    return series


@pytest.mark.parametrize(
    ("turn_x", "turn_y"), [(1 / 64, 0), (-1 / 64, 0), (0, 1 / 40), (1 / 60, 1 / 90), (1 / 250, 0)]
)
def test_a_wave_that_travels(turn_x: float, turn_y: float) -> None:
    lit = np.ones(12, bool)
    assert travels(wave(turn_x, turn_y), 60, lit)
    assert not travels(wave(0, 0), 60, lit)
    assert not travels(wave(0, 0, random=0.25), 60, lit)
    assert not travels(wave(turn_x, turn_y), 60, ~lit)


def test_bins_that_are_full() -> None:
    """More events in a bin than 16 bits count."""
    series = Series(Sensor(*SIZE))
    series.add(batch_of(Events(np.full(70_000, 3), *np.ones((3, 70_000), int), SIZE)))
    assert series.last(np.ones(12, bool)).size == 0  # no time has passed
    assert series.now.max() == 32_767
    assert series.now.min() == 0
