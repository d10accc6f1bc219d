"""Helpers of a writer: what they write is what one thread would have, whatever goes wrong."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard import recording_writer
from evstore.shard.recording_writer import RecordingWriter
from evstore.shard.turns import Turns
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter
from shards import camera, read_events
from test_shard_retries import full_after


def written(path: Path, parts: list[Events], pool: Any, step: int, preset: str = "fast") -> bytes:
    with ShardWriter(path, preset=preset, flush_s=None, pool=pool, chunk_events=step) as shard:
        out = shard.recording("r")
        taken = [0, *accumulate(map(len, parts))]
        for k, events in enumerate(parts):
            assert out.taken == taken[k]
            out.write(events)
        assert out.taken == taken[-1]
    verify_shard(path)
    return path.read_bytes()


@pytest.mark.parametrize("helpers", [1, 3])
@pytest.mark.parametrize("step", [16_384, 10_000])
def test_helpers_write_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, helpers: int, step: int, seed: int
) -> None:
    """However long each takes, and however the events come."""
    rng = np.random.default_rng(seed)
    whole = camera(900_000)
    cuts = [0, *sorted(rng.integers(0, 900_000, 3).tolist()), 900_000]
    parts = [whole[a:b] for a, b in pairwise(cuts)]
    alone = written(tmp_path / "a.evs", [whole], None, step, preset)
    quick = recording_writer.encode

    def slow(*args: Any) -> Any:
        time.sleep(rng.random() / 50)
        return quick(*args)

    monkeypatch.setattr(recording_writer, "encode", slow)
    with ThreadPoolExecutor(helpers) as pool:
        assert written(tmp_path / "b.evs", [whole], pool, step, preset) == alone
        assert written(tmp_path / "c.evs", parts, pool, step, preset) == alone
    assert read_events(tmp_path / "a.evs") == whole


def test_helpers_of_two_recordings_and_a_flush(tmp_path: Path) -> None:
    one, two = camera(600_000), camera(500_000)
    with (
        ThreadPoolExecutor(2) as pool,
        ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool) as shard,
    ):
        first, second = shard.recording("first"), shard.recording("second")
        for at in range(0, 600_000, 100_000):
            first.write(one[at : at + 100_000])
            second.write(two[at : at + 100_000])
            if at == 300_000:
                first.flush()
    verify_shard(tmp_path / "a.evs")
    assert read_events(tmp_path / "a.evs", "first") == one
    assert read_events(tmp_path / "a.evs", "second") == two


def test_giving_up_while_helpers_are_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they do afterwards reaches no file."""
    quick = recording_writer.encode

    def slow(*args: Any) -> Any:
        time.sleep(0.1)
        return quick(*args)

    monkeypatch.setattr(recording_writer, "encode", slow)
    with ThreadPoolExecutor(2) as pool:
        shard = ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool)
        out = shard.recording("r")
        out.write(camera(600_000))
        shard.abort()
        with pytest.raises(ArgumentError, match="is closed"):
            out._turns.wait(0)
    assert [*tmp_path.iterdir()] == []


def write_slowly(out: RecordingWriter, events: Events) -> None:
    for _ in range(20):
        out.write(events)
        time.sleep(0.02)


@pytest.mark.parametrize("after_s", [0, 0.1])
def test_an_error_of_one_helper_lets_the_others_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_s: float
) -> None:
    quick = recording_writer.encode

    def failing(events: Events, step: int, number: int, codec: int, first: int, *rest: Any) -> Any:
        if first == 0:
            time.sleep(after_s)
            raise MemoryError("no memory")
        return quick(events, step, number, codec, first, *rest)

    monkeypatch.setattr(recording_writer, "encode", failing)
    with ThreadPoolExecutor(3) as pool:
        shard = ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool)
        out = shard.recording("r")
        with pytest.raises(MemoryError, match="no memory"):
            write_slowly(out, camera(262_144))  # whenever it is seen, it is this that is said
        with pytest.raises(ArgumentError, match=r"lacks what .*no memory") as told:
            shard.close()
        assert isinstance(told.value.__cause__, MemoryError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.evs.part"]


def test_work_that_the_pool_gave_up_is_missed(tmp_path: Path) -> None:
    pool = ThreadPoolExecutor(1)
    shard = ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool)
    out = shard.recording("r")
    pool.submit(time.sleep, 0.2)
    out.write(camera(262_144))
    pool.shutdown(cancel_futures=True)
    with pytest.raises(CancelledError):
        out.flush()
    with pytest.raises(ArgumentError, match="lacks what could not be written"):
        shard.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.evs.part"]


