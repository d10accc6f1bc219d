"""Datasets at their edges: what is handed out is the caller's own, and nothing is guessed."""

from __future__ import annotations

import multiprocessing
import os
import threading
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.datasets.catalogue import Ids
from evstore.datasets.dataset import Dataset
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.labels import within
from evstore.datasets.manifest import NAME, make_manifest, write_manifest
from evstore.datasets.windows import Windows
from evstore.errors import ArgumentError, CorruptError
from evstore.events import Events
from evstore.shard.writer import ShardWriter
from some_datasets import Made, make_dataset, random_events


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("dataset")
    return make_dataset(folder, preset="fast", count=1000, intervals=True, boxes=True)


def test_the_id_of_one_sample_is_found_alone(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Dataset(made.folder).ids
    every = list(ids)

    def iterated(_: Any) -> None:
        raise AssertionError("a loader asks for a few ids of millions, with every batch")

    monkeypatch.setattr(Ids, "__iter__", iterated)
    assert [ids[0], ids[-1], ids[3:5]] == [every[0], every[-1], every[3:5]]
    assert len(ids) == len(every)
    with pytest.raises(IndexError):
        ids[len(every)]


@pytest.mark.parametrize("kind", ["boxes", "intervals"])
def test_targets_are_the_callers_own(made: Made, kind: str) -> None:
    dataset = Dataset(made.folder, target=kind)
    wanted = dataset[0][1].to_structured().copy()
    for column in dataset[0][1].columns().values():
        column[:] = 0  # as a transform does that scales in place
    assert dataset[0][1].to_structured().tolist() == wanted.tolist()


def test_select_by_a_mask(made: Made) -> None:
    dataset = Dataset(made.folder)
    mask = dataset.labels == 2
    assert dataset.select(mask).labels.tolist() == [2] * int(mask.sum())
    assert list(dataset.select(mask.tolist()).ids) == list(dataset.select(mask).ids)
    assert len(dataset.select(np.zeros(12, bool))) == 0
    assert len(dataset.select(range(3))) == 3


@pytest.mark.parametrize("wrong", [[True, False], [1.5], [[1, 2]], ["1"]])
def test_select_by_what_is_no_number(made: Made, wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="by integers, or by a mask of all 12"):
        Dataset(made.folder).select(wrong)


def test_filter_by_thousands_of_values_looks_each_up(made: Made) -> None:
    class Compared(str):
        asked = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Compared.asked += 1
            return str.__eq__(self, other)

    dataset = Dataset(made.folder)
    wanted = [Compared(f"none/{k}") for k in range(1000)] + [Compared("train/7")]
    Compared.asked = 0
    assert list(dataset.filter(id=wanted).ids) == ["train/7"]
    assert Compared.asked < 100
    assert list(dataset.filter(user=[[1], 2]).labels) == list(dataset.filter(user=2).labels)
    assert len(dataset.filter(label=np.array([0, 1]))) == 8


def test_targets_of_windows_by_count_are_those_of_their_times(made: Made) -> None:
    whole = Dataset(made.folder, target="boxes")
    for target in ("boxes", "intervals"):
        windows = Dataset(made.folder, target=target, windows=Windows(count=300))
        for k, id in enumerate(windows.ids):
            first = 300 * (k - list(windows.ids).index(id))
            t = made.events[id].t[first : first + 300]
            start, stop = int(t.min()), int(t.max()) + 1
            found = windows.sample(k)
            assert (found.t_start, found.t_stop) == (start, stop)
            every = whole.sample(list(whole.ids).index(id))
            assert found.boxes == within(every.boxes, start, stop)
            assert found.intervals == within(every.intervals, start, stop, clip=True)
            assert windows[k][1] == getattr(found, target)


def test_an_incomplete_window_of_a_label_ends_with_it(made: Made) -> None:
    windows = Windows(labels=True, duration=10_000, partial=True)
    dataset = Dataset(made.folder, windows=windows, output="events", target="intervals")
    whole = Dataset(made.folder, target="intervals")
    at = 0
    for data, intervals in whole:
        t = data["t"]
        for start, stop, kind in zip(*intervals.columns().values(), strict=True):
            for begin in range(start, stop, 10_000):
                end = min(begin + 10_000, stop)
                found = dataset.sample(at)
                assert (found.t_start, found.t_stop, found.label) == (begin, end, kind)
                assert found.data.t.tolist() == t[(t >= begin) & (t < end)].tolist()
                at += 1
    assert at == len(dataset)


def test_the_target_does_not_depend_on_which_recordings_are_chosen(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.evs", preset="fast") as shard:
        for k in range(2):
            events = random_events(k, 100)
            with shard.recording(f"r/{k}", resolution=(34, 30), metadata={"split": f"s{k}"}) as out:
                out.write(events)
                if k == 0:
                    box = {n: np.ones(1, np.float32) for n in ("x", "y", "w", "h")}
                    t = events.t[:1]
                    out.append_rows("boxes", {"t": t, **box, "class_id": np.zeros(1, np.int64)})
    write_manifest(index_shards(shards_below(tmp_path), tmp_path), tmp_path)
    assert [Dataset(tmp_path, split).target for split in (None, "s0", "s1")] == ["boxes"] * 3
    assert [len(Dataset(tmp_path, split)[0][1]) for split in ("s0", "s1")] == [1, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_lock_that_was_held_at_a_fork_holds_nobody_up(made: Made) -> None:
    dataset = Dataset(made.folder, windows=Windows(duration=10_000))
    kind = dataset.class_at(0)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with dataset._shards._lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        context = multiprocessing.get_context("fork")
        found = context.SimpleQueue()
        child = context.Process(target=lambda: found.put(dataset.class_at(0)))
        child.start()
        child.join(30)
        stuck = child.is_alive()
        child.kill()
        assert not stuck
        assert found.get() == kind
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("cuts", [[0, 0, 300], [0, 300, 300], [0, 100, 100, 300], [0, 0, 0]])
def test_a_part_without_events_has_no_times(tmp_path: Path, cuts: list[int]) -> None:
    events = random_events(0, 300)[: cuts[-1]]
    for part, (low, high) in enumerate(pairwise(cuts)):
        with ShardWriter(tmp_path / f"{part}.evs", preset="fast") as shard:
            said: dict[str, Any] = {"part": part, "first_event": low}
            with shard.recording("long", resolution=(34, 30), **said) as out:
                out.write(events[low:high])
            with shard.recording(f"short/{part}", resolution=(34, 30)) as out:
                out.write(random_events(part, 10))
    write_manifest(index_shards(shards_below(tmp_path), tmp_path), tmp_path)
    dataset = Dataset(tmp_path, output="events", relative=True).filter(id="long")
    data, found = dataset[0][0], dataset.sample(0)
    if not len(events):
        assert (len(data), found.t_start, found.t_stop) == (0, 0, 0)
        return
    assert data.t.tolist() == (events.t - events.t[0]).tolist()
    assert (found.t_start, found.t_stop) == (events.t[0], events.t[-1] + 1)
    windows = Dataset(tmp_path, windows=Windows(duration=10_000)).filter(id="long")
    assert windows.sample(0).t_start == events.t[0]


def test_what_windows_of_a_long_recording_may_take(tmp_path: Path) -> None:
    events, burst = random_events(0, 10_000, span=10_000_000), random_events(1, 1000, span=100)
    with ShardWriter(tmp_path / "a.evs", preset="fast") as shard:
        for k, of in enumerate((events, burst)):
            with shard.recording(f"r/{k}", resolution=(34, 30)) as out:
                out.write(of)
    write_manifest(index_shards(shards_below(tmp_path), tmp_path), tmp_path)
    said = {"windows": Windows(duration=10_000, partial=True), "output": "events"}
    long, short = (Dataset(tmp_path, **said).filter(id=f"r/{k}") for k in range(2))
    real = np.array([13 * len(data) for data, _ in long])
    assert (real <= long.sample_bytes).all()
    assert long.sample_bytes.max() <= 9 * real.mean()  # or nothing of it could be read ahead
    assert short.sample_bytes.tolist() == [13 * 1000] == [13 * len(short[0][0])]


def test_the_sensor_of_windows_that_were_chosen(tmp_path: Path) -> None:
    sizes = ((34, 30), (20, 10))
    with ShardWriter(tmp_path / "a.evs", preset="fast") as shard:
        for k, size in enumerate(sizes):
            with shard.recording(f"r/{k}", resolution=size) as out:
                out.write(random_events(k, 500, size))
    write_manifest(index_shards(shards_below(tmp_path), tmp_path), tmp_path)
    for windows in (None, Windows(count=100)):
        dataset = Dataset(tmp_path, windows=windows)
        assert dataset.sensor_size is None
        for k, size in enumerate(sizes):
            assert dataset.filter(id=f"r/{k}").sensor_size == (*size, 2)


# ---------------------------------------------------------------- groups


def grouped(folder: Path, members: dict[str, str | None]) -> Dataset:
    """A dataset of recordings of these ids and groups."""
    folder.mkdir()
    with ShardWriter(folder / "a.evs", preset="fast") as shard:
        for k, (id, group) in enumerate(members.items()):
            said = {} if group is None else {"group": group}
            with shard.recording(id, resolution=(34, 30), metadata=said) as out:
                out.write(random_events(k, 50 + k))
    write_manifest(index_shards(shards_below(folder), folder), folder)
    return Dataset(folder)


def test_sensors_of_one_name_are_not_one(tmp_path: Path) -> None:
    groups = grouped(tmp_path / "a", {"g/left": "g", "left": "g", "g/right": "g"}).groups()
    with groups["g"] as group:
        assert sorted(group.names) == ["g/left", "g/right", "left"]
        assert {rec.n_events for rec in group.recordings.values()} == {50, 51, 52}


def test_a_recording_called_like_a_group_is_not_of_it(tmp_path: Path) -> None:
    dataset = grouped(tmp_path / "a", {"g": None, "g/left": "g"})
    with pytest.raises(ArgumentError, match="recording 'g' is of no group, but one is called so"):
        dataset.groups()


def test_a_group_of_a_shard_that_was_replaced(tmp_path: Path) -> None:
    dataset = grouped(tmp_path / "a", {"g/left": "g", "g/right": "g"})
    grouped(tmp_path / "b", {"g/right": "g", "g/left": "g"})  # the ids, but other events
    os.replace(tmp_path / "b" / "a.evs", tmp_path / "a" / "a.evs")
    assert (tmp_path / "a" / NAME).exists()
    with pytest.raises(CorruptError, match="not the shard that the manifest was made of"):
        dataset.groups()[0]


def test_a_plan_takes_no_more_memory_than_it_says(tmp_path: Path) -> None:
    """A stride of a microsecond, over an hour: 80 GB of windows, once."""
    rows = [
        {"id": str(k), "part": 0, "shard": "a.evs", "position": k, "first_event": 0, "events": 9,
         "t_first": 0, "t_min": 0, "t_max": 3_600_000_000 // 8, "boxes": 0, "root": bytes(32)}
        for k in range(8)
    ]  # fmt: skip
    write_manifest(make_manifest(rows), tmp_path)
    tracemalloc.start()
    says = r"3\.6e\+09 windows are too many.*take 6 GiB.*stride of 1, one of 14 or more"
    with pytest.raises(ArgumentError, match=says):
        Dataset(tmp_path, windows=Windows(duration=10_000, stride=1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6
    assert len(Dataset(tmp_path, windows=Windows(duration=10_000, stride=1400)))


def test_times_too_far_apart_to_be_relative(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    least, greatest = -(1 << 63), (1 << 63) - 1
    with ShardWriter(path, flush_s=None) as shard:
        for id, t in (("far", [least, 0, greatest]), ("near", [least, least + 5])):
            with shard.recording(id, resolution=(2, 2)) as out:
                out.write(Events(t, [0] * len(t), [1] * len(t), [1] * len(t)))
        shard.close()
    dataset = Dataset(path, output="events", relative=True)
    assert dataset[1][0].t.tolist() == [0, 5]
    with pytest.raises(ArgumentError, match=r"cannot count from the first"):
        dataset[0]
