"""What a second thread gains, relative to what sorting gains from it in the same run."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import evstore
from bench.bars import Bar, Settings
from bench.recordings import recordings
from bench.timing import Spread, rounds_of
from evstore import Events

SORTED = 4_000_000


def sorting(pool: ThreadPoolExecutor, arrays: list[np.ndarray], threads: int) -> None:
    if threads == 1:
        for array in arrays:
            np.sort(array)
    else:
        list(pool.map(np.sort, arrays))


def relative_gain(rounds: int, read: Callable[[int], Any], count: int) -> tuple[Spread, Spread]:
    """Our gain from the second thread over np.sort's; and np.sort's own."""
    source = np.random.default_rng(0)
    arrays = [source.integers(0, 1 << 62, count) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        times = rounds_of(
            rounds,
            lambda: read(1),
            lambda: read(2),
            lambda: sorting(pool, arrays, 1),
            lambda: sorting(pool, arrays, 2),
        )
    relative = Spread.of((one / two) / (a / b) for one, two, a, b in times)
    return relative, Spread.of(a / b for _, _, a, b in times)


#: What must be reached and what is aimed at, of each preset.
BOUNDS = {"fast": (0.85, 0.95), "balanced": (0.9, 1.0)}


def of_preset(settings: Settings, preset: str) -> list[Bar]:
    recording = next(recordings(settings, ("gen3_vga_a",)))
    shard, count = recording.shard(preset), len(recording.events)
    recording.forget()
    buffers = Events.empty(length=count)
    out = {name: getattr(buffers, name) for name in "txyp"}
    sorted_events = min(SORTED, count)
    with evstore.open(shard) as rec:
        given, sort = relative_gain(
            settings.rounds, lambda n: rec.read(0, count, out=out, threads=n), sorted_events
        )
        fresh, _ = relative_gain(
            settings.rounds, lambda n: rec.read(0, count, threads=n), sorted_events
        )
    note = f"{os.cpu_count()} cores; np.sort gains {sort.median:.2f}x"
    return [
        Bar(f"`{preset}`: gain of two threads into given arrays, relative to np.sort's",
            "x", "more", *BOUNDS[preset], given, note=note),
        Bar(f"`{preset}`: gain of two threads into fresh arrays, relative to np.sort's",
            "x", "more", None, None, fresh, note="page faults bound it; for comparison"),
    ]  # fmt: skip


def measure(settings: Settings) -> list[Bar]:
    return [bar for preset in BOUNDS for bar in of_preset(settings, preset)]
