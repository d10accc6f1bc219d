"""Background activity in bursts: statistics, from the start on, and wherever it is cut."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xxhash
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import LABELS, BackgroundActivity
from evstore.noise.sources import bursts_kernels as kernels

SIZE = (48, 32)
PIXELS = 48 * 32
SEEDS = range(100)


def made(noise: BackgroundActivity, stop: int, **how: Any) -> Events:
    found: Events = noise(Events.empty(SIZE), start=0, stop=stop, **how)
    return found


def check_mean(values: list[float], expected: float) -> None:
    """The mean over the seeds lies within four standard errors of what it should be."""
    assert len(values) >= 90
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert error > 0
    assert abs(float(np.mean(values)) - expected) <= 4 * error, (np.mean(values), expected, error)


def gaps_and_flips(events: Events) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Between events of one pixel."""
    pixel = events.y.astype(np.int64) * SIZE[0] + events.x
    order = np.lexsort((events.t, pixel))
    same = np.diff(pixel[order]) == 0
    return np.diff(events.t[order])[same], (np.diff(events.p[order].astype(int)) != 0)[same]


@pytest.mark.parametrize(("on", "share"), [(0.5, 0.6), (0.3, 0.9)])
def test_statistics(on: float, share: float) -> None:
    """Bursts so far apart that what follows soon is of one: the rest are one in 10,000."""
    rates, shares, delays, spreads, flips, ons, halves = ([] for _ in range(7))
    for seed in SEEDS:
        noise = BackgroundActivity(
            rate_hz=1, spread_decades=0, on_fraction=on, bursts=share, burst_delay_us=300,
            burst_spread_decades=0.2, burst_flip=0.2, seed=seed,
        )  # fmt: skip
        events = made(noise, 2_000_000)
        gaps, flipped = gaps_and_flips(events)
        soon = gaps < 300 * 10**0.7  # what is beyond 3.47 deviations there is not
        rates.append(len(events) / PIXELS / 2)
        chance = 1 - math.exp(-(1 - share) * 300 * 10**0.7 / 1e6)
        shares.append(float(soon.sum()) / len(events) - chance * (1 - share))
        delays.append(float(np.log10(gaps[soon]).mean()))
        spreads.append(float(np.log10(gaps[soon]).var()))
        flips.append(float(flipped[soon].mean()))
        ons.append(float(events.p.mean()))
        halves.append(float((events.t < 1_000_000).mean()))
    check_mean(rates, 1)
    assert abs(np.mean(shares) - share) < 0.002 * share + 4 * np.std(shares) / 10
    check_mean(halves, 0.5)
    check_mean(ons, on)
    assert abs(np.mean(delays) - math.log10(300)) < 0.003
    assert abs(np.mean(spreads) - 0.04) < 0.001
    assert abs(np.mean(flips) - 0.2) < 0.002


def test_is_the_same_from_the_start_on() -> None:
    """Delays of the length of the sample: half of what follows does so from before the start."""
    firsts, alls = [], []
    for seed in SEEDS:
        noise = BackgroundActivity(
            rate_hz=20, bursts=0.8, burst_delay_us=50_000, burst_spread_decades=0.5, seed=seed
        )
        t = made(noise, 100_000).t
        firsts.append(float(np.count_nonzero(t < 5_000)) / PIXELS / 0.005)
        alls.append(t.size / PIXELS / 0.1)
    check_mean(firsts, 20)
    check_mean(alls, 20)


@pytest.mark.parametrize("seed", range(4))
def test_cuts_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = BackgroundActivity(rate_hz=60, bursts=0.7, burst_delay_us=20_000, seed=seed)
    t = np.sort(rng.integers(0, 400_000, 2000))
    events = Events(t, rng.integers(0, 48, 2000), rng.integers(0, 32, 2000), t & 1, SIZE)
    whole, labels = noise(events, sample="a", start=0, stop=400_000, labels=True)
    assert (np.diff(whole.t) >= 0).all()
    assert whole[labels == 0] == events
    assert set(np.unique(labels)) == {0, LABELS["background"]}
    assert whole.t[-1] < 400_000
    stream, parts, kinds = noise.stream(SIZE, sample="a", start=0), [], []
    cuts = np.sort(rng.integers(0, 2001, 60))
    for low, high in zip([0, *cuts], [*cuts, 2000], strict=True):
        parts.append(stream.push(events[low:high]))
        kinds.append(stream.labels)
    parts.append(stream.end(400_000))
    kinds.append(stream.labels)
    assert Events.concatenate(parts) == whole
    assert np.array_equal(np.concatenate(kinds), labels)


def test_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = BackgroundActivity(rate_hz=100, bursts=0.7, burst_delay_us=3000, seed=3)
    events = made(noise, 200_000, sample=1)
    monkeypatch.setattr("evstore.noise.sources.bursts.PIECE", 100)
    assert made(noise, 200_000, sample=1) == events


