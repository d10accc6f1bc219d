"""Measured noise made again, against real recordings: `python -m bench noise_reality`, or, as a
table and of any files, `python -m bench.noise_reality [FILE ...]`.

The first half of a recording is measured, what `Measurement.parameters` says is added to nothing
(as `evstore noise measure` and `evstore noise add` do), and that is compared with the second half:
of pixels that nothing moved around, the rates and the times between events, by the statistic of
Kolmogorov and Smirnov (the largest distance of two distributions: 0 equal, 1 apart).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import evstore
from bench.bars import Bar, Settings, number
from bench.realism_stats import distance
from bench.recordings import data_folder
from bench.timing import Spread, exact
from evstore import Events, noise
from evstore.errors import EvstoreError
from evstore.noise import LABELS, BackgroundActivity, Compose
from evstore.noise.measuring.measure import measured_still

FILES = (
    "made/vga_outdoor_evt3.raw", "prophesee/evk4_hd.dat", "ros/evt3_triggers.db3",
    "inivation/dvxplorer_lz4.aedat4", "inivation/davis346_lz4.aedat4",
    "inivation/davis240_boxes.aedat2.aedat", "mat/dvs128_stripes.mat", "mat/atis_td_em.mat",
)  # fmt: skip
QUICK = ("inivation/dvxplorer_lz4.aedat4",)
#: A pixel is still if it was quiet around it for that part of the time in which it would be with
#: noise alone, in both halves, and it is not hot in the first. Nothing of that looks at what the
#: pixel itself does in the second half.
STILL = 0.97
LEAST_PIXELS, LEAST_INTERVALS = 500, 300  # in each half, for a comparison to say something
SEEDS = (1, 2, 3)
#: v2e's noise has a spread of 0.1 decades (its noise_rate_cov_decades), as `BackgroundActivity`.
FIRST, EVSTORE, V2E, POISSON = "the first half itself", "evstore", "v2e's model", "Poisson"
WHO = (FIRST, EVSTORE, V2E, POISSON)
RATES, FIRED, BETWEEN = "rates", "of pixels that fired", "times between"
WHAT = (RATES, FIRED, BETWEEN)
PIXELS, BEFORE, AFTER, TIMES = "still pixels", "Hz before", "Hz after", "intervals"
NAMES = "noise made again against real, distance: "

Integers = NDArray[np.int64]


class Seen(NamedTuple):
    """What still pixels did: how often each fired, and the times between, in microseconds."""

    counts: Integers
    intervals: Integers


def seen(events: Events, width: int, still: NDArray[np.bool_]) -> Seen:
    pixel = events.y.astype(np.int64) * width + events.x
    own = still[pixel]
    place = (np.cumsum(still) - 1)[pixel[own]]
    order = np.argsort(place, kind="stable")
    gaps = np.diff(events.t[own][order])[np.diff(place[order]) == 0]
    return Seen(np.bincount(place, minlength=int(still.sum())), gaps)


def made_again(first: Events, resolution: tuple[int, int], rate_hz: float) -> dict[str, Any]:
    """Transforms by model: of what the first half is measured as, and of its still pixels' rate."""
    parameters = noise.measure(first, resolution).parameters()
    return {
        EVSTORE: [getattr(noise, name)(**given) for name, given in parameters.items()],
        V2E: [BackgroundActivity(rate_hz=rate_hz)],
        POISSON: [BackgroundActivity(rate_hz=rate_hz, spread_decades=0)],
    }


def added(transforms: Any, seed: int, resolution: tuple[int, int], span: tuple[int, int]) -> Events:
    """Noise alone, without that of hot pixels: none of the pixels that are looked at is one."""
    made, labels = Compose(*transforms, seed=seed)(
        Events.empty(resolution), start=span[0], stop=span[1], sample="again", labels=True
    )
    found: Events = made[labels != LABELS["hot_pixel"]]
    return found


