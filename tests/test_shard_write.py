"""Writing shards: whole or not at all, never over another, alive, killed, on a full disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT
from evstore.errors import ArgumentError, TruncatedError
from evstore.events import Events
from evstore.shard import output
from evstore.shard.chunks import parse_chunk
from evstore.shard.layout import CHUNK
from evstore.shard.recover import recover_shard
from evstore.shard.scan import scan
from evstore.shard.shard import Shard
from evstore.shard.source import FileSource
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter
from shards import camera, read_events


def no_threads_left() -> bool:
    """Whether every thread of a writer ends, soon even where other tests keep the cores busy."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(thread.name.startswith("evstore") for thread in threading.enumerate()):
            return True
        time.sleep(0.01)
    return False


def flushed(path: Path) -> int:
    """Events in whole chunks of a file that is being written."""
    source = FileSource(path)
    try:
        return sum(parse_chunk(r)[0].count for r in scan(source) if r.kind == CHUNK)
    finally:
        source.close()


def flushed_all(path: Path, total: int) -> bool:
    return flushed(path) == total


def wait_for(what: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# ------------------------------------------------------------------------ whole or not at all


def test_the_name_appears_only_when_all_is_written(tmp_path: Path) -> None:
    path, part = tmp_path / "a.evs", tmp_path / "a.evs.part"
    with ShardWriter(path) as shard:
        with shard.recording("r") as out:
            out.write(camera(20_000))
            assert part.exists()
            assert not path.exists()
        assert not path.exists()
    assert path.exists()
    assert not part.exists()
    assert no_threads_left()


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    path.write_bytes(b"precious")
    with pytest.raises(ArgumentError, match="exists already; pass overwrite"):
        ShardWriter(path)
    assert os.listdir(tmp_path) == ["a.evs"]
    with pytest.raises(ArgumentError, match="is a folder"):
        ShardWriter(tmp_path)
    with ShardWriter(path, overwrite=True) as shard:
        shard.recording("r").write(camera(5))
        assert path.read_bytes() == b"precious"
    assert read_events(path) == camera(5)


def test_a_file_that_appeared_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    shard = ShardWriter(path)
    shard.recording("r").write(camera(5))
    path.write_bytes(b"precious")
    with pytest.raises(ArgumentError, match="exists already"):
        shard.close()
    assert path.read_bytes() == b"precious"
    assert recover_shard(tmp_path / "a.evs.part", tmp_path / "b.evs").events == 5
    assert no_threads_left()


def test_an_error_keeps_the_part_and_says_where(tmp_path: Path) -> None:
    path, part = tmp_path / "a.evs", tmp_path / "a.evs.part"

    def write() -> None:
        with ShardWriter(path) as shard, shard.recording("r") as out:
            out.write(camera(20_000))
            raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="camera unplugged") as caught:
        write()
    if sys.version_info >= (3, 11):
        assert any(str(part) in note for note in caught.value.__notes__)
    assert not path.exists()
    report = recover_shard(part, path)  # whose own part would have had that name
    assert (report.events, report.unfinished) == (20_000, ["r"])
    assert sorted(os.listdir(tmp_path)) == ["a.evs", "a.evs.part"]
    assert read_events(path) == camera(20_000)
    assert no_threads_left()


def test_what_a_killed_writer_left_is_not_overwritten_unasked(tmp_path: Path) -> None:
    part = tmp_path / "a.evs.part"
    part.write_bytes(b"the only copy")
    with pytest.raises(ArgumentError, match="`evstore recover` saves what it holds"):
        ShardWriter(tmp_path / "a.evs")
    assert part.read_bytes() == b"the only copy"
    ShardWriter(tmp_path / "a.evs", overwrite=True).close()
    assert os.listdir(tmp_path) == ["a.evs"]


def test_abort_removes_the_part(tmp_path: Path) -> None:
    shard = ShardWriter(tmp_path / "a.evs")
    shard.recording("r").write(camera(20_000))
    shard.abort()
    shard.abort()
    assert os.listdir(tmp_path) == []
    for late in (lambda: shard.recording("s"), lambda: shard.append([b""])):
        with pytest.raises(ArgumentError, match="the shard is closed"):
            late()
    assert no_threads_left()


def test_wrong_arguments_leave_nothing(tmp_path: Path) -> None:
    for wrong in ({"preset": "fats"}, {"chunk_events": 0}, {"chunk_events": 65_537}):
        with pytest.raises(ArgumentError):
            ShardWriter(tmp_path / "a.evs", **wrong)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


# ------------------------------------------------------------------------------- full disks


