"""The filter against flicker: what it drops of flicker, and what it keeps of all else."""

from __future__ import annotations

import numpy as np
import pytest

import noise_scenes as scenes
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import AntiFlicker, BackgroundActivity, Compose, Flicker
from evstore.noise.batch import Sensor, batch_of
from evstore.noise.key import Key
from noise_scenes import Part

SIZE = (48, 48)
THREE_S = 3_000_000


def follows(frequency: float, box: scenes.Box, rng: np.random.Generator) -> Part:
    """Pixels that fire once as light rises and once as it falls, each at a phase of its own."""
    y, x = np.mgrid[box[1] : box[3], box[0] : box[2]]
    pixels = (y * SIZE[0] + x).ravel()
    cycles = int(THREE_S / 1e6 * frequency)
    phase = np.repeat(rng.uniform(0.1, 0.4, pixels.size), cycles)
    cycle = np.tile(np.arange(cycles), pixels.size)
    parts = []
    for on in (False, True):
        t = (cycle + phase + 0.5 * on) * 1e6 / frequency + rng.normal(0, 200, cycle.size)
        parts.append(Part(t.astype(np.int64), np.repeat(pixels, cycles), np.full(cycle.size, on)))
    return Part(*map(np.concatenate, zip(*parts, strict=True)))


OWN = Flicker(100, 1, phase_spread=0.25, seed=3)
PWM = Flicker(100, 1.6, waveform="pwm", seed=3)
SEVERAL = Flicker(100, 1.25, seed=3)  # once in most cycles, in some twice at other phases


def lit(lamp: Flicker, size: tuple[int, int]) -> Part:
    """What a lamp makes of the pixels from (0, 0) on."""
    events = lamp(Events.empty(size), start=0, stop=THREE_S, sample=0)
    pixel = events.y.astype(np.int64) * SIZE[0] + events.x
    return Part(events.t, pixel, events.p.astype(bool))


def shares(filter_: AntiFlicker, events: Events, which: np.ndarray) -> list[float]:
    """Of each part of a scene, what the filter keeps."""
    batch = batch_of(events)._replace(label=which.astype(np.uint8))
    stage = filter_.begin(Sensor(*SIZE), Key(0, b""), 0)
    out, _ = stage.push(batch, THREE_S, True)
    kept, all_ = (np.bincount(label, minlength=3) for label in (out.label, batch.label))
    return (kept / np.maximum(all_, 1)).tolist()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("block", [4, 8])
@pytest.mark.parametrize("frequency", [100, 120, 87.3])
def test_drops_flicker_and_keeps_edges(frequency: float, block: int, known: bool) -> None:
    rng = np.random.default_rng(int(frequency))
    events, which = scenes.mixed(
        SIZE,
        scenes.moving(SIZE, THREE_S, 50_000),
        scenes.background(rng, SIZE, THREE_S, 5)[0],
        follows(frequency, (8, 8, 40, 32), rng),
    )
    filter_ = AntiFlicker(frequency if known else None, block=block)
    signal, background, flicker = shares(filter_, events, which)
    assert flicker < 0.25
    assert signal > 0.8
    assert background > 0.8


@pytest.mark.parametrize("frequency", [None, 100])
@pytest.mark.parametrize(
    ("lamp", "kept"),
    [(OWN, 0.85), (PWM, 0.85), (SEVERAL, 0.65)],
    ids=["a phase of each pixel", "bursts", "once or twice"],
)
def test_pixels_that_have_phases_of_their_own(
    lamp: Flicker, kept: float, frequency: float | None
) -> None:
    rng = np.random.default_rng(14)
    events, which = scenes.mixed(
        SIZE,
        scenes.moving(SIZE, THREE_S, 20_000),
        scenes.background(rng, SIZE, THREE_S, 2)[0],
        lit(lamp, (40, 48)),
    )
    signal, background, flicker = shares(AntiFlicker(frequency), events, which)
    assert flicker < 0.08
    assert signal > kept
    assert background > kept


