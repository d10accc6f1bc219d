"""The main job from end to end, on a simulated recording or on one of the user's."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

from evstore.bench import evt, numpy_files, own
from evstore.bench.contender import Contender
from evstore.bench.measure import summary
from evstore.bench.run import EVENTS, bench
from evstore.conversion import Job, Options, convert_one
from evstore.events import Events
from evstore.formats import evt3
from evstore.recording.opening import open as open_recording
from evstore.shard.verify import verify_shard
from evstore.synth import simulate

RESOLUTION = (640, 480)
DURATION_US = 3_000_000
EVENTS_PER_S = 2_000_000
WINDOWS = 100
WINDOW_US = 10_000
CONTENDERS: tuple[type[Contender], ...] = (
    *own.CONTENDERS,
    numpy_files.Records,
    numpy_files.Npy,
    evt.Evt3OfEvstore,
)

Say = Callable[[str, dict[str, Any]], None]


def demo(
    path: str | None = None,
    *,
    duration_us: int = DURATION_US,
    seed: int = 0,
    say: Say = lambda step, facts: None,
    **said: Any,
) -> dict[str, Any]:
    """Convert, verify, read windows, compare; returns what was found, step by step.

    Without a path a sensor of 640x480 is simulated and written as EVT3 first. ``said`` is as for
    `evstore.open`. ``say`` is told each step as it ends. All files lie in a temporary folder
    that is removed. Raises FormatError, ArgumentError, OSError.
    """
    found: dict[str, Any] = {"seed": seed}

    def step(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        started = time.perf_counter()
        facts = work()
        facts.setdefault("seconds", time.perf_counter() - started)
        found[name] = facts
        say(name, facts)
        return facts

    with tempfile.TemporaryDirectory(prefix="evstore-demo-") as folder:
        shard = os.path.join(folder, "demo.evs")
        source = path
        if source is None:
            source = os.path.join(folder, "demo.raw")
            simulated = source
            step("simulated", lambda: _simulate(simulated, duration_us, seed))
        step("converted", lambda: _convert(source, shard, said))
        step("verified", lambda: _verify(shard))
        if found["converted"]["events"]:
            step("windows", lambda: _read_windows(shard, seed))
            step("compared", lambda: _compare(shard, seed))
    return found


def _simulate(path: str, duration_us: int, seed: int) -> dict[str, Any]:
    """A recording as a camera would write it."""
    events = 0
    with open(path, "wb") as stream:
        writer = evt3.writer(stream, RESOLUTION, {})
        for batch in simulate(RESOLUTION, duration_us, events_per_s=EVENTS_PER_S, seed=seed):
            writer.write(batch.t, batch.x, batch.y, batch.p)
            events += len(batch)
        writer.close()
    return {
        "events": events,
        "resolution": list(RESOLUTION),
        "duration_us": duration_us,
        "bytes": os.path.getsize(path),
    }


def _convert(source: str, shard: str, said: dict[str, Any]) -> dict[str, Any]:
    return convert_one(Job(source, shard), Options(**said)).to_json()


def _verify(shard: str) -> dict[str, Any]:
    found = verify_shard(shard)
    return {"events": found.events, "chunks": found.chunks, "bytes": found.bytes}


def _read_windows(shard: str, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    with open_recording(shard) as recording:
        low, high = recording.t_start, max(recording.t_stop - WINDOW_US, recording.t_start)
        recording.between(low, low + WINDOW_US)  # compiles
        times, events = [], 0
        for _ in range(WINDOWS):
            start = chance.randint(low, high)
            began = time.perf_counter()
            window: Events = recording.between(start, start + WINDOW_US)
            times.append(time.perf_counter() - began)
            events += len(window)
    return {"windows": WINDOWS, "window_us": WINDOW_US, "events": events, "read": summary(times)}


def _compare(shard: str, seed: int) -> dict[str, Any]:
    with open_recording(shard) as recording:
        most = min(len(recording), EVENTS)
        return bench(recording, most_events=most, among=CONTENDERS, seed=seed)
