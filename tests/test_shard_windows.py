"""Windows by time, region and polarity are what a mask over all events gives, in file order."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard
from evstore.shard.writer import ShardWriter
from shards import FOREVER, MemorySource, camera
from streams import MAX_T, MIN_T, piece, pieces

Roi = tuple[int, int, int, int]


def brute_force(
    events: Events, start: int, stop: int, roi: Roi | None, polarity: int | None
) -> Events:
    """Every event with start <= t < stop inside the region and of the polarity, one by one."""
    t = [start <= value < stop for value in events.t.tolist()]
    keep: NDArray[np.bool_] = np.array(t, bool)
    if roi is not None:
        x0, y0, x1, y1 = roi
        x, y = events.x.astype(int), events.y.astype(int)
        keep &= (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    if polarity is not None:
        keep &= events.p == polarity
    return events[keep]


def shard_of(
    path: Path, events: Events, preset: str, chunk_events: int, page_chunks: int = 3
) -> bytes:
    """A recording over many short pages, between two others."""
    with (
        mock.patch("evstore.shard.recording_writer.PAGE_CHUNKS", page_chunks),
        mock.patch("evstore.shard.writer.PAGE_CHUNKS", page_chunks),
        ShardWriter(
            path, preset=preset, chunk_events=chunk_events, flush_s=None, overwrite=True
        ) as shard,
    ):
        for id, part in (("before", events[:5]), ("r", events), ("after", events[:7])):
            with shard.recording(id) as out:
                out.write(part)
    return path.read_bytes()


def expect(events: Events, reader: RecordingReader, *window: object) -> None:
    start, stop, roi, polarity = window
    found = reader.between(start, stop, roi, polarity)  # type: ignore[arg-type]
    assert found == brute_force(events, start, stop, roi, polarity)  # type: ignore[arg-type]
    parts = list(reader.select(start, stop, roi, polarity))  # type: ignore[arg-type]
    assert Events.concatenate(parts) == found
    for column in (found.t, found.x, found.y, found.p):
        assert column.flags.c_contiguous


def bounds(events: Events) -> st.SearchStrategy[int]:
    """Times at, just before and just after events, and beyond all of them."""
    near = st.tuples(st.sampled_from(events.t.tolist()), st.integers(-1, 1)).map(sum)
    ends = st.sampled_from([-FOREVER, MIN_T, MIN_T + 1, 0, MAX_T, FOREVER])
    return st.one_of(near, near, ends)


@given(st.data())
@settings(max_examples=70)
def test_windows_are_what_a_mask_gives(
    tmp_path_factory: pytest.TempPathFactory, preset: str, data: st.DataObject
) -> None:
    events = data.draw(pieces(2600))
    chunk_events = data.draw(st.sampled_from([1, 7, 64, 300, 1024, 1025, 3000]))
    if len(events) / chunk_events > 400:
        events = events[: 400 * chunk_events]
    path = tmp_path_factory.mktemp("w") / "a.evs"
    xs, ys = events.x.tolist(), events.y.tolist()
    with Shard(MemorySource(shard_of(path, events, preset, chunk_events))) as shard:
        reader = RecordingReader(shard, shard.find("r"))
        for _ in range(4):
            start, stop = data.draw(bounds(events)), data.draw(bounds(events))
            roi = None
            if data.draw(st.booleans()):
                corner = st.integers(0, 65_536) | st.sampled_from(xs) | st.sampled_from(ys)
                roi = tuple(data.draw(corner) for _ in range(4))
            expect(events, reader, start, stop, roi, data.draw(st.sampled_from([None, 0, 1])))


@given(st.integers(0, 2**32 - 1), st.integers(1, 50))
@example(0, 1)
@settings(max_examples=15)
def test_windows_where_time_steps_back_far(
    tmp_path_factory: pytest.TempPathFactory, preset: str, seed: int, chunk_events: int
) -> None:
    """Whole stretches out of order: a search that took time to be sorted would miss events."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, 1000, 12)
    t = np.concatenate([start + np.cumsum(rng.integers(0, 9, 30)) for start in starts])
    events = Events(t, rng.integers(0, 9, 360), rng.integers(0, 9, 360), rng.integers(0, 2, 360))
    path = tmp_path_factory.mktemp("w") / "a.evs"
    with Shard(MemorySource(shard_of(path, events, preset, chunk_events))) as shard:
        reader = RecordingReader(shard, shard.find("r"))
        for _ in range(12):
            start, length = int(rng.integers(-50, 1400)), int(rng.integers(0, 200))
            expect(events, reader, start, start + length, None, None)