def test_a_longer_sample_goes_on_as_a_shorter_one() -> None:
    noise = BackgroundActivity(rate_hz=100, bursts=0.5, seed=3)
    long, short = made(noise, 200_000, sample=1), made(noise, 50_000, sample=1)
    assert long[: len(short)] == short
    assert long.t[len(short)] >= 50_000


def test_polarity_of_one_kind_stays() -> None:
    for on in (0, 1):
        events = made(BackgroundActivity(on_fraction=on, bursts=0.9, burst_flip=1), 1_000_000)
        assert set(events.p.tolist()) == {on}
    alternating = made(
        BackgroundActivity(rate_hz=0.1, bursts=0.5, burst_flip=1, burst_delay_us=10), 1_000_000
    )
    gaps, flipped = gaps_and_flips(alternating)
    assert gaps.min() >= 1
    assert flipped[gaps < 1000].all()


def test_is_the_same_on_every_machine() -> None:
    noise = BackgroundActivity(rate_hz=40, bursts=0.7, burst_delay_us=5000, seed=1)
    events = made(noise, 300_000, sample="golden", epoch=1)
    found = xxhash.xxh3_64()
    for column in (events.t, events.x, events.y, events.p):
        found.update(np.ascontiguousarray(column.astype("<i8")).data)
    assert found.hexdigest() == "27fb3b51d821e1e5"


def test_what_would_be_held_is_bounded() -> None:
    noise = BackgroundActivity(
        rate_hz=1000, bursts=0.95, burst_delay_us=1e7, burst_spread_decades=1
    )
    with pytest.raises(ArgumentError, match="held until they are due"):
        made(noise, 1000)


def word(seed: int, number: int) -> int:
    """SplitMix64, by Python's integers."""
    whole = (1 << 64) - 1
    z = (seed + 0x9E3779B97F4A7C15 * (number + 1)) & whole
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & whole
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & whole
    return z ^ (z >> 31)


def naive_delay(word: int, median_us: float, decades: float) -> int:
    bell = (sum(word >> shift & 0xFFFF for shift in (0, 16, 32, 48)) - 131070) * 3**0.5 / 65536
    return max(int(math.exp(bell * decades * math.log(10)) * median_us + 0.5), 1)


def naive_bursts(
    seeds: dict[str, int], share: float, delay: tuple[float, float], flips: tuple[int, int],
    heads: list[tuple[int, int, int, int]],
) -> list[tuple[int, int, int, int]]:  # fmt: skip
    """One event after the other, by Python's logarithm and exponential function."""
    found: list[tuple[int, int, int, int]] = []
    for number, (time, x, y, polarity) in enumerate(heads):
        unit = ((word(seeds["counts"], number) >> 11) + 0.5) * 2.0**-53
        for _ in range(int(math.log(unit) / math.log(share))):
            time += naive_delay(word(seeds["delays"], len(found)), *delay)
            polarity ^= (word(seeds["coins"], len(found)) >> 32) < flips[polarity]
            found.append((time, x, y, polarity))
    return found


def room() -> kernels.Room:
    values, scale, results = (np.empty(kernels.STEP) for _ in range(3))
    return kernels.Room(values, values.view(np.uint64), scale, scale.view(np.int64), results)


@pytest.mark.parametrize("share", [0.05, 0.7, 0.95])
def test_kernels_against_slow_loops(share: float) -> None:
    seeds, flips, size = {"counts": 6, "delays": 7, "coins": 8}, (1 << 31, 1 << 30), 1300
    t = np.arange(size) * 7
    x, y = (np.arange(size, dtype=np.uint16) + shift for shift in (0, 7))
    p = (t % 2).astype(np.uint8)
    heads = list(zip(t.tolist(), x.tolist(), y.tolist(), p.tolist(), strict=True))
    slow = naive_bursts(seeds, share, (40, 0.5), flips, heads)
    counts = np.empty(size, np.uint16)
    total = kernels.count_followers(6, 0, 1 / math.log(share), room(), counts)
    assert total == counts.sum() == len(slow)
    delays, coins, chains = (np.empty(total + k, f) for k, f in ((0, "i8"), (0, "u1"), (1, "u4")))
    kernels.make_delays(7, 0, 40, 0.5, room(), delays)
    kernels.make_coins(8, 0, flips, coins)
    kernels.mark_chains(counts, chains)
    out = [np.empty(total, dtype) for dtype in (np.int64, np.uint16, np.uint16, np.uint8)]
    kernels.follow(chains, delays, coins, t, x, y, p, *out)
    assert list(zip(*(column.tolist() for column in out), strict=True)) == slow


def test_what_follows_from_before_the_start() -> None:
    t, delays = np.array([10, 10, 10, 50]), np.array([0, 1, 2, 40])
    before = np.empty(4, np.uint8)
    kernels.flag_before(t, delays, 9, before)
    assert before.tolist() == [0, 0, 1, 0]
    least = -(1 << 63)  # what comes before it is no int64
    kernels.flag_before(least + t, delays, least + 9, before)
    assert before.tolist() == [0, 0, 1, 0]
