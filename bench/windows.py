"""Windows of a dense recording through an open handle, against numpy memmaps."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import evstore
from bench.bars import Bar, Settings
from bench.recordings import Recording, recordings
from bench.timing import times_longer
from evstore import Events

DURATIONS_US = (1_000, 10_000)
WINDOWS = 200
SEED = 2

Window = Callable[[int, int], Any]


def aligned_window(path: Path) -> Window:
    """One structured array of 16 bytes an event: a copy is one run of memory."""
    array = np.load(path, mmap_mode="r")
    times = array["t"]

    def window(start: int, stop: int) -> Any:
        low, high = np.searchsorted(times, (start, stop))
        return np.array(array[low:high])

    return window


def columns_window(paths: dict[str, Path]) -> Window:
    """An array a column, as evstore gives them."""
    maps = [np.load(paths[name], mmap_mode="r") for name in "txyp"]

    def window(start: int, stop: int) -> Any:
        low, high = np.searchsorted(maps[0], (start, stop))
        return [np.array(column[low:high]) for column in maps]

    return window


def starts(recording: Recording, duration: int, count: int) -> list[int]:
    times = recording.events.t
    source = random.Random(SEED)
    first, last = int(times[0]), int(times[-1]) - duration
    return [source.randrange(first, last) for _ in range(count)]


def check(ours: Window, theirs: Window, places: list[int], duration: int) -> None:
    """Both give the same events, the first windows compared value by value."""
    for start in places[:20]:
        mine, other = ours(start, start + duration), theirs(start, start + duration)
        other = Events(*other) if isinstance(other, list) else Events.from_structured(other)
        assert mine == other, f"windows at {start} differ"


def measure(settings: Settings) -> list[Bar]:
    recording = next(recordings(settings, ("gen3_vga_a",)))
    peers = {
        "a structured .npy of 16 bytes an event": aligned_window(recording.aligned()),
        "four .npy columns": columns_window(recording.columns()),
    }
    count = 40 if settings.quick else WINDOWS
    bars = []
    with evstore.open(recording.shard()) as rec:
        for duration in DURATIONS_US:
            places = starts(recording, duration, count)

            def all_of(
                window: Window, places: list[int] = places, duration: int = duration
            ) -> None:
                for start in places:
                    window(start, start + duration)

            for peer, window in peers.items():
                check(rec.between, window, places, duration)
                longer = times_longer(
                    settings.rounds,
                    lambda all_of=all_of: all_of(rec.between),
                    lambda all_of=all_of, window=window: all_of(window),
                )
                title = f"time of {duration // 1000} ms windows, against memmap of {peer}"
                bars.append(Bar(title, "x", "less", 2, 1, longer, note=f"{count} random windows"))
    recording.forget()
    return bars
