"""Noise of `evstore.noise` at the pixels of the simulated sensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import BackgroundActivity, Compose, Flicker, HotPixels, Transform
from evstore.synth import KINDS, simulate

SIZE, DURATION_US = (64, 48), 200_000


def recording(noise: Transform | None, **options: Any) -> Events:
    said: dict[str, Any] = {"events_per_s": 50_000, "seed": 4, "noise_hz": 0, **options}
    return Events.concatenate(simulate(SIZE, DURATION_US, noise=noise, **said))


def test_noise_comes_on_top() -> None:
    noisy = recording(BackgroundActivity(rate_hz=20))
    more = SIZE[0] * SIZE[1] * 20 * DURATION_US / 1e6
    assert len(noisy) - len(recording(None)) == pytest.approx(more, rel=0.1)
    assert (np.diff(noisy.t) >= 0).all()
    assert noisy.t[-1] < DURATION_US


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_whatever_the_batches(kind: str) -> None:
    noise = Compose(HotPixels(count=5), BackgroundActivity(rate_hz=5))
    options = {**KINDS[kind], "noise": noise, "jitter_us": 10}
    whole = recording(**options)
    assert recording(**options, batch_events=100) == whole
    assert recording(**{**options, "noise": None}) != whole
    assert recording(**options, seed=5) != whole


def test_hot_pixels_are_where_nothing_moves_too() -> None:
    noise = HotPixels(count=8, low_hz=200, high_hz=400)
    events = recording(noise, moving=0.05)
    counts = np.bincount(events.y.astype(int) * SIZE[0] + events.x, minlength=SIZE[0] * SIZE[1])
    still = np.flatnonzero(counts)
    inside = recording(None, moving=0.05)
    x0, x1, y0, y1 = inside.x.min(), inside.x.max(), inside.y.min(), inside.y.max()
    y, x = still // SIZE[0], still % SIZE[0]
    outside = still[(x < x0) | (x > x1) | (y < y0) | (y > y1)]
    assert 4 <= outside.size <= 8
    assert (counts[outside] > 20).all()


def test_the_readout_holds_noise_up_and_pixels_are_blind_after_it() -> None:
    events = recording(
        Compose(Flicker(frequency_hz=100), BackgroundActivity(rate_hz=100)),
        refractory_us=300, readout="tree", row_ns=2_000,
    )  # fmt: skip
    rows = (np.diff(events.t) != 0) | (np.diff(events.y.astype(int)) != 0)
    times = events.t[1:][rows]
    assert np.bincount(times).max() <= 1  # a row takes two microseconds
    pixel = events.y.astype(np.int64) * SIZE[0] + events.x
    order = np.argsort(pixel, kind="stable")
    same = np.diff(pixel[order]) == 0
    assert np.diff(events.t[order])[same].min() >= 300
    assert len(events) > 100 * rows.size / rows.sum()


def test_what_is_no_source_is_named() -> None:
    for noise in (1.5, Transform(), Compose()):
        with pytest.raises(ArgumentError, match=r"noise must be sources of evstore.noise"):
            simulate(SIZE, DURATION_US, events_per_s=50_000, noise=noise)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="events_per_s must be at least 100 with noise"):
        simulate(SIZE, DURATION_US, events_per_s=50, noise_hz=0, noise=HotPixels())