def test_an_interrupt_that_was_held_repeats_no_leaf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when the leaf is written: that one is taken."""
    path, events, put = tmp_path / "a.evs", camera(3 * 65_536), RecordingWriter._put

    def interrupted(self: RecordingWriter, *args: Any) -> None:
        put(self, *args)
        raise Stopped

    with ShardWriter(path, flush_s=None) as shard:
        out = shard.recording("r")
        monkeypatch.setattr(RecordingWriter, "_put", interrupted)
        with pytest.raises(Stopped):
            out.write(events)
        monkeypatch.undo()
        assert out.taken == 65_536
        out.write(events[out.taken :])
    verify_shard(path)
    assert read_events(path) == events


def test_triggers_take_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The same file every time, whatever the helpers are at when triggers come."""
    rng, quick, events = np.random.default_rng(seed), recording_writer.encode, camera(262_144)

    def slow(*args: Any) -> Any:
        time.sleep(rng.random() / 50)
        return quick(*args)

    monkeypatch.setattr(recording_writer, "encode", slow)
    monkeypatch.setattr(recording_writer, "MOST_SIDES", 3)
    files = []
    for k in range(4):
        path = tmp_path / f"{k}.evs"
        with ThreadPoolExecutor(2) as pool, ShardWriter(path, flush_s=None, pool=pool) as shard:
            out = shard.recording("r")
            for n in range(6):
                out.trigger(np.arange(n) * 10)
                out.write(events)
            for n in range(9):
                out.trigger([n])
            out.write(events[:1000])
        report = verify_shard(path)
        assert report.recordings == 1
        files.append(path.read_bytes())
    assert len(set(files)) == 1
    with evstore.open(tmp_path / "0.evs") as recording:
        triggers = recording.triggers
    expected = [t for n in range(6) for t in range(0, 10 * n, 10)] + [*range(9)]
    assert triggers["t"].tolist() == expected


def test_triggers_that_wait_survive_a_full_disk(tmp_path: Path) -> None:
    path, events = tmp_path / "a.evs", camera(262_144)
    with ThreadPoolExecutor(1) as pool, ShardWriter(path, flush_s=None, pool=pool) as shard:
        out = shard.recording("r")
        out.write(events)
        out.trigger([1, 2, 3])
        assert out._turns is not None
        out._turns.wait(0)
        disk = full_after(shard, 0)
        with pytest.raises(OSError, match="No space"):
            out.flush()
        disk.room = 1 << 40
        out.trigger([4, 5])  # behind those that wait
    verify_shard(path)
    with evstore.open(path) as recording:
        assert recording.triggers["t"].tolist() == [1, 2, 3, 4, 5]


# --------------------------------------------------------------------------------- turns


class Stopped(BaseException):
    """As Ctrl-C is: no Exception."""


def test_an_interrupted_wait_loses_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        turns = Turns(pool)
        turns.give(lambda: time.sleep(0.1), lambda _: done.append(1))
        monkeypatch.setattr(Future, "result", stop)
        with pytest.raises(Stopped):
            turns.wait(0)
        monkeypatch.undo()
        assert turns.wait(0) is None
    assert done == [1]


def stop(*args: Any) -> Any:
    raise Stopped


@pytest.mark.parametrize("queued", [False, True])
def test_work_that_could_not_be_given(monkeypatch: pytest.MonkeyPatch, queued: bool) -> None:
    """As where no thread can be started: the pool may have it all the same."""
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        submit, turns = pool.submit, Turns(pool)
        turns.give(lambda: 1, done.append)

        def failing(*args: Any) -> Any:
            if queued:
                submit(*args)
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(pool, "submit", failing)
        with pytest.raises(RuntimeError, match="new thread"):
            turns.give(lambda: 2, done.append)
        monkeypatch.undo()
        assert isinstance(turns.wait(0), RuntimeError)
    assert done in ([1], [])


@pytest.mark.parametrize("where", ["room", "give"])
def test_a_full_leaf_is_kept_or_the_recording_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """What stops a leaf's way to the pool loses no event that ``taken`` counts."""
    events = camera(200_000)
    with ThreadPoolExecutor(1) as pool:
        shard = ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool)
        out = shard.recording("r")
        out.write(events[:50_000])
        if where == "room":
            monkeypatch.setattr(shard, "new_room", stop)
        else:
            monkeypatch.setattr(pool, "submit", stop)
        with pytest.raises(Stopped):
            out.write(events[50_000:100_000])
        monkeypatch.undo()
        if where == "room":
            out.write(events[out.taken :])
            shard.close()
            assert read_events(tmp_path / "a.evs") == events
            return
        with pytest.raises(ArgumentError, match="lacks what could not be written"):
            shard.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.evs.part"]
