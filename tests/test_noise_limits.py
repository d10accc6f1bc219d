"""Noise at the first and last times there are, on the largest sensors, and of times gone by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import some_events
from evstore.events import Events
from evstore.jit import kernel
from evstore.noise import (
    BackgroundActivity,
    Compose,
    Flicker,
    HotPixels,
    Leak,
    RecordedNoise,
    TimestampQuantise,
    Transform,
)
from evstore.noise.batch import Sensor, empty_batch, joined
from evstore.noise.key import Key
from evstore.noise.sources import arrivals_kernels
from evstore.noise.sources.periodic_kernels import number_of

FIRST, LAST = -(1 << 63), (1 << 63) - 1
SIZE = (20, 16)
NOISES: list[Transform] = [
    BackgroundActivity(rate_hz=50),
    BackgroundActivity(rate_hz=50, bursts=0.9, burst_delay_us=50_000, spread_decades=0),
    HotPixels(count=9, periodic=True),
    Leak(rate_hz=20),
    Flicker(100, jitter_us=5000),
    Flicker(87.3, waveform="pwm", duty=0.3, events_per_cycle=3, phase=0.9),
]


@pytest.mark.parametrize("noise", NOISES, ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("start", [FIRST, FIRST + 5, LAST - 400_000])
def test_times_at_the_limits_have_the_same_noise(noise: Transform, start: int) -> None:
    empty = Events.empty(SIZE)
    usual = noise(empty, start=0, stop=400_000, sample=3)
    found = noise(empty, start=start, stop=start + 400_000, sample=3)
    assert len(found) > 100
    assert found.t[0] >= start  # the difference is an int64 then
    assert np.array_equal(found.t - start, usual.t)
    for name in ("x", "y", "p"):
        assert np.array_equal(getattr(found, name), getattr(usual, name))


def test_flicker_from_the_first_time_on() -> None:
    events = Events([FIRST + 5], [5], [7], [1], (34, 34))
    found, labels = Flicker(100)(events, start=FIRST + 5, stop=FIRST + 10**5, labels=True)
    assert len(found) > 10_000
    assert found[labels == 0] == events


@pytest.mark.parametrize("bursts", [0.0, 0.5])
def test_random_noise_of_all_times_there_are(bursts: float) -> None:
    noise = BackgroundActivity(1e-16, spread_decades=0, bursts=bursts)
    found = noise(Events.empty((1000, 1000)), start=FIRST, stop=LAST, sample=3)
    assert (found.t[1:] >= found.t[:-1]).all()
    quarters = np.histogram(found.t.astype(np.float64), 4, (-(2.0**63), 2.0**63))[0]
    assert (abs(quarters - 461) < (80 if not bursts else 160)).all()  # 1e-10 a second
    half = noise(Events.empty((1000, 1000)), start=FIRST, stop=-1000, sample=3)
    assert found[: len(half)] == half


def test_pixels_of_the_largest_sensors_have_numbers_of_their_own() -> None:
    @kernel
    def number(pixels: Any, fired: Any, out: Any) -> None:
        for i in range(pixels.size):
            out[i] = number_of(pixels[i], fired[i])

    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 1 << 28, 1000)
    pixels = np.concatenate([pixels, pixels % (1 << 24), (1 << 24) + pixels % (1 << 24), [0, 1]])
    fired = np.concatenate([np.zeros(pixels.size, np.int64), np.full(pixels.size, (1 << 36) - 1)])
    pixels = np.tile(pixels, 2)
    out = np.empty(pixels.size, np.uint64)
    number(pixels, fired, out)
    rows = set(zip(pixels.tolist(), fired.tolist(), strict=True))
    assert len(set(out.tolist())) == len(rows)
    for pixel, times, found in zip(pixels.tolist(), fired.tolist(), out.tolist(), strict=True):
        if pixel < 1 << 24:  # as ever
            assert found == (pixel << 40) + times


@pytest.mark.parametrize("noise", [*NOISES, None], ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("start", [FIRST, 1000])
def test_of_times_gone_by_nothing_is_made(
    noise: Transform | None, start: int, tmp_path: Path
) -> None:
    if noise is None:
        evstore.save(tmp_path / "dark.evs", some_events())
        noise = RecordedNoise(tmp_path / "dark.evs", crop="centre")
    key = Key(0, b"sample")
    one, other = (noise.begin(Sensor(*SIZE), key, start) for _ in range(2))
    wanted, _ = one.push(empty_batch(), start + 300_000, True)
    assert wanted.size > 50
    for gone in (start, start - 1, start - 10**6, start - (1 << 62)):
        assert other.push(empty_batch(), gone, False)[0].size == 0
    parts = [other.push(empty_batch(), start + 200_000, False)[0]]
    for gone in (start + 200_000, start + 100_000, start - 1, start - (1 << 62)):
        assert other.push(empty_batch(), gone, False)[0].size == 0
    parts.append(other.push(empty_batch(), start + 300_000, True)[0])
    made = joined(parts)
    for name in ("t", "x", "y", "p", "label"):
        assert np.array_equal(getattr(made, name), getattr(wanted, name))


def test_arrivals_before_a_stop_that_is_over() -> None:
    values, gaps = np.empty(arrivals_kernels.PIECE), np.empty(arrivals_kernels.PIECE)
    t, x, y, p = (np.empty(8, kind) for kind in (np.int64, np.uint16, np.uint16, np.uint8))
    found = arrivals_kernels.arrive(
        (1, 2), 0, 5.0, 10.0, -1e6, 0, np.zeros(3, np.uint32), 0,
        values, values.view(np.uint64), gaps, t, x, y, p,
    )  # fmt: skip
    assert found == (0, 5.0)


def test_noise_after_coarse_time_stamps() -> None:
    """These may come before the start; noise does not."""
    events = Events([FIRST + 3, FIRST + 400_000], [1] * 2, [1] * 2, [1] * 2, SIZE)
    for noise in NOISES:
        for step in (1000, 10**15):
            both = Compose(TimestampQuantise(step), noise)
            found, labels = both(events, sample=1, labels=True)
            alone = Compose(TimestampQuantise(1), noise)(events, sample=1, labels=True)
            assert np.array_equal(found.t[labels > 0], alone[0].t[alone[1] > 0])
            stream = both.stream(SIZE, sample=1)
            parts = [stream.push(events[:1]), stream.push(events[1:]), stream.end()]
            assert Events.concatenate(parts) == found
