"""What AntiFlicker drops and keeps: `python -m bench noise_flicker`, or, scene by scene,
`python -m bench.noise_flicker [--quick]`.

Four seconds in which a texture moves, background of 1 Hz a pixel, and flicker: of a lamp, of a lamp
that is switched on and off, of the whole field in one phase, of pixels that have phases of their
own. All of it is made by `evstore.noise`, which says of each event what it is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench import noise_calibration as calibration
from bench import noise_peers as peers
from bench.bars import Bar, Settings, number
from bench.timing import Spread
from evstore.events import Events
from evstore.noise import LABELS, AntiFlicker, BackgroundActivity, Compose, Flicker, Transform
from evstore.noise.batch import Batch, Sensor, batch_of
from evstore.noise.key import Key

LAMP, PWM, FIELD, NEAR, OWN, NONE = (
    "lamp", "PWM lamp", "whole field, one phase", "whole field, phases near each other",
    "whole field, a phase of each pixel", "no flicker",
)  # fmt: skip
#: Pixels; with phases of their own fewer, that may fire in each cycle, to end within minutes.
SIZES = {
    LAMP: (346, 260), PWM: (346, 260), FIELD: (346, 260), NEAR: (173, 130), OWN: (173, 130),
    NONE: (346, 260),
}  # fmt: skip
QUICK_SIZE = (48, 40)
SPREADS = {NEAR: 0.08, OWN: 0.25}  # deviation of a pixel's phase, of a cycle
DURATION_US, QUICK_US = 4_000_000, 1_500_000
BACKGROUND_HZ = 1.0
SIGNAL, FLICKER = LABELS["signal"], LABELS["flicker"]
GIVEN, FOUND, THEIRS = "frequency given", "frequency found", "dv_processing BandCutFilter"
OURS = (GIVEN, FOUND)
DROPPED, KEPT, SPEED = "flicker dropped", "signal kept", "M events/s"
WHAT = (DROPPED, KEPT, SPEED)
#: The band that is cut, in parts of the frequency: ON follows ON after a period, OFF after half.
BAND = 0.8, 2.5  # of bands tried the one that drops most
EACH = 32  # of its pixels one is given to them, who take events one by one
NAMES = "AntiFlicker, "


class Scene(NamedTuple):
    """What flickers; ``seed`` draws the rest, the frequency of light but for that."""

    light: str
    frequency_hz: float
    seed: int
    size: tuple[int, int]
    duration_us: int = DURATION_US

    def __str__(self) -> str:
        return f"{self.light}, {self.frequency_hz:g} Hz, seed {self.seed}"


class Shares(NamedTuple):
    """What one filter made of a scene."""

    dropped: float  # of flicker; nan where there is none
    kept: float  # of the signal
    speed: float  # M events/s


def scenes(quick: bool) -> Iterator[Scene]:
    for light, size in SIZES.items():
        if quick:
            yield Scene(light, 100.0, 0, QUICK_SIZE, QUICK_US)
            continue
        times = 2 if light in (LAMP, PWM) else 1  # those of which more is drawn
        for seed, frequency in enumerate(times * calibration.FREQUENCIES_HZ):
            yield Scene(light, frequency, seed, size)


def flicker(scene: Scene, rng: np.random.Generator) -> Flicker | None:
    """A lamp of a sixth to a third of each side; all that is seen, weakly; or once a cycle."""
    frequency, seed = scene.frequency_hz, int(rng.integers(1 << 30))
    sides = [int(side * rng.uniform(1 / 6, 1 / 3)) for side in scene.size]
    left, top = (
        int(rng.integers(side - own + 1)) for side, own in zip(scene.size, sides, strict=True)
    )
    box = (left, top, left + sides[0], top + sides[1])
    several, few = float(rng.uniform(0.3, 2.0)), float(rng.uniform(0.05, 0.25))
    duty = float(rng.uniform(0.2, 0.7))
    if scene.light == NONE:
        return None
    if scene.light == FIELD:
        return Flicker(frequency, few, seed=seed)
    if scene.light in SPREADS:
        return Flicker(frequency, 1.0, phase_spread=SPREADS[scene.light], seed=seed)
    if scene.light == LAMP:
        return Flicker(frequency, several, region=box, seed=seed)
    return Flicker(frequency, several, waveform="pwm", duty=duty, region=box, seed=seed)


def made(scene: Scene) -> tuple[Events, NDArray[np.uint8]]:
    """Its events, and what each of them is."""
    own = calibration.Scene(
        calibration.MOVING, scene.size, scene.light, scene.seed, scene.duration_us
    )
    rng = calibration.drawn(own)
    signal = Events.concatenate(list(calibration.texture(own, rng)))
    light = flicker(scene, rng)
    noises: list[Transform] = [BackgroundActivity(BACKGROUND_HZ, seed=int(rng.integers(1 << 30)))]
    noise = Compose(*noises, *([] if light is None else [light]))
    events, labels = noise(signal, start=0, stop=scene.duration_us, sample=scene.seed, labels=True)
    return events, labels


def shares(before: NDArray[np.uint8], after: NDArray[np.uint8], seconds: float) -> Shares:
    """Of labels before and after a filter."""
    had, has = (np.bincount(labels, minlength=len(LABELS)) for labels in (before, after))
    if not had[FLICKER]:  # all that is there is to be kept
        return Shares(float("nan"), after.size / before.size, before.size / seconds / 1e6)
    dropped = 1 - has[FLICKER] / had[FLICKER]
    return Shares(float(dropped), has[SIGNAL] / had[SIGNAL], before.size / seconds / 1e6)


def ours(batch: Batch, scene: Scene, frequency_hz: float | None) -> Shares:
    """As the filter is called, but that each event keeps its label."""
    started = time.perf_counter()
    stage = AntiFlicker(frequency_hz).begin(Sensor(*scene.size), Key(0, b""), 0)
    out, _ = stage.push(batch, scene.duration_us, True)
    return shares(batch.label, out.label, time.perf_counter() - started)


def theirs(events: Events, labels: NDArray[np.uint8], scene: Scene) -> Shares:
    """They look at each pixel by itself, so that some pixels stand for all."""
    some = np.flatnonzero((events.x.astype(np.int64) + 5 * events.y) % EACH == 0)
    events, labels = events[some], labels[some]
    store = peers.dv_store(events)
    started = time.perf_counter()
    band = peers.dv_band_cut(scene.size, *(part * scene.frequency_hz for part in BAND))
    out = peers.filtered(band, store)
    seconds = time.perf_counter() - started
    found = out.numpy()
    keep = peers.among(events, found["timestamp"], found["x"], found["y"], found["polarity"])
    return shares(labels, labels[keep], seconds)


def of_scene(scene: Scene) -> dict[str, Shares]:
    """Ours, the frequency given and found; and what dv_processing has, where it is installed."""
    events, labels = made(scene)
    batch = batch_of(events)._replace(label=labels)
    found = {GIVEN: ours(batch, scene, scene.frequency_hz), FOUND: ours(batch, scene, None)}
    if find_spec("dv_processing"):
        found[THEIRS] = theirs(events, labels, scene)
    return found


def measure(settings: Settings) -> list[Bar]:
    of_scene(next(scenes(quick=True)))  # compiles
    return bars_of({scene: of_scene(scene) for scene in scenes(settings.quick)})


def bars_of(rows: dict[Scene, dict[str, Shares]]) -> list[Bar]:
    """A bar of each filter and thing: the median scene, the worst and the best; light by light."""
    bars = []
    for who in (*OURS, THEIRS):
        note = f"one core, {len(rows)} scenes"
        if who == THEIRS:
            note += (
                f"; the band of {BAND[0]:g} to {BAND[1]:g} times the frequency; a pixel of {EACH}"
            )
        for what, field in zip(WHAT, Shares._fields, strict=True):
            values = {
                light: [
                    getattr(found[who], field)
                    for scene, found in rows.items()
                    if scene.light == light and who in found
                ]
                for light in SIZES
                if not (what == DROPPED and light == NONE)
            }
            values = {light: some for light, some in values.items() if some}
            if not values:
                continue
            of_all = Spread.of(
                value for light, some in values.items() if light != NONE for value in some
            )
            parts = {light: Spread.of(some) for light, some in values.items()}
            bars.append(Bar(_name(who, what), "", "more", None, None, of_all, parts, note))
    return bars


def _name(who: str, what: str) -> str:
    if who == THEIRS:
        return f"{NAMES}beside it {who}: {what}"
    return f"{NAMES}{who}: {what}"


def shares_table(bars: list[Bar]) -> str:
    """A row of each light: of each filter the median scene, and the worst one."""
    found = {bar.name: bar for bar in bars}
    columns = [(who, what) for who in (*OURS, THEIRS) for what in WHAT if _name(who, what) in found]
    lines = [
        f"| | {' | '.join(f'{who}: {what}' for who, what in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for light in SIZES:
        cells = (_both(found[_name(*column)].parts.get(light)) for column in columns)
        lines.append(f"| {light} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _both(spread: Spread | None) -> str:
    return "" if spread is None else f"{number(spread.median)}, {number(spread.low)}"


def main(argv: list[str]) -> int:
    for scene in scenes("--quick" in argv):
        for who, found in of_scene(scene).items():
            values = (f"{name} {value:.3g}" for name, value in zip(WHAT, found, strict=True))
            print(scene, who, *values, sep=" | ", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