def compared(name: str, events: Events, resolution: tuple[int, int]) -> Bar:
    """The distances; where the recording does not allow it, how little of it there is."""
    middle = (int(events.t[0]) + int(events.t[-1])) // 2
    cut = int(np.searchsorted(events.t, middle))
    halves = events[:cut], events[cut:]
    still = measured_still(halves[0], resolution, STILL)
    still &= measured_still(halves[1], resolution, STILL, hot=True)
    first, second = (seen(half, resolution[0], still) for half in halves)
    seconds = [(int(half.t[-1]) - int(half.t[0]) + 1) / 1e6 for half in halves]
    least = min(first.intervals.size, second.intervals.size)
    parts = {PIXELS: exact(float(still.sum())), TIMES: exact(float(least))}
    if still.sum() < LEAST_PIXELS or least < LEAST_INTERVALS:
        return Bar(NAMES + name, "", "less", None, None, exact(1.0), parts, "too little of it")
    parts[BEFORE] = exact(first.counts.sum() / still.sum() / seconds[0])
    parts[AFTER] = exact(second.counts.sum() / still.sum() / seconds[1])
    span = middle, int(events.t[-1]) + 1
    found: dict[str, list[Seen]] = {FIRST: [first]}
    for who, transforms in made_again(halves[0], resolution, parts[BEFORE].median).items():
        found[who] = [
            seen(added(transforms, seed, resolution, span), resolution[0], still) for seed in SEEDS
        ]
    for who, several in found.items():
        for what in WHAT:
            far = [_distance(what, one, second) for one in several]
            parts[f"{who}|{what}"] = Spread.of(far)
    over = Spread.of(parts[f"{EVSTORE}|{what}"].median for what in WHAT)
    return Bar(NAMES + name, "", "less", None, None, over, parts)


def _distance(what: str, one: Seen, other: Seen) -> float:
    if what == BETWEEN:
        far = distance(one.intervals, other.intervals)
    elif what == FIRED:
        far = distance(one.counts[one.counts > 0], other.counts[other.counts > 0])
    else:
        far = distance(one.counts, other.counts)
    return 1.0 if far is None else far  # too few to compare: nothing like the real one


def measure(settings: Settings) -> list[Bar]:
    folder = data_folder()
    if folder is None:
        return []
    return [of_file(folder / name) for name in (QUICK if settings.quick else FILES)]


def of_file(path: Path) -> Bar:
    with evstore.open(path) as recording:
        events = Events.concatenate(recording.batches())
        resolution = recording.resolution
    assert resolution is not None
    return compared(path.name.split(".")[0], events, resolution)


def distances_table(bars: list[Bar]) -> str:
    """A row a recording and model; recordings that do not allow it last, and why."""
    lines = [f"| recording | | {' | '.join(WHAT)} |", "|---|---|" + "---|" * len(WHAT)]
    for bar in bars:
        name = bar.name.removeprefix(NAMES)
        if bar.note:
            continue
        about = (
            f"{name}: {number(bar.parts[PIXELS].median)} still pixels, "
            f"{_hz(bar.parts[BEFORE].median)} Hz, then {_hz(bar.parts[AFTER].median)} Hz"
        )
        for who in WHO:
            far = " | ".join(f"{bar.parts[f'{who}|{what}'].median:.3f}" for what in WHAT)
            lines.append(f"| {about if who == FIRST else ''} | {who} | {far} |")
    for bar in bars:
        if bar.note:
            few = (
                f"{number(bar.parts[PIXELS].median)} still pixels, "
                f"{number(bar.parts[TIMES].median)} times between"
            )
            lines.append(f"| {bar.name.removeprefix(NAMES)}: {few} | too few | | | |")
    return "\n".join(lines)


def _hz(value: float) -> str:
    return f"{value:.3g}"


def main(argv: list[str]) -> int:
    folder = data_folder()
    paths = [Path(given) for given in argv]
    if not paths and folder is not None:
        paths = [folder / name for name in FILES]
    if not paths:
        print("no real recordings (EVSTORE_TEST_DATA), and none given")
        return 1
    bars = []
    for path in paths:
        try:
            bars.append(of_file(path))
        except EvstoreError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
    print(distances_table(bars))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
