"""What `measure` finds of noise that was put into scenes: `python -m bench noise_calibration`, or,
as a table of each scene, `python -m bench.noise_calibration [--quick]`.

Ten seconds in which nothing moves, or a texture does; background of 5 Hz a pixel, hot pixels of 50
to 1000 Hz, and flicker: none, of a lamp, of the whole field, of a lamp that is switched on and off.
All of it is made by `evstore.noise`, so that what is true is known; how it varies is drawn from the
seed of each scene.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from bench.bars import Bar, Settings, bound
from bench.timing import Spread, exact
from evstore import noise
from evstore.events import Events
from evstore.noise import (
    BackgroundActivity,
    Flicker,
    HotPixels,
    Measurement,
    Transform,
    find_hot_pixels,
)
from evstore.synth import simulate

DURATION_US = 10_000_000
BATCH_US = 200_000
STATIC, MOVING = "static", "moving"
NONE, LAMP, FIELD, PWM = "no flicker", "lamp", "whole field", "PWM lamp"
LIGHTS = (NONE, LAMP, FIELD, PWM)
#: Sizes, and lights by seed: the larger the fewer, to end within minutes.
SIZES = {
    (128, 128): (LIGHTS, (LAMP, FIELD)),
    (346, 260): ((NONE, LAMP, FIELD),),
    (640, 480): ((LAMP,),),
}
QUICK_SIZES = {(64, 48): (LIGHTS,)}
RATE_HZ, LOW_HZ, HIGH_HZ = 5.0, 50.0, 1000.0
FREQUENCIES_HZ = (50.0, 60.0, 87.3, 100.0, 120.0)
RECALL, PRECISION = "recall", "precision"
QUICK_RECALL, QUICK_PRECISION = "recall, find_hot_pixels", "precision, find_hot_pixels"
FREQUENCY, BACKGROUND, FALSE = "Hz off", "background off", "false flicker"
SHARES = (RECALL, PRECISION, QUICK_RECALL, QUICK_PRECISION)
WHAT = (*SHARES, FREQUENCY, BACKGROUND, FALSE)
#: What must be reached: shares of hot pixels, Hz of flicker, part of the background's rate.
MUST = {what: {STATIC: 0.99, MOVING: 0.95} for what in SHARES} | {
    FREQUENCY: {STATIC: 0.5, MOVING: 0.5},
    BACKGROUND: {STATIC: 0.05, MOVING: 0.15},
    FALSE: {STATIC: 0.0, MOVING: 0.0},
}
UNTOLD = 1e6
NAMES = "noise measured, "


class Scene(NamedTuple):
    """What is in it; ``seed`` draws the rest."""

    kind: str
    size: tuple[int, int]
    light: str
    seed: int
    duration_us: int = DURATION_US

    def __str__(self) -> str:
        return f"{self.kind}, {self.light}, {self.size[0]}x{self.size[1]}, seed {self.seed}"


class Truth(NamedTuple):
    hot: set[tuple[int, int]]
    frequency_hz: float | None


def scenes(quick: bool) -> Iterator[Scene]:
    for size, seeds in (QUICK_SIZES if quick else SIZES).items():
        for seed, lights in enumerate(seeds):
            for kind in (STATIC, MOVING):
                for light in lights:
                    yield Scene(kind, size, light, seed)


def drawn(scene: Scene) -> np.random.Generator:
    """Its random numbers."""
    text = f"{scene.kind} {scene.light} {scene.size} {scene.seed}"
    return np.random.default_rng(list(text.encode()))


def texture(scene: Scene, rng: np.random.Generator) -> Iterable[Events]:
    """What moves, in batches; of a static scene none."""
    rate = float(rng.choice([2.0, 5.0, 15.0]))  # of each pixel, on the mean
    threshold, share = float(rng.choice([0.15, 0.25, 0.4])), float(rng.choice([0.3, 1.0, 1.0]))
    if scene.kind == STATIC:
        return ()
    pixels = scene.size[0] * scene.size[1]
    return simulate(
        scene.size, scene.duration_us, events_per_s=rate * pixels, noise_hz=0,
        threshold=threshold, moving=share, seed=int(rng.integers(1 << 30)),
    )  # fmt: skip


def flicker(scene: Scene, rng: np.random.Generator) -> Flicker | None:
    """A lamp of a tenth to half of each side, or all that is seen, more weakly."""
    frequency = float(rng.choice(FREQUENCIES_HZ))
    width, height = scene.size
    sides = [max(int(side * rng.uniform(0.1, 0.5)), 8) for side in scene.size]
    left, top = (
        int(rng.integers(side - own + 1)) for side, own in zip(scene.size, sides, strict=True)
    )
    box = (left, top, left + sides[0], top + sides[1])
    several = float(rng.uniform(0.3, 2.0))
    duty = float(rng.uniform(0.2, 0.7))
    seed = int(rng.integers(1 << 30))
    if scene.light == NONE:
        return None
    if scene.light == FIELD:
        few = several * min(0.1, 1e4 / (width * height))  # as many as can be gone through
        return Flicker(frequency, few, seed=seed)
    if scene.light == LAMP:
        return Flicker(frequency, several, region=box, seed=seed)
    return Flicker(frequency, several, waveform="pwm", duty=duty, region=box, seed=seed)


def made(scene: Scene) -> tuple[Iterator[Events], Truth]:
    """Batches of the scene with its noise, and what is true of it."""
    rng = drawn(scene)
    signal = texture(scene, rng)
    light = flicker(scene, rng)
    fraction = float(rng.choice([0.0005, 0.001, 0.003]))
    hot = HotPixels(
        count=max(round(fraction * scene.size[0] * scene.size[1]), 20), low_hz=LOW_HZ,
        high_hz=HIGH_HZ, periodic=bool(rng.integers(2)), cluster=int(rng.integers(1, 3)),
        seed=int(rng.integers(1 << 30)),
    )  # fmt: skip
    background = BackgroundActivity(
        RATE_HZ, float(rng.choice([0.05, 0.1, 0.2])), float(rng.uniform(0.3, 0.7)),
        seed=int(rng.integers(1 << 30)),
    )  # fmt: skip
    where = hot.pixels(scene.size)
    found = {(int(x), int(y)) for x, y in zip(where.x, where.y, strict=True)}
    chain = [hot, background] if light is None else [hot, background, light]
    truth = Truth(found, None if light is None else light.frequency_hz)
    return through(signal, chain, scene), truth


def through(batches: Iterable[Events], chain: list[Transform], scene: Scene) -> Iterator[Events]:
    """One after the other over the whole duration, which the last transform's times are of."""
    for transform in chain:
        batches = _through(batches, transform, scene)
    yield from batches


