"""A disk that is full for a while: what is tried again is whole, what is not tried is no file."""

from __future__ import annotations

import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.errors import ArgumentError
from evstore.shard import output, recording_writer, writer
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter
from shards import camera, read_events
from test_shard_write import FullDisk


def full_after(shard: ShardWriter, room: int) -> FullDisk:
    disk = FullDisk(shard.file._file, room)
    shard.file._file = disk  # type: ignore[assignment]
    return disk


def test_a_close_that_failed_is_tried_again_with_the_shard(tmp_path: Path) -> None:
    path, events = tmp_path / "a.evs", camera(200)
    with ShardWriter(path, flush_s=60) as shard:
        first = shard.recording("first")
        first.write(events[:100])
        first.flush()
        disk = full_after(shard, 10)
        with pytest.raises(OSError, match="No space"):
            first.close()
        disk.room = 1 << 40
        first.write(events[100:])  # it is open still
        with shard.recording("second") as second:
            second.write(camera(50))
    assert verify_shard(path).recordings == 2
    with Shard(path) as opened:
        assert {info.id: info.n_events for info in opened.recordings} == {
            "first": 200,
            "second": 50,
        }
    assert read_events(path, "first") == events


def test_a_page_that_failed_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.evs"
    monkeypatch.setattr(recording_writer, "PAGE_CHUNKS", 5)
    page, failures = ShardWriter.page, [True, True]

    def failing(self: ShardWriter, chunks: Any, owner: int) -> int:
        if failures:
            failures.pop()
            raise OSError(errno.ENOSPC, "No space left on device")
        return page(self, chunks, owner)

    monkeypatch.setattr(writer.ShardWriter, "page", failing)
    events = camera(100)
    with ShardWriter(path, flush_s=None, chunk_events=3) as shard:
        out = shard.recording("r")
        at = 0
        while at < len(events):
            with contextlib.suppress(OSError):
                out.write(events[at : at + 7])
            at = out.taken
    assert not failures
    assert read_events(path) == events
    verify_shard(path)


@pytest.mark.parametrize("length", [200_000, 70_000])
def test_taken_says_where_to_go_on(tmp_path: Path, length: int) -> None:
    path, events = tmp_path / "a.evs", camera(length)
    with ShardWriter(path, flush_s=60) as shard:
        out = shard.recording("r")
        disk = full_after(shard, 60_000)
        with pytest.raises(OSError, match="No space"):
            out.write(events)
        assert 0 < out.taken < length
        disk.room = 1 << 40
        out.write(events[out.taken :])
        assert out.taken == length
    assert read_events(path) == events
    verify_shard(path)


def test_what_helpers_encoded_and_could_not_be_written_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with ThreadPoolExecutor(2) as pool:
        shard = ShardWriter(path, flush_s=None, pool=pool)
        out = shard.recording("r")
        disk = full_after(shard, 1000)
        leaf = camera(65_536)
        with pytest.raises(OSError, match="No space"):
            all(out.write(leaf) is None for _ in range(60))
        disk.room = 1 << 40
        with pytest.raises(ArgumentError, match="lacks what could not be written"):
            out.write(camera(65_536))
        with pytest.raises(ArgumentError, match="lacks what could not be written"):
            shard.close()
    assert os.listdir(tmp_path) == ["a.evs.part"]


def test_an_error_of_the_second_thread_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "SYNC_BYTES", 1)
    monkeypatch.setattr(writer, "GATHER", 10_000)
    fsync, failures = os.fsync, [True]

    def failing(handle: int) -> None:
        if failures:
            failures.pop()
            raise OSError(errno.EIO, "Input/output error")
        fsync(handle)

    monkeypatch.setattr(output.os, "fsync", failing)
    shard = ShardWriter(tmp_path / "a.evs", flush_s=None)
    out = shard.recording("r")
    for _ in range(3):
        try:
            out.write(camera(20_000))
        except OSError:
            continue
    with pytest.raises(OSError, match="Input/output error"):
        shard.close()
    assert not failures
    assert os.listdir(tmp_path) == ["a.evs.part"]


def test_flush_reaches_the_file_where_writes_are_gathered(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard:
        out = shard.recording("r")
        out.write(camera(100))
        out.flush()
        assert os.path.getsize(tmp_path / "a.evs.part") > 400


@pytest.mark.skipif(not output.VECTORED, reason="no vectored writes here")
def test_vectored_writes_that_stop_anywhere_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """As the system may: a part of what it was given, ending within a view or between two."""
    rng, writev = np.random.default_rng(seed), os.writev

    def short(handle: int, views: list[memoryview]) -> int:
        limit = int(rng.integers(1, 3000))
        taken, left = [], limit
        for view in views:
            taken.append(view[:left])
            left -= len(taken[-1])
        return writev(handle, [view for view in taken if view])

    monkeypatch.setattr(output.os, "writev", short)
    monkeypatch.setattr(output, "LARGE", 1)
    parts = [bytes(rng.integers(0, 256, int(n), np.uint8)) for n in rng.integers(0, 5000, 40)]
    part = output.PartFile(tmp_path / "a.evs", gather=1000)
    part.append([b"begin"])
    part.append(parts)
    part.append([b"end"])
    part.finish()
    assert (tmp_path / "a.evs").read_bytes() == b"begin" + b"".join(parts) + b"end"