def test_whole_field_and_random_flicker() -> None:
    rng = np.random.default_rng(1)
    events, which = scenes.mixed(
        SIZE,
        scenes.moving(SIZE, THREE_S, 50_000),
        scenes.background(rng, SIZE, THREE_S, 5)[0],
        scenes.flicker(rng, SIZE, THREE_S, 100, a_cycle=2, duty=0.5),
    )
    signal, _, flicker = shares(AntiFlicker(), events, which)
    assert flicker < 0.25
    assert signal > 0.7


@pytest.mark.parametrize("frequency", [None, 50, 100])
def test_without_flicker_nearly_all_passes(frequency: float | None) -> None:
    rng = np.random.default_rng(2)
    events, which = scenes.mixed(
        SIZE,
        scenes.moving(SIZE, THREE_S, 100_000),
        scenes.background(rng, SIZE, THREE_S, 5)[0],
    )
    signal, background, _ = shares(AntiFlicker(frequency), events, which)
    assert signal > 0.99
    assert background > 0.99


@pytest.mark.parametrize("frequency", [None, 100])
def test_batches_do_not_matter(frequency: float | None) -> None:
    rng = np.random.default_rng(3)
    events, _ = scenes.mixed(
        SIZE,
        scenes.background(rng, SIZE, THREE_S, 5)[0],
        follows(100, (0, 0, 24, 24), rng),
    )
    filter_ = AntiFlicker(frequency)
    whole = filter_(events, start=0)
    assert 0.05 * len(events) < len(whole) < 0.6 * len(events)
    stream = filter_.stream(SIZE, start=0)
    parts, at = [], 0
    while at < len(events):
        step = int(rng.choice([0, 1, 100, 5000, 50_000]))
        parts.append(stream.push(events[at : at + step]))
        at += step
    parts.append(stream.end())
    assert Events.concatenate(parts) == whole


@pytest.mark.parametrize("kind", ["follows", "own phases", "bursts"])
def test_plain_python_keeps_the_same(kind: str) -> None:
    from evstore.noise.filters import flicker_kernels as kernels

    rng = np.random.default_rng(4)
    lamps = {"own phases": OWN, "bursts": PWM}
    lamp = follows(100, (0, 0, 8, 8), rng) if kind == "follows" else lit(lamps[kind], (5, 5))
    x, y, p, t = (rng.integers(0, stop, 1000) for stop in (5, 5, 2, THREE_S))
    events, _ = scenes.mixed(SIZE, lamp, Part(t, y * SIZE[0] + x, p.astype(bool)))
    events = events[:6000]
    across, sides = 6, 72
    found = []
    for run in (kernels.pass_comb, naive_comb):
        keep = np.empty(len(events), np.uint8)
        comb = kernels.Comb(
            np.zeros((kernels.WINDOWS + 1) * sides * kernels.PHASES, np.int32),
            np.zeros(sides * kernels.PHASES, np.uint8),
            np.zeros(sides, np.uint8),
            np.ones(sides, np.int64),
            np.full(2 * SIZE[0] * SIZE[1], kernels.NEVER, np.int64),
            np.full(2 * SIZE[0] * SIZE[1], kernels.NEVER, np.int64),
            np.zeros(2 * SIZE[0] * SIZE[1], np.uint8),
            np.zeros(sides * kernels.TIMINGS, np.int32),
            np.zeros(sides, np.uint8),
            np.full(sides, 64, np.int64),
            np.zeros(1, np.int64),
        )
        run(events.t, events.x, events.y, events.p, 0, 1e-4, SIZE[0], 8, across, sides, comb, keep)
        found.append(keep)
    assert 0 < found[0].sum() < len(events)
    assert np.array_equal(*found)