def _through(batches: Iterable[Events], transform: Transform, scene: Scene) -> Iterator[Events]:
    stream = transform.stream(scene.size, sample=scene.seed, start=0)
    for batch in batches:
        yield from stream.pieces(batch)
    yield from stream.last_pieces(scene.duration_us)


def errors(found: Measurement, hot: set[tuple[int, int]], truth: Truth) -> dict[str, float]:
    """What is missed and wrong; `UNTOLD` where nothing is said of what is there."""
    parts = {}
    rows = zip(found.hot_pixels["x"].tolist(), found.hot_pixels["y"].tolist(), strict=True)
    for recall, precision, own in (
        (RECALL, PRECISION, set(rows)),
        (QUICK_RECALL, QUICK_PRECISION, hot),
    ):
        parts[recall] = len(own & truth.hot) / len(truth.hot)
        parts[precision] = len(own & truth.hot) / max(len(own), 1)
    if truth.frequency_hz is None:
        parts[FALSE] = float(found.flicker is not None)
    elif found.flicker is None:
        parts[FREQUENCY] = UNTOLD
    else:
        parts[FREQUENCY] = abs(found.flicker.frequency_hz - truth.frequency_hz)
    parts[BACKGROUND] = UNTOLD
    if found.background is not None:
        parts[BACKGROUND] = abs(found.background.rate_hz / RATE_HZ - 1)
    return parts


def of_scene(scene: Scene) -> dict[str, float]:
    """Of `measure` and of `find_hot_pixels`, which must find as many."""
    batches, truth = made(scene)
    kept = list(batches)
    found = noise.measure(kept, scene.size)
    quick = find_hot_pixels(kept, scene.size)
    return errors(found, {(int(x), int(y)) for x, y in quick}, truth)


def measure(settings: Settings) -> list[Bar]:
    return bars_of({scene: of_scene(scene) for scene in scenes(settings.quick)})


def bars_of(rows: dict[Scene, dict[str, float]]) -> list[Bar]:
    """A bar of each kind of scene and thing: the worst scene; its parts say all, light by light."""
    bars = []
    for kind in (STATIC, MOVING):
        for what in WHAT:
            parts = {}
            for light in LIGHTS:
                values = [
                    found[what]
                    for scene, found in rows.items()
                    if (scene.kind, scene.light) == (kind, light) and what in found
                ]
                if values:
                    parts[light] = Spread.of(values)
            better = "more" if what in SHARES else "less"
            spreads = list(parts.values())
            if not spreads:
                continue
            worst = min(s.low for s in spreads) if what in SHARES else max(s.high for s in spreads)
            bars.append(
                Bar(f"{NAMES}{kind} scenes: {what}", "", better, MUST[what][kind], None,
                    exact(worst), parts, "the worst scene")
            )  # fmt: skip
    return bars


def errors_table(bars: list[Bar]) -> str:
    """A row of each kind of scene and light: the median scene, and the worst one."""
    lines = [f"| scenes | {' | '.join(WHAT)} |", "|---|" + "---|" * len(WHAT)]
    found = {bar.name.removeprefix(NAMES): bar for bar in bars}
    for kind in (STATIC, MOVING):
        musts = [found.get(f"{kind} scenes: {what}") for what in WHAT]
        cells = ["" if bar is None else bound(bar, bar.must) for bar in musts]
        lines.append(f"| {kind}: must | {' | '.join(cells)} |")
        for light in LIGHTS:
            cells = []
            for bar in musts:
                spread = None if bar is None else bar.parts.get(light)
                cells.append("" if spread is None or bar is None else _both(bar, spread))
            lines.append(f"| {kind}, {light} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _both(bar: Bar, spread: Spread) -> str:
    worst = spread.low if bar.better == "more" else spread.high
    return f"{_text(spread.median)}, {_text(worst)}"


def _text(value: float) -> str:
    return "not told" if value >= UNTOLD else f"{value:.3g}"


def main(argv: list[str]) -> int:
    for scene in scenes("--quick" in argv):
        values = of_scene(scene)
        print(scene, *(f"{name} {_text(value)}" for name, value in values.items()), sep=" | ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
