"""A shard is read while it is written."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import evstore
from command_line import RESOLUTION, some_events
from evstore.errors import ArgumentError, EvstoreError
from evstore.events import Events
from evstore.recording.saving import create, save

EVENTS = some_events(50_000)


def test_a_finished_shard_is_followed_to_its_end(tmp_path: Path, preset: str) -> None:
    save(tmp_path / "a.evs", EVENTS, preset=preset)
    parts = list(evstore.follow(tmp_path / "a.evs"))
    assert Events.concatenate(parts) == EVENTS
    assert len(parts) > 1


def test_a_live_writer_is_followed(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "a.evs"
    seen: list[Events] = []
    arrived = threading.Event()

    def watch() -> None:
        for events in evstore.follow(path, timeout_s=30):
            seen.append(events)
            arrived.set()

    with create(path, resolution=RESOLUTION, preset=preset, flush_s=0.2) as out:
        watcher = threading.Thread(target=watch)
        watcher.start()
        for start in range(0, 50_000, 10_000):
            arrived.clear()
            out.write(EVENTS[start : start + 10_000])
            # Fewer events than a chunk: they come by the clock, well before the recording ends.
            assert arrived.wait(20)
    watcher.join(30)
    assert not watcher.is_alive()
    assert Events.concatenate(seen) == EVENTS
    assert seen[0].resolution == RESOLUTION


def test_one_recording_among_many(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with create(path) as shard:
        first, second = shard.recording("first"), shard.recording("second")
        for start in range(0, 50_000, 5000):
            first.write(EVENTS[start : start + 5000])
            second.write(EVENTS[start : start + 2500])
            shard.flush()
        first.close()
        second.close()
    assert Events.concatenate(evstore.follow(path, "first")) == EVENTS
    assert sum(map(len, evstore.follow(path, "second"))) == 25_000
    with pytest.raises(ArgumentError, match="no recording 'third'"):
        list(evstore.follow(path, "third"))


def test_a_writer_that_is_silent_or_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    out = create(path, resolution=RESOLUTION)
    out.write(EVENTS[:100])
    out.__exit__(RuntimeError, RuntimeError(), None)
    began = time.monotonic()
    assert Events.concatenate(evstore.follow(path, timeout_s=0.3)) == EVENTS[:100]
    assert time.monotonic() - began < 10
    (tmp_path / "empty.evs").write_bytes(b"")
    assert list(evstore.follow(tmp_path / "empty.evs", timeout_s=0.1)) == []
    with pytest.raises(FileNotFoundError):
        next(evstore.follow(tmp_path / "none.evs"))
    (tmp_path / "text.evs").write_text("no shard, but long enough to be one" * 9)
    with pytest.raises(EvstoreError):
        next(evstore.follow(tmp_path / "text.evs"))
