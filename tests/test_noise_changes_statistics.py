"""Means over 100 fixed seeds: what a change does is what its parameter says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evstore.events import Events
from evstore.noise import (
    BandwidthLimit,
    EventDrop,
    MissingRows,
    PixelDrop,
    PolarityFlip,
    SpatialJitter,
    TimeJitter,
    Transform,
)
from evstore.noise.changes.whole_steps import scale_for

SEEDS = range(100)
SENSOR = (40, 30)
N = 2400
START, STOP = 0, 1_000_000
Measure = Callable[[Events, Events], float]


def events() -> Events:
    """Every pixel twice, in the middle of the sample's time."""
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(400_000, 600_000, N))
    pixel = rng.permutation(N) % 1200
    return Events(t, pixel % 40, pixel // 40, np.arange(N) % 2, SENSOR)


def within_four_errors(found: list[float], wanted: float) -> None:
    """Of the mean; where there is no spread at all it is the number itself."""
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - wanted) <= 4 * error + 1e-12 * abs(wanted), (
        f"{np.mean(found)} +- {error}, and not {wanted}"
    )


def lost(before: Events, after: Events) -> float:
    return 1 - len(after) / len(before)


def flipped(before: Events, after: Events) -> float:
    return float(np.mean(before.p != after.p))


def missing_rows(before: Events, after: Events) -> float:
    return 1 - len(set(after.y.tolist())) / len(set(before.y.tolist()))


def missing_columns(before: Events, after: Events) -> float:
    return 1 - len(set(after.x.tolist())) / len(set(before.x.tolist()))


def dead(before: Events, after: Events) -> float:
    left = np.unique(after.y.astype(np.int64) * 40 + after.x).size
    return 1 - left / 1200


@pytest.mark.parametrize("fraction", [0.003, 0.1, 0.5, 0.97])
@pytest.mark.parametrize(
    ("make", "measure"),
    [
        (EventDrop, lost),
        (PolarityFlip, flipped),
        (lambda f, seed: PixelDrop(f, seed=seed), lost),
        (lambda f, seed: PixelDrop(f, seed=seed, redraw="sample"), dead),
        (MissingRows, missing_rows),
        (lambda f, seed: MissingRows(f, axis="column", seed=seed), missing_columns),
        (lambda f, seed: MissingRows(f, 1000, seed=seed), lost),
    ],
    ids=["events", "flips", "pixels", "drawn", "rows", "columns", "slots"],
)
def test_shares(make: Callable[..., Transform], measure: Measure, fraction: float) -> None:
    before = events()
    found = [measure(before, make(fraction, seed=seed)(before, sample=1)) for seed in SEEDS]
    within_four_errors(found, fraction)


def test_each_pixel_is_dead_as_often() -> None:
    """Of a count of them: over the seeds, each in its share, and never one more."""
    before, times = events(), np.zeros(1200, np.int64)
    for seed in SEEDS:
        after = PixelDrop(count=300, seed=seed)(before, sample=1)
        alive = np.unique(after.y.astype(np.int64) * 40 + after.x)
        assert alive.size == 900
        times[alive] += 1
    spread = np.sqrt(100 * 0.75 * 0.25)
    assert np.all(abs(times - 75) < 5 * spread)
    assert np.std(times) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("deviation", [0.03, 0.4, 1, 2.5, 7.9, 8, 100, 10_000])
def test_deviation_of_times(deviation: float) -> None:
    before = events()
    before.t[:] = 500_000
    means, variances = [], []
    for seed in SEEDS:
        after = TimeJitter(deviation, seed=seed)(before, sample=1, start=START, stop=STOP)
        means.append(float(np.mean(after.t - before.t)))
        variances.append(float(np.mean((after.t - before.t) ** 2.0)))
    within_four_errors(means, 0)
    within_four_errors(variances, deviation**2)


@pytest.mark.parametrize("deviation", [0.03, 0.4, 1, 2.5, 30])
def test_deviation_of_places(deviation: float) -> None:
    middle = Events(np.arange(N), [500] * N, [400] * N, [1] * N, (1000, 800))
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        after = SpatialJitter(deviation, seed=seed)(middle, sample=1)
        assert len(after) == N
        x, y = after.x - 500.0, after.y - 400.0
        for name, values in (("x", x), ("y", y), ("xx", x * x), ("yy", y * y), ("xy", x * y)):
            measured.setdefault(name, []).append(float(np.mean(values)))
    for name, values in measured.items():
        within_four_errors(values, deviation**2 if name in ("xx", "yy") else 0)


def test_scales_join() -> None:
    """The two ways to find one, of small and of large deviations, agree where they meet."""
    assert scale_for(8 - 1e-9) == pytest.approx(scale_for(8), rel=1e-6)
    assert scale_for(0) == 0
    assert scale_for(1e-6) > 0.14  # of what the greatest number has to become a half


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("rate", [200.0, 1234.5, 3000])
def test_rate_that_is_read(rate: float, delay: bool) -> None:
    """Of three times as many events as can be read those are kept that can; of few, all."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        t = np.sort(rng.integers(0, 1_000_000, rng.poisson(3 * rate)))
        some = Events(t, t % 40, t % 30, t % 2)
        read = BandwidthLimit(rate, 10, delay)(some, start=0, stop=1_000_000)
        # What is in the buffer at the end is read too, and it takes a moment to fill at first.
        assert rate - 2 <= len(read) <= rate + 11
        if delay:
            intervals = np.diff(read.t[20:])
            assert set(intervals.tolist()) <= {int(1e6 / rate), int(1e6 / rate) + 1}
            assert np.mean(intervals) == pytest.approx(1e6 / rate, abs=1 / intervals.size)
        assert len(BandwidthLimit(rate * 60, 10, delay)(some, sample=1)) == len(some)


def test_loss_of_a_queue_of_one() -> None:
    """Erlang's formula: of Poisson arrivals at ``a`` times the rate, a share a / (1 + a) is lost.

    A. K. Erlang, 1917: it holds for any time that reading takes, of one place.
    """
    shares = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        t = np.sort(rng.integers(0, 100_000_000, rng.poisson(3000 * 1.5)))
        some = Events(t, t % 40, t % 30, t % 2)
        shares.append(lost(some, BandwidthLimit(30.0, 1)(some, start=0, stop=100_000_000)))
    within_four_errors(shares, 1.5 / 2.5)
