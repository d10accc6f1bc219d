"""Windows that follow each other or overlap, cut in one pass: what asking for each gives."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import evstore
from evstore.events import Events
from evstore.recording.base import Recording
from evstore.shard.writer import ShardWriter
from streams import MAX_T, MIN_T


def steady(count: int = 4000, seed: int = 4) -> Events:
    random = np.random.default_rng(seed)
    t = np.cumsum(random.integers(0, 9, count))
    x, y = random.integers(0, 64, (2, count))
    return Events(t, x, y, random.integers(0, 2, count), (64, 64))


def stepping_back() -> Events:
    events = steady(seed=5)
    events.t[1500:1600] -= 4000  # far behind windows that would be complete
    events.t[3000:] -= 900
    return events


def at_the_ends() -> Events:
    t = [MIN_T, MIN_T + 3, MIN_T + 3, -1, 0, 5, MAX_T - 4, MAX_T, MAX_T]
    return Events(t, range(9), range(9), [0, 1] * 4 + [0], (64, 64))


@pytest.mark.parametrize("preset", ["fast", "balanced"])
@pytest.mark.parametrize("events", [steady(), stepping_back()], ids=["ordered", "not ordered"])
def test_windows_in_a_row(tmp_path: Path, preset: str, events: Events) -> None:
    path = tmp_path / "a.evs"
    with (
        mock.patch("evstore.shard.reader.BATCH_EVENTS", 900),
        ShardWriter(path, preset=preset, chunk_events=400, flush_s=None) as shard,
        shard.recording("a", resolution=events.resolution) as out,
    ):
        out.write(events)
    with mock.patch("evstore.shard.reader.BATCH_EVENTS", 900), evstore.open(path) as rec:
        for length, step in ((50, 50), (700, 700), (4000, 333), (1, 1), (60_000, 60_000), (9, 20)):
            found = list(rec.windows(length, stride=step, partial=True))
            assert found == list(Recording._windows_by_time(rec, length, step, None, None, True))
        for count, step in ((1, 1), (70, 70), (1000, 90), (4000, 1), (50, 60)):
            found = list(rec.windows(count=count, stride=step, partial=True))
            assert found == list(Recording._windows_by_count(rec, count, step, True))


def test_times_at_the_ends_of_int64(tmp_path: Path) -> None:
    events = at_the_ends()
    evstore.save(tmp_path / "a.evs", events)
    with evstore.open(tmp_path / "a.evs") as rec:
        length = 1 << 62
        found = list(rec.windows(length, partial=True))
        assert [len(window) for window in found] == [3, 1, 2, 3]
        assert Events.concatenate(found) == events


def test_what_is_done_to_a_window_does_not_show_in_the_next(tmp_path: Path) -> None:
    events = steady()
    evstore.save(tmp_path / "a.evs", events)
    with evstore.open(tmp_path / "a.evs") as rec:
        for said in ({"duration": 500, "stride": 100}, {"count": 500, "stride": 100}):
            changed = []
            for window in rec.windows(**said):
                changed.append(Events.concatenate([window]))
                window.t[:] = 0
                window.x += 1
            assert changed == list(rec.windows(**said))
