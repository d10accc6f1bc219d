"""Let every contender keep the same events, check what it gives back, and time it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from evstore.bench import arrays, own, peers
from evstore.bench.contender import Contender
from evstore.bench.measure import once, seconds, summary
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.recording import Recording

CONTENDERS: tuple[type[Contender], ...] = (
    own.Shard,
    arrays.Records,
    arrays.Columns,
    arrays.Archive,
    arrays.ZstdColumns,
    own.Evt3,
    peers.Pcodec,
    peers.ExpelliarmusEvt2,
    peers.ExpelliarmusDat,
    peers.Evt3Package,
    peers.Hdf5,
)
WINDOWS_US = (1_000, 10_000)
WINDOWS = 40
MOST_EVENTS = 5_000_000
ENCODES = 3


def bench(
    recording: Recording,
    *,
    most_events: int = MOST_EVENTS,
    contenders: Sequence[type[Contender]] = CONTENDERS,
    seed: int = 0,
    say: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Sizes and times of a recording's first ``most_events`` events, kept in different ways.

    Every contender's result is compared with the events; one that differs is marked ``wrong``,
    one whose package is not installed ``missing``, one that cannot hold the events ``unable``,
    with why. Times are medians, all files lie in a temporary folder and come from the page
    cache. ``say`` is told the name of each contender as its turn comes.

    Raises ArgumentError where there are no events.
    """
    events = first_events(recording, most_events)
    if not len(events):
        raise ArgumentError(f"{recording.path}: has no events to measure")
    windows = _windows(events, random.Random(seed))
    rows = []
    for contender in contenders:
        say(contender.name)
        with tempfile.TemporaryDirectory(prefix="evstore-bench-") as folder:
            rows.append(_row(contender, folder, events, windows))
    return {
        "path": recording.path,
        "events": len(events),
        "resolution": list(events.resolution) if events.resolution else None,
        "duration_us": int(events.t.max()) + 1 - int(events.t.min()),
        "seed": seed,
        "windows": WINDOWS,
        "contenders": rows,
    }


def first_events(recording: Recording, most: int) -> Events:
    """At most so many events of a recording's beginning, in one piece."""
    parts, count = [], 0
    for batch in recording.batches():
        parts.append(batch[: most - count])
        count += len(parts[-1])
        if count >= most:
            break
    events = Events.concatenate(parts)
    events.resolution = recording.resolution
    return events


def _row(
    contender: type[Contender],
    folder: str,
    events: Events,
    windows: dict[int, list[tuple[int, int]]],
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": contender.name, "status": "ok"}
    if not contender.installed():
        return {**row, "status": "missing", "why": f"pip install {contender.package}"}
    one = contender(folder)
    try:
        one.write(events)  # also compiles and warms up
        times = [once(partial(one.write, events))[0] for _ in range(ENCODES)]
    # Whatever a peer raises, a panic of its runtime too, is its answer and not our end.
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, OSError)):
            raise
        return {**row, "status": "unable", "why": f"{type(error).__name__}: {error}"}
    row["bytes"] = one.size()
    row["bits_per_event"] = 8 * row["bytes"] / len(events)
    row["encode"] = summary(times)
    try:
        one.open()
        row |= _reads(one, events, windows)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return {**row, "status": "wrong", "why": f"{type(error).__name__}: {error}"}
    finally:
        one.close()
    return row


def _reads(
    one: Contender, events: Events, windows: dict[int, list[tuple[int, int]]]
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if one.events_of(one.read()) != events:
        return {"status": "wrong", "why": "gives back other events"}
    row["decode"] = summary(seconds(one.read))
    if one.has_reuse:
        if one.events_of(one.reuse()) != events:
            return {**row, "status": "wrong", "why": "gives back other events into buffers"}
        row["decode_reused"] = summary(seconds(one.reuse))
    if not one.has_windows:
        return row
    row["windows"] = {}
    for length, places in windows.items():
        for start, stop in places[:5]:
            wanted = events[(events.t >= start) & (events.t < stop)]
            if one.events_of(one.window(start, stop)) != wanted:
                return {**row, "status": "wrong", "why": f"a window of {length} us differs"}
        times = [once(partial(one.window, start, stop))[0] for start, stop in places]
        row["windows"][str(length)] = summary(times)
    return row


def _windows(events: Events, chance: random.Random) -> dict[int, list[tuple[int, int]]]:
    """Places of windows that lie within the recording, the same for every contender."""
    low, high = int(np.min(events.t)), int(np.max(events.t)) + 1
    found = {}
    for length in WINDOWS_US:
        if high - low >= length:
            starts = [chance.randrange(low, high - length + 1) for _ in range(WINDOWS)]
            found[length] = [(start, start + length) for start in starts]
    return found
