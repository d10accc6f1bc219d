"""Noise added to recordings: against numpy's sort of the signal and the noise together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import evstore
from bench.bars import Bar, Settings, worst
from bench.timing import Spread, rounds_of
from evstore.events import Events
from evstore.noise import (
    BackgroundActivity,
    BandwidthLimit,
    Compose,
    EventDrop,
    Flicker,
    HotPixels,
    Leak,
    PixelDrop,
    PolarityFlip,
    RecordedNoise,
    Refractory,
    SpatialJitter,
    TimeJitter,
    TimestampQuantise,
    Transform,
)
from evstore.synth import simulate

ROUNDS = 5
MUST = 5  # times numpy's sort of the merged stream, or FAST
FAST = 50.0  # M events/s of output


class Recording(NamedTuple):
    """What is simulated, and noise that is added to it."""

    resolution: tuple[int, int]
    events_per_s: float
    duration_us: int

    @property
    def name(self) -> str:
        return f"{self.resolution[0]} x {self.resolution[1]}"

    def made(self) -> Events:
        batches = simulate(self.resolution, self.duration_us, events_per_s=self.events_per_s)
        return Events.concatenate(batches)


RECORDINGS = (
    Recording((128, 128), 300_000, 2_000_000),
    Recording((1280, 720), 10_000_000, 500_000),
)
QUICK = (Recording((128, 128), 100_000, 200_000),)


class Case(NamedTuple):
    """Noise, or a change; ``moved_us``: by how much it leaves events out of order."""

    noise: Transform
    moved_us: float = 0


def noises(resolution: tuple[int, int]) -> dict[str, Case]:
    lamp = (0, 0, resolution[0] // 2, resolution[1] // 4)
    background, hot = BackgroundActivity(rate_hz=5), HotPixels(fraction=0.001)
    flicker = Flicker(frequency_hz=100, events_per_cycle=0.5, region=lamp)
    return {
        "background activity of 5 Hz": Case(background),
        "the same in bursts": Case(BackgroundActivity(rate_hz=5, bursts=0.5)),
        "hot pixels, 0.1 %": Case(hot),
        "leak of 1 Hz": Case(Leak(rate_hz=1)),
        "flicker of 100 Hz in an eighth": Case(flicker),
        "hot pixels, background, leak and flicker": Case(
            Compose(hot, background, Leak(rate_hz=1), flicker)
        ),
    }


def recorded(resolution: tuple[int, int], folder: Path) -> dict[str, Case]:
    """Noise from shards of preset fast, of the same sensor and of one of twice as many pixels."""
    paths = []
    for k, size in enumerate((resolution, (resolution[0] * 3 // 2, resolution[1] * 4 // 3))):
        dark = BackgroundActivity(rate_hz=5, seed=1)(Events.empty(size), start=0, stop=1_000_000)
        paths.append(folder / f"dark_{resolution[0]}_{k}.evs")
        evstore.save(paths[-1], dark, preset="fast", overwrite=True)
    same, larger = paths
    return {
        "recorded noise": Case(RecordedNoise(same)),
        "half of the recorded noise": Case(RecordedNoise(same, rate=0.5)),
        "twice the recorded noise": Case(RecordedNoise(same, rate=2)),
        "recorded noise, cropped": Case(RecordedNoise(larger, crop="random")),
    }


def changes(events_per_s: float) -> dict[str, Case]:
    return {
        "times moved by 100 us": Case(TimeJitter(100), 100),
        "times moved by 10 ms": Case(TimeJitter(10_000), 10_000),
        "times in steps of 1 ms": Case(TimestampQuantise(1000)),
        "places moved by 1 pixel": Case(SpatialJitter(1)),
        "polarities flipped, 10 %": Case(PolarityFlip(0.1)),
        "events dropped, 10 %": Case(EventDrop(0.1)),
        "pixels dropped, 10 %": Case(PixelDrop(0.1)),
        "refractory period of 1 ms": Case(Refractory(1000)),
        "bandwidth of half of the events": Case(BandwidthLimit(events_per_s / 2)),
    }


def numpy_sort(noisy: Events, labels: Any, moved_us: float = 0) -> Callable[[], Any]:
    """What is left to do in numpy once the noise is drawn: all of it together, sorted by time."""
    rng = np.random.default_rng(1)
    signal, noise = noisy[labels == 0], noisy[labels > 0]
    noise = noise[rng.permutation(len(noise))]  # numpy draws no sorted times
    pairs = [
        tuple(np.ascontiguousarray(getattr(part, name)) for part in (signal, noise))
        for name in "txyp"
    ]
    if moved_us:
        t, more = pairs[0]
        pairs[0] = t + np.rint(rng.normal(0, moved_us, t.size)).astype(np.int64), more

    def run() -> Any:
        columns = [np.concatenate(pair) for pair in pairs]
        order = np.argsort(columns[0], kind="stable")
        return [column[order] for column in columns]

    return run


def measure(settings: Settings) -> list[Bar]:
    best: dict[str, Spread] = {}
    ratios: dict[str, Spread] = {}
    speeds: dict[str, Spread] = {}
    rounds = settings.rounds if settings.quick else max(settings.rounds, ROUNDS)
    for recording in QUICK if settings.quick else RECORDINGS:
        events, size = recording.made(), recording.resolution
        cases = noises(size) | recorded(size, settings.folder) | changes(recording.events_per_s)
        for name, (noise, moved_us) in cases.items():
            noisy, labels = noise(events, sample="bench", labels=True)
            theirs = numpy_sort(noisy, labels, moved_us)
            assert moved_us or np.array_equal(theirs()[0], noisy.t)
            found = rounds_of(rounds, lambda n=noise, e=events: n(e, sample="bench"), theirs)
            part, millions = f"{recording.name}, {name}", len(noisy) / 1e6
            best[part] = Spread.of(max(b / a / MUST, millions / a / FAST) for a, b in found)
            ratios[part] = Spread.of(b / a for a, b in found)
            speeds[part] = Spread.of(millions / a for a, _ in found)
    note = "the recording and the noise where evstore does worst; one core"
    return [
        Bar(
            f"noise made and added, of {MUST}x numpy's sort or of {FAST:g} M events/s the better",
            *("x", "more", 1, None), worst(best, "more"), best, note,
        ),
        Bar(
            "the same against numpy's sort of signal and noise alone (a change: of what is left)",
            *("x", "more", None, None), worst(ratios, "more"), ratios, note,
        ),
        Bar(
            "the same, M events/s of output",
            *("", "more", None, None), worst(speeds, "more"), speeds, note,
        ),
    ]  # fmt: skip
