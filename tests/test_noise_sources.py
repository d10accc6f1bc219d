"""What sources of noise add: statistics, order, and on what it depends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xxhash
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import LABELS, BackgroundActivity, Compose, Flicker, HotPixels, Leak, Transform
from evstore.noise.batch import Sensor
from evstore.noise.epoch import reading_epoch
from evstore.noise.key import Key

SEEDS = range(100)
SIZE = (48, 32)
PIXELS = 48 * 32
NOISES: list[Transform] = [
    BackgroundActivity(rate_hz=40, seed=1),
    BackgroundActivity(rate_hz=40, spread_decades=0, on_fraction=0.2),
    HotPixels(count=20, seed=2),
    HotPixels(fraction=0.02, periodic=True, cluster=3, redraw="sample"),
    Leak(rate_hz=30, seed=3),
    Flicker(frequency_hz=100, events_per_cycle=1.5, jitter_us=300, seed=4),
    Flicker(frequency_hz=87.3, waveform="pwm", duty=0.3, events_per_cycle=3, region=(3, 4, 20, 9)),
    Compose(
        HotPixels(count=5), BackgroundActivity(), Leak(), Flicker(events_per_cycle=0.3), seed=9
    ),
]
#: Of what each of them makes: it may change with the model only, and the CHANGELOG says so.
GOLDEN = [
    "8d89081a78a970ef",
    "13641d231075756f",
    "1b0e6d297a94a079",
    "b3d1faa07cc24250",
    "bdf4012fd8c4ed0f",
    "aca340f5cf5d9d7f",
    "9c18217f7ca14347",
    "0079710b6dd3707d",
]


def made(noise: Transform, stop: int, size: tuple[int, int] = SIZE, **how: Any) -> Events:
    found: Events = noise(Events.empty(size), start=0, stop=stop, **how)
    return found


def signal(seed: int, n: int = 3000, span_us: int = 400_000) -> Events:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(1_000_000, 1_000_000 + span_us, n))
    x, y = rng.integers(0, SIZE[0], n), rng.integers(0, SIZE[1], n)
    return Events(t, x, y, rng.integers(0, 2, n), SIZE)


def check_mean(values: list[float], expected: float) -> None:
    """The mean over the seeds lies within four standard errors of what it should be."""
    assert len(values) >= 90
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert error > 0
    assert abs(float(np.mean(values)) - expected) <= 4 * error, (np.mean(values), expected, error)


def intervals(events: Events) -> NDArray[np.int64]:
    """Between events of one pixel."""
    pixel = events.y.astype(np.int64) * SIZE[0] + events.x
    order = np.argsort(pixel, kind="stable")
    gaps = np.diff(events.t[order])
    return gaps[np.diff(pixel[order]) == 0]


# ---------------------------------------------------------------------- statistics


def over_seeds(make: Callable[[int], Transform], stop: int = 1_000_000) -> list[Events]:
    return [made(make(seed), stop) for seed in SEEDS]


def test_background_statistics() -> None:
    found = over_seeds(lambda seed: BackgroundActivity(rate_hz=7, on_fraction=0.3, seed=seed))
    check_mean([len(events) / PIXELS for events in found], 7)
    check_mean([float(events.p.mean()) for events in found], 0.3)
    check_mean([float(events.x.mean()) for events in found], (SIZE[0] - 1) / 2)
    check_mean([float(events.y.mean()) for events in found], (SIZE[1] - 1) / 2)
    check_mean([float(events.t.mean()) for events in found], 500_000)
    # Of a Poisson process: gaps between events have the mean as their deviation.
    gaps = [np.diff(events.t) for events in found]
    check_mean([float((g / g.mean()) @ (g / g.mean())) / g.size for g in gaps], 2 + 1e-4)


def test_background_spread() -> None:
    spreads = []
    for seed in SEEDS:
        counts = np.zeros(PIXELS)
        events = made(BackgroundActivity(rate_hz=200, spread_decades=0.2, seed=seed), 400_000)
        np.add.at(counts, events.y.astype(np.int64) * SIZE[0] + events.x, 1)
        # The variance of a log-normal rate, and what counting adds to it.
        relative = (counts.var() - counts.mean()) / counts.mean() ** 2
        spreads.append(math.sqrt(math.log1p(relative)) / math.log(10))
    assert abs(np.mean(spreads) - 0.2) < 0.006


@pytest.mark.parametrize("most", [50.0, 25.0, 10.5])
def test_no_pixel_of_the_background_has_more_than_the_most(most: float) -> None:
    rates = []
    for seed in SEEDS:
        counts = np.zeros(PIXELS)
        wide = BackgroundActivity(rate_hz=10, spread_decades=0.6, most_hz=most, seed=seed)
        events = made(wide, 4_000_000)
        np.add.at(counts, events.y.astype(np.int64) * SIZE[0] + events.x, 1)
        assert counts.max() / 4 < most + 5.5 * math.sqrt(most / 4)
        rates.append(len(events) / PIXELS / 4)
    check_mean(rates, 10)


def test_a_most_that_is_beyond_all_rates_changes_nothing() -> None:
    one, other = (
        made(BackgroundActivity(rate_hz=5, most_hz=most, seed=3), 10**6) for most in (None, 500)
    )
    assert np.array_equal(one.t, other.t)
    assert np.array_equal(one.x, other.x)
    assert len(made(BackgroundActivity(rate_hz=0, most_hz=1), 10**6)) == 0


def test_background_depends_on_light() -> None:
    light = np.zeros((SIZE[1], SIZE[0]))
    light[:, 24:] = 1
    ratios = []
    for seed in SEEDS:
        events = made(
            BackgroundActivity(rate_hz=50, spread_decades=0, light=light, seed=seed), 10**6
        )
        bright = int((events.x >= 24).sum())
        ratios.append(bright / (len(events) - bright))
    check_mean(ratios, 0.25)


def test_hot_pixels_statistics() -> None:
    def make(seed: int) -> HotPixels:
        return HotPixels(count=30, low_hz=50, high_hz=500, on_fraction=0.7, bias=0.8, seed=seed)

    found = over_seeds(make)
    mean_hz = 450 / math.log(10)
    check_mean([len(events) / 30 for events in found], mean_hz)
    assert make(0).expected_hz(Sensor(*SIZE)) == pytest.approx(30 * mean_hz)
    check_mean([float(np.log(make(s).pixels(SIZE).rate_hz).mean()) for s in SEEDS],
               math.log(50 * 500) / 2)  # fmt: skip
    check_mean([float(make(s).pixels(SIZE).prefers.mean()) for s in SEEDS], 0.7)
    check_mean([float(make(s).pixels(SIZE).x.mean()) for s in SEEDS], (SIZE[0] - 1) / 2)
    check_mean([float(make(s).pixels(SIZE).y.mean()) for s in SEEDS], (SIZE[1] - 1) / 2)
    biases = []
    for seed, events in zip(SEEDS, found, strict=True):
        hot = make(seed).pixels(SIZE)
        prefers = np.full(SIZE[::-1], 9)
        prefers[hot.y, hot.x] = hot.prefers
        wanted = prefers[events.y, events.x]
        assert (wanted < 2).all()  # no other pixel fires
        biases.append(float((wanted == events.p).mean()))
    check_mean(biases, 0.8)


def test_hot_pixels_are_as_many_as_said_and_lie_together() -> None:
    for cluster in (1, 4, 30):
        shares = []
        for seed in SEEDS:
            hot = HotPixels(count=60, cluster=cluster, seed=seed).pixels(SIZE)
            places = set(zip(hot.x.tolist(), hot.y.tolist(), strict=True))
            assert len(places) == 60
            near = [(x + 1, y) in places or (x, y + 1) in places for x, y in places]
            shares.append(float(np.mean(near)))
        # By chance a pixel has one of two neighbours among 60 of 1,536.
        assert (np.mean(shares) < 0.1) if cluster == 1 else (np.mean(shares) > 0.5)
    assert len(HotPixels(fraction=1.0, cluster=7).pixels(SIZE).x) == PIXELS


def test_clusters_do_not_avoid_the_border() -> None:
    shares, corners = [], []
    for seed in range(400):
        hot = HotPixels(count=40, cluster=20, seed=seed).pixels((30, 30))
        side, end = np.isin(hot.x, (0, 29)), np.isin(hot.y, (0, 29))
        shares.append(float((side | end).mean()))
        corners.append(float((side & end).mean()))
    check_mean(shares, 116 / 900)
    check_mean(corners, 4 / 900)
    assert len(HotPixels(count=7, cluster=9).pixels((1, 7)).x) == 7


@pytest.mark.parametrize(
    ("fraction", "size"), [(0.0004, (34, 34)), (None, (20, 20)), (0.0125, (6, 20)), (0.25, (8, 2))]
)
def test_a_fraction_of_hot_pixels_holds_on_the_mean(
    fraction: float | None, size: tuple[int, int]
) -> None:
    """Of no whole number of pixels it is the next one sometimes: so settled by the sensor."""
    mean = (0.001 if fraction is None else fraction) * size[0] * size[1]
    counts = [len(HotPixels(fraction=fraction, seed=seed).pixels(size).x) for seed in range(400)]
    assert set(counts) == {math.floor(mean), math.ceil(mean)}
    if mean % 1:
        check_mean([float(count) for count in counts], mean)
    hot = HotPixels(fraction=fraction, low_hz=50, high_hz=50)
    assert hot.expected_hz(Sensor(*size)) == pytest.approx(50 * mean)
    drawn = HotPixels(fraction=fraction, redraw="sample")
    of = [[len(one._hot(Sensor(*size), Key(0, b"%d" % n)).x) for n in range(99)]
          for one in (hot, drawn)]  # fmt: skip
    assert len(set(of[0])) == 1
    assert set(of[1]) == set(counts)


@pytest.mark.parametrize("jitter", [0.02, 0.2])
def test_periodic_pixels(jitter: float) -> None:
    rates, deviations, shares = [], [], []
    for seed in SEEDS:
        noise = HotPixels(
            count=10, low_hz=200, high_hz=200, periodic=True, jitter=jitter, bias=0.7,
            on_fraction=0, seed=seed,
        )  # fmt: skip
        events = made(noise, 1_000_000)
        gaps = intervals(events)
        rates.append(len(events) / 10)
        deviations.append(float(gaps.std()) / 5000)
        shares.append(1 - float(events.p.mean()))
    check_mean(rates, 200)
    check_mean(deviations, jitter)
    check_mean(shares, 0.7)


def test_leak_statistics() -> None:
    found = over_seeds(lambda seed: Leak(rate_hz=5, jitter=0.15, spread_decades=0, seed=seed))
    check_mean([len(events) / PIXELS for events in found], 5)
    check_mean([float(intervals(events).std()) / 2e5 for events in found[:]], 0.15)
    check_mean([float(events.x.mean()) for events in found], (SIZE[0] - 1) / 2)
    assert all((events.p == 1).all() for events in found)


def test_leak_of_years() -> None:
    """So little that steps of time would go through nothing for hours; the same in a stream."""
    leak, stop = Leak(rate_hz=1e-9, seed=2), 1 << 55
    whole = leak(Events.empty((4, 4)), start=5, stop=stop, sample="years")
    assert 500 < len(whole) < 660  # 576, and as regular as leak is
    stream = leak.stream((4, 4), start=5, sample="years")
    signal = [10**9, stop // 3, stop // 3 + 10**6, stop // 2]
    parts = [stream.push(Events([t], [0], [0], [0], (4, 4))) for t in signal]
    found = Events.concatenate([*parts, stream.end(stop)])
    assert found[np.isin(found.t, signal, invert=True)] == whole


@pytest.mark.parametrize("waveform", ["sine", "pwm"])
def test_flicker_statistics(waveform: str) -> None:
    def make(seed: int) -> Flicker:
        return Flicker(
            frequency_hz=120, events_per_cycle=1.3, waveform=waveform, duty=0.3, jitter_us=200,
            region=(5, 6, 25, 16), seed=seed,
        )  # fmt: skip

    found = over_seeds(make)
    check_mean([len(events) / 200 for events in found], 2 * 1.3 * 120)
    assert all(events.x.min() >= 5 and events.x.max() < 25 for events in found)
    assert all(events.y.min() >= 6 and events.y.max() < 16 for events in found)
    check_mean([float(events.p.mean()) for events in found], 0.5)
    assert make(0).expected_hz(Sensor(*SIZE)) == pytest.approx(200 * 2 * 1.3 * 120)
    for events in found[:5]:
        # ON and OFF, alternating: the strongest frequency is that of the light, or a harmonic.
        bins = np.bincount(events.t // 500, weights=2.0 * events.p - 1, minlength=2000)
        spectrum = np.abs(np.fft.rfft(bins))
        assert np.argmax(spectrum) % 120 == 0
        assert spectrum[120] > 0.5 * spectrum.max()


def test_flicker_phases() -> None:
    """The spread over pixels, and how far ON and OFF lie apart."""
    spreads, apart, starts = [], [], []
    for seed in SEEDS:
        noise = Flicker(
            frequency_hz=100, events_per_cycle=1, waveform="pwm", duty=0.3, phase=0.25,
            phase_spread=0.02, jitter_us=0, seed=seed,
        )  # fmt: skip
        events = made(noise, 200_000)
        angle = np.exp(2j * np.pi * (events.t + 0.5) / 10_000)
        on, off = angle[events.p == 1], angle[events.p == 0]
        starts.append(float(np.angle(on.mean())) / (2 * np.pi))
        spreads.append(math.sqrt(-2 * math.log(abs(on.mean()))) / (2 * np.pi))
        apart.append(float(np.angle(off.mean() / on.mean())) / (2 * np.pi))
    assert abs(np.mean(spreads) - 0.02) < 0.0005
    check_mean(apart, 0.3)
    check_mean(starts, -0.25)  # a quarter of the cycle is over at the start


def test_flicker_mask_scales() -> None:
    mask = np.zeros((SIZE[1], SIZE[0]))
    mask[:, :24], mask[:, 24:] = 1, 0.5
    mask[0] = 0
    shares = []
    for seed in SEEDS:
        events = made(Flicker(events_per_cycle=1.7, mask=mask, seed=seed), 50_000)
        assert events.y.min() == 1
        shares.append(float((events.x >= 24).mean()))
    check_mean(shares, 1 / 3)


# ---------------------------------------------------------------------- order, streams, seeds


@pytest.mark.parametrize("noise", NOISES, ids=lambda n: type(n).__name__)
def test_is_sorted_stable_and_keeps_the_signal(noise: Transform) -> None:
    events = signal(1)
    found, labels = noise(events, labels=True)
    assert (np.diff(found.t) >= 0).all()
    assert found.resolution == SIZE
    assert found[labels == 0] == events
    assert len(found) > len(events)
    assert set(np.unique(labels)) <= set(LABELS.values())
    assert found.t[-1] <= events.t[-1] and found.t[0] >= events.t[0]  # noqa: PT018
    # At equal times the signal comes first.
    tie = np.flatnonzero((np.diff(found.t) == 0) & (labels[1:] == 0))
    assert (labels[tie] == 0).all()


@pytest.mark.parametrize("noise", NOISES, ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("seed", range(4))
def test_stream_is_the_same_wherever_it_is_cut(noise: Transform, seed: int) -> None:
    events = signal(seed)
    whole, labels = noise(events, sample="here", epoch=3, labels=True)
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, len(events) + 1, rng.integers(0, 40)))
    stream = noise.stream(SIZE, sample="here", epoch=3)
    parts, kinds = [], []
    for low, high in zip([0, *cuts], [*cuts, len(events)], strict=True):
        parts.append(stream.push(events[low:high]))
        kinds.append(stream.labels)
    parts.append(stream.end())
    kinds.append(stream.labels)
    assert Events.concatenate(parts) == whole
    assert np.array_equal(np.concatenate(kinds), labels)


@pytest.mark.parametrize("noise", NOISES, ids=lambda n: type(n).__name__)
def test_depends_on_seed_epoch_and_sample_alone(noise: Transform) -> None:
    events = signal(2)
    first = noise(events, sample=7, epoch=1)
    assert noise(events, sample=7, epoch=1) == first
    assert noise(events, sample=8, epoch=1) != first
    assert noise(events, sample=7, epoch=2) != first
    assert noise(events, sample="7", epoch=1) == first  # ids are texts
    with reading_epoch(1):
        assert noise(events, sample=7) == first
    unnamed = noise(events)
    assert noise(signal(2)) == unnamed != noise(signal(3))


def test_two_of_a_kind_are_not_the_same() -> None:
    one = BackgroundActivity(rate_hz=50)
    twice = Compose(one, one)
    events = made(twice, 1_000_000)
    half = made(Compose(one), 1_000_000)
    assert len(events) > 1.9 * len(half)
    assert len(set(zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), strict=True))) > (
        0.99 * len(events)
    )
    hot = HotPixels(count=5)
    key = Key(0, b"")
    places = {tuple(hot._hot(Sensor(*SIZE), key.within(0, place)).x) for place in range(4)}
    assert len(places) == 4


def test_sensor_keeps_its_hot_pixels() -> None:
    noise = HotPixels(count=8, seed=5)
    pixels = noise.pixels(SIZE)
    known = set(zip(pixels.x.tolist(), pixels.y.tolist(), strict=True))
    for sample in range(5):
        events = made(noise, 200_000, sample=sample, epoch=sample)
        assert set(zip(events.x.tolist(), events.y.tolist(), strict=True)) == known
    drawn = HotPixels(count=8, seed=5, redraw="sample")
    found = [made(drawn, 200_000, sample=sample) for sample in range(2)]
    assert set(found[0].x.tolist()) != set(found[1].x.tolist())
    with pytest.raises(ArgumentError, match="drawn for each sample"):
        drawn.pixels(SIZE)


@pytest.mark.parametrize(
    ("noise", "digest"),
    list(zip(NOISES, GOLDEN, strict=True)),
    ids=[str(n) for n in range(len(NOISES))],
)
def test_is_the_same_on_every_machine(noise: Transform, digest: str) -> None:
    events = made(noise, 300_000, (64, 48), sample="golden", epoch=1)
    found = xxhash.xxh3_64()
    for column in (events.t, events.x, events.y, events.p):
        found.update(np.ascontiguousarray(column.astype("<i8")).data)
    assert found.hexdigest() == digest


def test_nothing_in_and_no_time_gives_nothing() -> None:
    for noise in NOISES:
        assert len(noise(Events.empty(SIZE))) == 0
        assert len(made(noise, 0)) == 0
        assert len(made(noise, 300_000)) > 0
        stream = noise.stream(SIZE)
        assert len(stream.push(Events.empty())) == len(stream.end()) == 0
        stream = noise.stream(SIZE, start=0)
        assert len(stream.end(300_000)) == len(made(noise, 300_000, sample=""))


def test_zero_rates_give_nothing() -> None:
    quiet = (BackgroundActivity(rate_hz=0), Leak(rate_hz=0), HotPixels(count=0),
             HotPixels(fraction=0, periodic=True), Flicker(events_per_cycle=0))  # fmt: skip
    events = signal(4)
    for noise in quiet:
        assert noise(events) == events


@pytest.mark.parametrize(
    "dtype",
    [
        [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")],
        [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")],
        [("t", "<i4"), ("x", "<u2"), ("y", "<u2"), ("p", "i1")],
    ],
)
def test_structured_arrays(dtype: Any) -> None:
    events = signal(5)
    array = events.to_structured(dtype)
    before = array.copy()
    noise = BackgroundActivity(rate_hz=20, resolution=(*SIZE, 2))
    found, labels = noise(array, labels=True)
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(array, before)
    assert Events.from_structured(found) == noise(events)
    assert np.array_equal(found[labels == 0], array)
    assert found.flags.writeable and not np.shares_memory(found, array)  # noqa: PT018


def test_input_that_steps_back_is_sorted() -> None:
    events = signal(6)
    mixed = events[np.random.default_rng(0).permutation(len(events))]
    stable = mixed[np.argsort(mixed.t, kind="stable")]
    found, labels = BackgroundActivity()(mixed, labels=True)
    assert found[labels == 0] == stable
    stream = BackgroundActivity().stream(SIZE, slack_us=50)
    stream.push(Events([100, 60], [1, 1], [1, 1], [1, 1], SIZE))
    with pytest.raises(ArgumentError, match="slack_us=60 or more"):
        stream.push(Events([40], [1], [1], [1], SIZE))


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BackgroundActivity(rate_hz=-1), r"number in 0\.\.1e\+06, got -1"),
        (lambda: BackgroundActivity(rate_hz=math.nan), "rate_hz must be a number"),
        (lambda: BackgroundActivity(on_fraction=1.5), r"on_fraction must be a number in 0\.\.1"),
        (lambda: BackgroundActivity(spread_decades=-0.1), "spread_decades"),
        (lambda: BackgroundActivity(bursts=0.96), r"bursts must be a number in 0\.\.0\.95"),
        (lambda: BackgroundActivity(burst_delay_us=0), r"delay_us must be a number in 1\.\.1e\+07"),
        (lambda: BackgroundActivity(burst_flip=-0.1), r"burst_flip must be a number in 0\.\.1"),
        (lambda: BackgroundActivity(burst_spread_decades=3), r"in 0\.\.2, got 3"),
        (lambda: BackgroundActivity(rate_hz=5, most_hz=4), r"most_hz must be .* in 5\.\.1"),
        (lambda: BackgroundActivity(light=np.full((4, 4), 2.0)), "light must be an image"),
        (lambda: BackgroundActivity(light=np.full((4, 4), math.nan)), "light must be an image"),
        (lambda: BackgroundActivity(light=1e308), "light must be an image"),  # type: ignore[arg-type]
        (lambda: BackgroundActivity(light=[[10**400]]), "light must be an image"),  # type: ignore[arg-type]
        (lambda: BackgroundActivity(light=np.ones((4, 4), complex)), "light must be an image"),
        (lambda: BackgroundActivity(seed=-1), "seed must be an integer"),
        (lambda: BackgroundActivity(rate_hz=True), "rate_hz"),
        (lambda: BackgroundActivity(resolution=(0, 5)), "resolution must be"),
        (lambda: BackgroundActivity(resolution=(5,)), "resolution must be"),
        (lambda: HotPixels(fraction=1.1), r"fraction must be a number in 0\.\.1"),
        (lambda: HotPixels(fraction=0.1, count=3), "not both"),
        (lambda: HotPixels(count=-3), "count must be an integer"),
        (lambda: HotPixels(low_hz=100, high_hz=50), r"high_hz must be a number in 100\.\."),
        (lambda: HotPixels(bias=2), "bias"),
        (lambda: HotPixels(jitter=0.5), r"jitter must be a number in 0\.\.0\.25"),
        (lambda: HotPixels(redraw="now"), "redraw must be one of 'never', 'sample'"),
        (lambda: HotPixels(cluster=0), "cluster"),
        (lambda: HotPixels(periodic=np.array([1.0])), "periodic must be one of False, True"),  # type: ignore[arg-type]
        (lambda: Leak(rate_hz=-2), "rate_hz"),
        (lambda: Leak(jitter=1), "jitter"),
        (lambda: Flicker(frequency_hz=0), "frequency_hz"),
        (lambda: Flicker(events_per_cycle=-1), "events_per_cycle"),
        (lambda: Flicker(waveform="square"), "waveform must be one of 'sine', 'pwm'"),
        (lambda: Flicker(waveform=np.zeros((2, 2))), "waveform must be one of"),  # type: ignore[arg-type]
        (lambda: Flicker(mask=np.zeros((3, 3))), "mask must be an image"),
        (lambda: Flicker(mask=np.ones((3, 3)), region=(0, 0, 1, 1)), "not both"),
        (lambda: Flicker(region=(5, 5, 5, 9)), "a region is"),
        (lambda: Flicker(region=[]), "no region"),
        (lambda: Compose(lambda events: events), "Compose takes transforms"),
    ],
)  # fmt: skip
def test_bad_parameters(make: Callable[[], Transform], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        make()


def test_the_slowest_pixels_never_fire() -> None:
    for slow in (Leak, BackgroundActivity):
        for rate in (5e-324, 1e-300):
            assert len(made(slow(rate_hz=rate), 10**15)) == 0


def test_hot_pixels_of_what_is_no_sensor() -> None:
    hot = HotPixels(count=1)
    for wrong in ((-5, -5), (70_000, 2), (5,), (5, 5, 2, 2)):
        with pytest.raises(ArgumentError, match="resolution must be"):
            hot.pixels(wrong)
    with pytest.raises(ArgumentError, match="65536x65536 has"):
        hot.pixels((65_536, 65_536))
    assert hot.pixels((34, 34, 2)).x == hot.pixels((34, 34)).x


def test_bad_calls() -> None:
    events = signal(7)
    noise = BackgroundActivity()
    array = events.to_structured()
    with pytest.raises(ArgumentError, match="has to know the sensor"):
        noise(array)
    with pytest.raises(ArgumentError, match="outside of the sensor of 10x10"):
        BackgroundActivity(resolution=(10, 10))(array)
    with pytest.raises(ArgumentError, match="lies before start"):
        noise(Events.empty(SIZE), start=5, stop=4)
    with pytest.raises(ArgumentError, match="outside of the times"):
        noise(events, start=0, stop=10)
    with pytest.raises(ArgumentError, match="epoch"):
        noise(events, epoch=-1)
    with pytest.raises(ArgumentError, match="sample"):
        noise(events, sample=1.5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="transform takes Events or a structured array"):
        noise([1, 2])  # type: ignore[type-var]
    with pytest.raises(ArgumentError, match="would add"):
        noise(Events.empty((1280, 720)), start=0, stop=10**12)
    with pytest.raises(ArgumentError, match=r"of the sensor's shape \(32, 48\)"):
        made(Flicker(mask=np.ones((3, 3))), 1000)
    with pytest.raises(ArgumentError, match=r"of the sensor's shape \(32, 48\)"):
        made(BackgroundActivity(light=np.ones((3, 3))), 1000)
    with pytest.raises(ArgumentError, match="lies outside of the sensor"):
        made(Flicker(region=(0, 0, 49, 3)), 1000)
    with pytest.raises(ArgumentError, match="the sensor's pixels"):
        made(HotPixels(count=PIXELS + 1), 1000)