def test_many_events_of_one_time_over_blocks_and_chunks(tmp_path: Path, preset: str) -> None:
    t = np.repeat(np.arange(5) * 10, [2000, 1, 3000, 4000, 999])
    n = t.size
    events = Events(t, np.arange(n) % 600, np.arange(n) % 400, np.arange(n) % 2)
    for chunk_events in (1024, 2048, 16_384):
        with Shard(MemorySource(shard_of(tmp_path / "a", events, preset, chunk_events))) as shard:
            reader = RecordingReader(shard, shard.find("r"))
            for start in range(-1, 43):
                for length in (0, 1, 9, 10, 11, 50):
                    expect(events, reader, start, start + length, None, None)


@pytest.mark.parametrize("kind", ["ends", "up to the end", "any", "around zero"])
def test_windows_at_the_ends_of_time(tmp_path: Path, preset: str, kind: str, seed: int) -> None:
    events = piece(700, kind, "sensor", "any", "any", seed)
    edges = [-FOREVER, MIN_T, MIN_T + 1, -1, 0, 1, MAX_T - 1, MAX_T, FOREVER, 1 << 70, -(1 << 70)]
    for chunk_events in (50, 5000):
        with Shard(MemorySource(shard_of(tmp_path / "a", events, preset, chunk_events))) as shard:
            reader = RecordingReader(shard, shard.find("r"))
            for start in edges:
                for stop in edges:
                    expect(events, reader, start, stop, None, None)
            expect(events, reader, MAX_T - 5, FOREVER, (0, 0, 600, 65_536), 1)


def test_what_lies_outside_is_not_read(tmp_path: Path, preset: str) -> None:
    """By time, by region and by polarity: whole chunks are passed over."""
    n = 40_000
    events = camera(n)
    t = np.arange(n)
    x = np.where(t < n // 2, 10, 600) + events.x % 20
    p = (t // 10_000) % 2
    shard_of(tmp_path / "a", Events(t, x, events.y, p), preset, 1000, 4096)

    class Counting(MemorySource):
        read_bytes = 0

        def read_into(self, offset: int, buffer: memoryview) -> None:
            self.read_bytes += len(buffer)
            super().read_into(offset, buffer)

    source = Counting((tmp_path / "a").read_bytes())
    with Shard(source) as shard:
        reader = RecordingReader(shard, shard.find("r"))

        def cost(*window: object) -> int:
            before = source.read_bytes
            reader.between(*window)  # type: ignore[arg-type]
            return source.read_bytes - before

        reader.between(0, 1)
        everything = cost(0, n)
        assert cost(5_500, 5_900) < everything / 30
        assert cost(n, 2 * n) == 0
        assert cost(0, n, (0, 0, 100, 480)) < everything * 0.6
        assert cost(0, n, (100, 0, 500, 480)) == 0
        assert cost(0, n // 4, None, 1) == 0


def test_windows_that_cannot_be(tmp_path: Path) -> None:
    events = camera(100)
    with Shard(MemorySource(shard_of(tmp_path / "a", events, "fast", 10))) as shard:
        reader = RecordingReader(shard, shard.find("r"))
        assert len(reader.between(50, 50)) == len(reader.between(50, 10)) == 0
        with pytest.raises(ArgumentError, match="polarity must be 0, 1 or None"):
            reader.between(0, 10, polarity=2)
