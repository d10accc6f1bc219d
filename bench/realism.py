"""Recordings of real sensors beside simulated ones: `python -m bench realism`, or, as tables,
`python -m bench.realism`.

Each real recording has two simulated ones of its resolution, rate and length: what `simulate`
gives by default, as it was before there were kinds of sensors, and that of its kind, in which as
many pixels see something move as make most of the real one's events.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

import evstore
from bench import realism_stats as stats
from bench.bars import Bar, Settings, number
from bench.recordings import data_folder, replace_resolution
from bench.timing import Spread, exact
from evstore import Events
from evstore.synth import KINDS

#: Real recordings and the kind of their sensor. Of files that hold the same events, one.
RECORDINGS = {
    "gen3_vga_a": ("prophesee/gen3_vga_a_evt2.raw", "gen3"),
    "gen3_vga_b": ("prophesee/gen3_vga_b_evt2.raw", "gen3"),
    "evt3_packets": ("ros/evt3_packets.bag", "gen3"),
    "gen41_hd_burst": ("prophesee/gen41_hd_burst_evt3.raw", "gen41"),
    "evk4_hd": ("prophesee/evk4_hd_evt3.raw", "gen41"),
    "evt3_triggers": ("ros/evt3_triggers.db3", "gen41"),
    "dvxplorer": ("inivation/dvxplorer_lz4.aedat4", "dvxplorer"),
    "davis346": ("inivation/davis346_lz4.aedat4", "davis"),
    "davis240_boxes": ("inivation/davis240_boxes.aedat2.aedat", "davis"),
    "rpg_boxes_rotation": ("text/rpg_boxes_rotation.txt", "davis"),
    "rpg_shapes_rotation": ("text/rpg_shapes_rotation.txt", "davis"),
    "dvs128_stripes": ("mat/dvs128_stripes.mat", "davis"),
    "atis_td_em": ("mat/atis_td_em.mat", "davis"),
    "ncaltech101": ("atis/ncaltech101_faces_easy_0001.bin", "davis"),
    "nmnist": ("atis/nmnist_sample.bin", "davis"),
}
QUICK = ("dvxplorer", "nmnist")
MOST_EVENTS = 500_000  # of a recording, its first ones
MOST_OF_THEM = 0.9  # are made by the pixels that see something move
REAL, BEFORE, NOW = "real", "before", "now"
SEED = 1
TEXTURE = 0.4  # of the scenes, all alike


class Trio(NamedTuple):
    """A real recording and both that were simulated."""

    real: Events
    before: Events
    now: Events


def real(path: str) -> Events:
    folder = data_folder()
    assert folder is not None
    parts, count = [], 0
    with evstore.open(folder / path) as rec:
        for batch in rec.batches():
            parts.append(batch)
            count += len(batch)
            if count >= MOST_EVENTS:
                break
        events = Events.concatenate(parts)[:MOST_EVENTS]
        return replace_resolution(events, rec.resolution)


def share_that_moves(events: Events) -> float:
    """In how much of the sensor something moves, going by how often each pixel fires.

    As few pixels as make most of the events; or, where pixels have fired too seldom for that, as
    many as would have fired as often again as they did, had all fired alike and at random.
    """
    assert events.resolution is not None
    width, height = events.resolution
    counts = np.bincount(events.y.astype(np.int64) * width + events.x, minlength=width * height)
    counts[::-1].sort()
    enough = int(np.searchsorted(np.cumsum(counts), MOST_OF_THEM * len(events))) + 1
    again = float((counts * (counts - 1.0)).sum())
    alike = len(events) ** 2 / again if again else counts.size
    return min(max(enough, alike) / counts.size, 1)


def trio(path: str, kind: str) -> Trio:
    events = real(path)
    assert events.resolution is not None
    duration = int(events.t[-1] - events.t[0]) + 1
    rate = len(events) / duration * 1e6
    pixels = events.resolution[0] * events.resolution[1]
    options: dict[str, Any] = {
        "events_per_s": rate,
        "noise_hz": min(0.1, 0.1 * rate / pixels),
        "seed": SEED,
    }
    return Trio(
        events,
        simulated(events.resolution, duration, options),
        simulated(events.resolution, duration, {**options, **of_kind(kind, rate, events)}),
    )


def of_kind(kind: str, rate: float, events: Events) -> dict[str, Any]:
    """What `simulate` takes: at so small a place as it can fire at this rate at."""
    assert events.resolution is not None
    options = dict(KINDS[kind])
    pixels = events.resolution[0] * events.resolution[1]
    fastest = max(options["refractory_us"] / 1e5, options["jitter_us"] / 5e4)
    moving = max(share_that_moves(events), 1.01 * rate * fastest / pixels)
    return {**options, "moving": min(moving, 1), "texture": TEXTURE}


def simulated(size: tuple[int, int], duration: int, options: Mapping[str, Any]) -> Events:
    return Events.concatenate(evstore.simulate(size, duration, **options))


def compared(name: str, found: Trio) -> Bar:
    """A bar whose parts are all numbers, and the distances; it is the median of these."""
    parts: dict[str, Spread] = {}
    seen = {who: stats.samples(events) for who, events in found._asdict().items()}
    for who, events in found._asdict().items():
        for key, value in stats.numbers(events, seen[who]).items():
            parts[f"{who}|{key}"] = exact(value)
    distances = []
    for key in seen[REAL]:
        for who in (BEFORE, NOW):
            distance = stats.distance(seen[REAL][key], seen[who][key])
            if distance is not None:
                parts[f"distance {who}|{key}"] = exact(distance)
                distances += [distance] if who == NOW else []
    return Bar(
        f"simulated against real, distance: {name}",
        *("", "less", None, None, Spread.of(distances), parts),
    )


def measure(settings: Settings) -> list[Bar]:
    if data_folder() is None:
        return []
    names = QUICK if settings.quick else RECORDINGS
    return [compared(name, trio(*RECORDINGS[name])) for name in names]


#: Columns of the table of numbers: a title, and which numbers stand in a cell.
COLUMNS = (
    ("events/s", ("events/s",)),
    (
        "of one time: mean, median, p90, p99",
        tuple(f"{stats.SAME_TIME}: {key}" for key in ("mean", "p50", "p90", "p99")),
    ),
    (
        "of one row: mean, p90, share after one of its row",
        tuple(f"{stats.SAME_ROW}: {key}" for key in ("mean", "p90", "share")),
    ),
    (
        "us between: 0, 1, 2-10, >10",
        tuple(f"{stats.BETWEEN}: {key}" for key in ("0", "1", "2-10", ">10")),
    ),
    (
        "us between a pixel's: p10, median, p90",
        tuple(f"{stats.OF_PIXEL}: {key}" for key in ("p10", "p50", "p90")),
    ),
    (
        "step in x in a row: p10, median, p90",
        tuple(f"{stats.STEP_X}: {key}" for key in ("p10", "p50", "p90")),
    ),
    ("ON", ("ON",)),
    ("bits: fast, balanced", tuple(f"bits an event: {key}" for key in stats.PRESETS)),
)
STATISTICS = (
    *(stats.SAME_TIME, stats.SAME_ROW, stats.BETWEEN, stats.OF_PIXEL),
    *(stats.STEP_X, stats.STEP_Y, stats.POLARITY),
)


def numbers_table(bars: list[Bar]) -> str:
    """Three rows a recording: real, and simulated before and now."""
    lines = [
        f"| recording | | {' | '.join(title for title, _ in COLUMNS)} |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for bar in bars:
        for who in (REAL, BEFORE, NOW):
            cells = (", ".join(_number(bar, f"{who}|{key}") for key in keys) for _, keys in COLUMNS)
            lines.append(f"| {_short(bar) if who == REAL else ''} | {who} | {' | '.join(cells)} |")
    return "\n".join(lines)


def distances_table(bars: list[Bar]) -> str:
    """A row a recording: how far off what was simulated is, before and now."""
    lines = [f"| recording | {' | '.join(STATISTICS)} |", "|---|" + "---|" * len(STATISTICS)]
    for bar in bars:
        cells = (
            " to ".join(_number(bar, f"distance {who}|{key}") for who in (BEFORE, NOW))
            for key in STATISTICS
        )
        lines.append(f"| {_short(bar)} | {' | '.join(cells)} |")
    medians = []
    for key in STATISTICS:
        pairs = []
        for who in (BEFORE, NOW):
            name = f"distance {who}|{key}"
            found = [bar.parts[name].median for bar in bars if name in bar.parts]
            pairs.append(f"{np.median(found):.2f}" if found else "-")
        medians.append(" to ".join(pairs))
    return "\n".join([*lines, f"| median | {' | '.join(medians)} |"])


def _short(bar: Bar) -> str:
    return bar.name.rsplit(" ", 1)[1]


def _number(bar: Bar, name: str) -> str:
    if name not in bar.parts:
        return "-"
    value = bar.parts[name].median
    return f"-{number(-value)}" if value < 0 else number(value)


def main() -> int:
    from bench.__main__ import FULL, QUICK, scratch

    quick = "--quick" in sys.argv
    bars = measure(Settings(*(QUICK if quick else FULL), quick, scratch()))
    print(numbers_table(bars))
    print()
    print(distances_table(bars))
    return 0


if __name__ == "__main__":
    sys.exit(main())