class FullDisk:
    """A file that takes ``room`` bytes, a few at a time, and then no more."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, view: memoryview) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        wrote: int = self.file.write(view[: min(len(view), 1000, self.room)])
        self.room -= wrote
        return wrote

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def test_short_writes_are_continued(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with ShardWriter(path, flush_s=None) as shard:
        shard.file._file = FullDisk(shard.file._file, 1 << 40)  # type: ignore[assignment]
        with shard.recording("r") as out:
            out.write(camera(50_000))
    assert read_events(path) == camera(50_000)
    verify_shard(path)


@pytest.mark.parametrize("room", [0, 5, 300, 40_000, 100_000])
def test_a_full_disk_is_an_error_that_keeps_whole_chunks(tmp_path: Path, room: int) -> None:
    path = tmp_path / "a.evs"
    events = camera(100_000)

    def write() -> None:
        with ShardWriter(path, flush_s=0.05) as shard:
            shard.file._file = FullDisk(shard.file._file, room)  # type: ignore[assignment]
            with shard.recording("r") as out:
                for start in range(0, len(events), 10_000):
                    out.write(events[start : start + 10_000])

    with pytest.raises(OSError, match="No space left") as caught:
        write()
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == ["a.evs.part"]
    report = recover_shard(tmp_path / "a.evs.part", path)
    if report.recordings:
        saved = read_events(path)
        assert saved == events[: len(saved)]
        assert len(saved) == report.events
    verify_shard(path)
    assert no_threads_left()


def test_writing_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    """What failed left no torn record behind, and the flushing thread lived on."""
    path = tmp_path / "a.evs"
    with ShardWriter(path, flush_s=0.02) as shard:
        out = shard.recording("r")
        disk = FullDisk(shard.file._file, 20)
        shard.file._file = disk  # type: ignore[assignment]
        out.write(camera(3000))
        time.sleep(0.1)  # flushes fail meanwhile
        assert flushed(tmp_path / "a.evs.part") == 0
        disk.room = 1 << 40
        assert wait_for(partial(flushed_all, tmp_path / "a.evs.part", 3000), 2)
    assert read_events(path) == camera(3000)
    verify_shard(path)


def test_an_error_at_the_very_end_keeps_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(output.os, "fsync", full)
        with (
            pytest.raises(OSError, match="No space left"),
            ShardWriter(tmp_path / "a.evs") as shard,
        ):
            shard.recording("r").write(camera(5))
    assert os.listdir(tmp_path) == ["a.evs.part"]
    assert no_threads_left()


# ------------------------------------------------------------------------------------ alive


def test_events_are_in_the_file_within_a_second(tmp_path: Path) -> None:
    path, part = tmp_path / "a.evs", tmp_path / "a.evs.part"
    with ShardWriter(path) as shard:
        writers = [shard.recording("a"), shard.recording("b")]
        for total in (60, 120):
            for writer in writers:
                writer.write(camera(30))
            assert wait_for(partial(flushed_all, part, total), 1.2)
            with pytest.raises(TruncatedError) as caught:
                Shard(part)
            assert caught.value.safe_events == total
    verify_shard(path)


def test_threads_write_recordings_of_one_shard(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with ShardWriter(path, flush_s=0.01, chunk_events=500) as shard:

        def work(k: int) -> None:
            with shard.recording(f"r{k}") as out:
                for start in range(0, 20_000, 333):
                    out.write(camera(20_000, k)[start : start + 333])
                    out.trigger(start)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    verify_shard(path)
    for k in range(4):
        assert read_events(path, f"r{k}") == camera(20_000, k)


LIVE = """
import sys, time
import numpy as np
from evstore.events import Events
from evstore.shard.writer import ShardWriter

def events(first, n):
    t = np.arange(first, first + n)
    return Events(t * 1000, t % 640, t % 480, t % 2)

with ShardWriter(sys.argv[1]) as shard:
    out = shard.recording("live", resolution=(640, 480))
    out.write(events(0, 10))
    out.flush()
    print("ready", flush=True)
    n = 10
    begin = time.monotonic()
    while True:
        time.sleep(0.01)
        due = 10 + int((time.monotonic() - begin) * 1000)
        out.write(events(n, due - n))
        n = due
        print(n, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_live_writer_loses_at_most_its_last_second(tmp_path: Path) -> None:
    """1,000 events a second, killed after about 1.7 s: at most 1,000 of them are lost."""
    path, part = tmp_path / "live.evs", tmp_path / "live.evs.part"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    time.sleep(1.7)
    writer.send_signal(signal.SIGKILL)
    lines = writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    written = int(lines[-1])
    assert written > 1000
    assert not path.exists()
    report = recover_shard(part, path)
    assert report.unfinished == ["live"]
    assert written - 1000 <= report.events
    saved = read_events(path)
    assert len(saved) == report.events
    assert np.array_equal(saved.t, np.arange(report.events) * 1000)
    assert saved == Events(
        saved.t, saved.t // 1000 % 640, saved.t // 1000 % 480, saved.t // 1000 % 2
    )
