"""Noise added to recordings: against numpy's sort of the signal and the noise together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.bars import Bar, Settings, worst
from bench.timing import Spread, rounds_of
from evstore.events import Events
from evstore.noise import BackgroundActivity, Compose, Flicker, HotPixels, Leak, Transform
from evstore.synth import simulate

ROUNDS = 9
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


def noises(resolution: tuple[int, int]) -> dict[str, Transform]:
    lamp = (0, 0, resolution[0] // 2, resolution[1] // 4)
    background, hot = BackgroundActivity(rate_hz=5), HotPixels(fraction=0.001)
    flicker = Flicker(frequency_hz=100, events_per_cycle=0.5, region=lamp)
    return {
        "background activity of 5 Hz": background,
        "hot pixels, 0.1 %": hot,
        "leak of 1 Hz": Leak(rate_hz=1),
        "flicker of 100 Hz in an eighth": flicker,
        "all of these": Compose(hot, background, Leak(rate_hz=1), flicker),
    }


def numpy_sort(events: Events, noisy: Events, labels: Any) -> Callable[[], Any]:
    """What is left to do in numpy once the noise is drawn: both together, sorted by time."""
    noise = noisy[labels > 0]
    noise = noise[np.random.default_rng(1).permutation(len(noise))]  # numpy draws no sorted times
    pairs = [(getattr(events, name), np.ascontiguousarray(getattr(noise, name))) for name in "txyp"]

    def run() -> Any:
        columns = [np.concatenate(pair) for pair in pairs]
        order = np.argsort(columns[0], kind="stable")
        return [column[order] for column in columns]

    return run


def measure(settings: Settings) -> list[Bar]:
    ratios: dict[str, Spread] = {}
    speeds: dict[str, Spread] = {}
    for recording in QUICK if settings.quick else RECORDINGS:
        events = recording.made()
        for name, noise in noises(recording.resolution).items():
            noisy, labels = noise(events, sample="bench", labels=True)
            theirs = numpy_sort(events, noisy, labels)
            assert np.array_equal(theirs()[0], noisy.t)
            rounds = settings.rounds if settings.quick else max(settings.rounds, ROUNDS)
            found = rounds_of(rounds, lambda n=noise, e=events: n(e, sample="bench"), theirs)
            part = f"{recording.name}, {name}"
            ratios[part] = Spread.of(b / a for a, b in found)
            speeds[part] = Spread.of(len(noisy) / a / 1e6 for a, _ in found)
    note = "the recording and the noise where evstore does worst; one core"
    return [
        Bar(
            "noise made and added, against numpy's sort of both streams alone",
            *("x", "more", MUST, None), worst(ratios, "more"), ratios, note,
        ),
        Bar(
            f"noise added, M events/s of output ({FAST:g} M where not {MUST}x the row above)",
            *("", "more", None, None), worst(speeds, "more"), speeds, note,
        ),
    ]  # fmt: skip