def naive_comb(t, x, y, p, start, frequency, width, block, across, sides, comb, keep):  # type: ignore[no-untyped-def]
    """The same by counting anew for each event, from all those before it."""
    period = int(1 / frequency)
    phases = ((t - start) * frequency * 8).astype(int)
    side = 2 * ((y.astype(int) // block) * across + x // block) + p
    due: dict[tuple[int, int, int], int] = {}
    own = PlainPixels(int(1 / frequency))
    for i in range(len(t)):
        keep[i] = 1
        window = phases[i] // 64
        own.go_to(window)
        counts = np.zeros((3, 8))
        for back in range(3):
            same = (phases // 64 == window - 1 - back) & (side == side[i])
            counts[back] = np.bincount(phases[same] % 8, minlength=8)
        if window == 0:
            continue
        total = counts.sum(0)
        second = np.sort(total)[1]
        locked = counts.min(0) * 3 > 2 * second + 9
        here = locked[phases[i] % 8]
        if not here and total.sum() * 8 < block * block * 24:
            continue
        mean = (total - second)[locked].sum() / (block * block * 24)
        step = int(period / (np.floor(mean + np.sqrt(mean)) + 1))
        where = (int(x[i]), int(y[i]), int(p[i]))
        drop = own.comes_as_before(where, int(side[i]), int(t[i]), here)
        if not own.regular.get(int(side[i]), 0):
            drop = here and due.get(where, -(1 << 62)) - t[i] <= period - step + period // 8
        if drop:
            keep[i] = 0
            due[where] = max(due.get(where, -(1 << 62)), int(t[i])) + step


class PlainPixels:
    """When each pixel fired last, if once a cycle, and how often each side's did otherwise."""

    def __init__(self, period: int) -> None:
        self.period, self.window = period, 0
        self.due: dict[tuple[int, int, int], int] = {}
        self.missed: dict[tuple[int, int, int], int] = {}
        self.timing: dict[int, list[int]] = {}
        self.regular: dict[int, int] = {}

    def go_to(self, window: int) -> None:
        for _ in range(min(window - self.window, 4)):
            for side, counts in self.timing.items():
                hits, elsewhere, more, bursts = counts
                regular = 2 * (elsewhere + more) < hits
                self.regular[side] = regular * (2 if 8 * bursts > hits else 1)
                self.timing[side] = [n - n // 4 for n in counts]
        self.window = window

    def comes_as_before(
        self, where: tuple[int, int, int], side: int, time: int, locked: bool
    ) -> bool:
        timing = self.timing.setdefault(side, [0, 0, 0, 0])
        late = time - self.due.get(where, -(1 << 62))
        if late > 16 * self.period or self.missed[where] >= 2:
            self.due[where], self.missed[where] = time + self.period, 0
            timing[1] += 1 + locked
            return locked
        if late < -(self.period // 2):
            burst = abs(late + self.period) * 12 <= self.period
            timing[3 if burst else 2] += 1 if burst else 1 + locked
            return burst and self.regular.get(side, 0) == 2
        half = self.period // 2
        late = (late + half) % self.period - half
        if abs(late) <= self.period / 12:
            self.due[where], self.missed[where] = time - late // 2 + self.period, 0
            timing[0] += 1
            return True
        self.missed[where] += 1
        timing[1] += 1 + locked
        return False


@pytest.mark.parametrize("rate", [0, 50_000])
def test_what_flickers_later_is_found(rate: float) -> None:
    rng = np.random.default_rng(6)
    lamp = follows(100, (8, 8, 40, 32), rng)
    lamp = lamp._replace(t=lamp.t + 2_500_000)
    end = 2_500_000 + THREE_S
    events, which = scenes.mixed(
        SIZE, scenes.moving(SIZE, end, rate), scenes.background(rng, SIZE, end, 5)[0], lamp
    )
    filter_ = AntiFlicker(learn_us=500_000)
    kept = filter_(events, start=0)
    # It looks again from 3.5 s on, and knows where it flickers 24 cycles after 4 s.
    early, late = (int(np.searchsorted(kept.t, time)) for time in (4_000_000, 4_300_000))
    assert kept[:early] == events[: np.searchsorted(events.t, 4_000_000)]
    share = (which[events.t >= 4_300_000] == 2).mean()
    before, after = (events.t >= 4_300_000).sum(), len(kept) - late
    assert (before - after) / before > 0.95 * share
    stream = filter_.stream(SIZE, start=0)
    cuts = np.sort(rng.integers(0, len(events), 40))
    parts = [stream.push(part) for part in np.split(np.arange(len(events)), cuts) for part in [
        events[int(part[0]) : int(part[-1]) + 1] if part.size else Events.empty(SIZE)]]  # fmt: skip
    assert Events.concatenate([*parts, stream.end()]) == kept


@pytest.mark.parametrize("frequency", [None, 100])
def test_what_is_held_is_filtered_from_the_start_on(frequency: float | None) -> None:
    rng = np.random.default_rng(12)
    events, which = scenes.mixed(
        SIZE,
        scenes.moving(SIZE, THREE_S, 50_000),
        scenes.background(rng, SIZE, THREE_S, 5)[0],
        follows(100, (0, 0, *SIZE), rng),
    )
    signal, background, flicker = shares(AntiFlicker(frequency), events, which)
    assert flicker < 0.05
    assert signal > 0.85
    assert background > 0.85
    early = events.t < 200_000
    kept = AntiFlicker(frequency)(events, start=0)
    assert (kept.t < 200_000).sum() < 0.2 * early.sum()


def test_empty_and_bad() -> None:
    assert len(AntiFlicker()(Events.empty(SIZE))) == 0
    stream = AntiFlicker().stream(SIZE)
    assert len(stream.push(Events.empty())) == 0
    assert len(stream.end()) == 0
    few = Events([5, 6], [1, 2], [3, 4], [1, 0], resolution=SIZE)
    assert AntiFlicker()(few) == few
    for bad in ({"frequency_hz": 0}, {"frequency_hz": 1e9}, {"block": 0}, {"learn_us": 1}):
        with pytest.raises(ArgumentError, match=next(iter(bad))):
            AntiFlicker(**bad)  # type: ignore[arg-type]


def test_gaps_in_time() -> None:
    """Long silences between events, and a time far from 0."""
    t = np.array([0, 10**9, 10**12, 10**12 + 1]) + (1 << 50)
    events = Events(t, [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], resolution=SIZE)
    assert AntiFlicker(100)(events) == events


@pytest.mark.parametrize("frequency", [None, 100])
@pytest.mark.parametrize(("length", "learn"), [(0.3, 1.0), (0.8, 1.0), (2.0, 5.0)])
def test_samples_shorter_than_what_is_learnt_of(
    length: float, learn: float, frequency: float | None
) -> None:
    """As those of datasets: learnt of all that there is, wherever a stream is cut."""
    stop = int(length * 1e6)
    lamp = Compose(Flicker(frequency_hz=100), BackgroundActivity(2), seed=1)
    events = lamp(Events.empty((32, 32)), start=0, stop=stop, sample="short")
    filter = AntiFlicker(frequency, learn_us=int(learn * 1e6))
    found = filter(events, start=0, stop=stop)
    assert len(found) < 0.1 * len(events)
    stream = filter.stream((32, 32), start=0)
    parts = [stream.push(events[at : at + 10_000]) for at in range(0, len(events), 10_000)]
    assert Events.concatenate([*parts, stream.end(stop)]) == found


@pytest.mark.parametrize("frequency", [None, 10])
@pytest.mark.parametrize("more", [0, 10, 500])
def test_at_the_end_of_time(more: int, frequency: float | None) -> None:
    """Where it would be looked for flicker after the last time that there is."""
    start = (1 << 63) + more - 700_000
    t = [start, start + 10, start + 400_001, (1 << 63) - 1]
    events = Events(t, [0] * 4, [0] * 4, [0] * 4, (4, 4))
    filter_ = AntiFlicker(frequency, learn_us=100_000)
    assert filter_(events, start=start, stop=(1 << 63) - 1) == events


def test_no_more_is_held_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a given frequency, too: learnt of as many events, wherever a stream is cut."""
    from evstore.noise.filters import flicker

    monkeypatch.setattr(flicker, "MOST_HELD", 20_000)
    rng = np.random.default_rng(13)
    events, _ = scenes.mixed(SIZE, follows(100, (0, 0, 24, 24), rng))
    assert np.searchsorted(events.t, 320_000) > 30_000
    whole = AntiFlicker(100)(events, start=0)
    assert 0 < len(whole) < 0.5 * len(events)
    for step in (1_000, 19_999, 20_000, 70_000):
        stream = AntiFlicker(100).stream(SIZE, start=0)
        parts = [stream.push(events[at : at + step]) for at in range(0, len(events), step)]
        assert sum(map(len, parts[: 19_999 // step])) == 0
        assert sum(map(len, parts[: -(-21_000 // step)])) > 0
        assert Events.concatenate([*parts, stream.end()]) == whole
