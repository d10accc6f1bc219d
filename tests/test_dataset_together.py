"""Frames of a batch made at once: the very frames that samples have one by one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from evstore import Dataset, Frames
from evstore.datasets import together
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.loading import workers
from evstore.datasets.manifest import write_manifest
from evstore.datasets.windows import Windows
from evstore.errors import ArgumentError, CorruptError
from evstore.shard.gather import Wanted, gather
from evstore.shard.shard import Shard
from evstore.shard.thread_memory import ThreadMemory
from evstore.shard.writer import ShardWriter
from some_datasets import RESOLUTION, make_dataset, random_events

SPECS = [
    Frames(duration=10_000),
    Frames(duration=7_000, stride=3_000, partial=True, dtype="uint8"),
    Frames(duration=200_000),
    Frames(bins=7, kind="signed"),
    Frames(bins=4, kind="merged", binary=True, dtype="float32"),
    Frames(duration=20_000, crop=(3, 2, 30, 28), size=(9, 13), flip_x=True, dtype="float16"),
    Frames(duration=20_000, start=5_030_000, stop=5_070_000, flip_y=True),
    Frames(count=500),
    Frames(count=1_000, stride=300, partial=True),
    Frames(event_bins=6, dtype="float32"),
]
WINDOWS = [None, Windows(duration=30_000, partial=True), Windows(duration=9_000, stride=14_000)]


@pytest.fixture(scope="module", params=["fast", "balanced", "mixed"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of none to some thousand events, in chunks large and small, in order and not."""
    path = tmp_path_factory.mktemp("short")
    counts = [3000, 1, 0, 700, 5000, 9000, 12_000]
    for number, preset in enumerate(
        ["fast", "balanced"] if request.param == "mixed" else [request.param]
    ):
        with ShardWriter(path / f"{number}.evs", preset=preset, flush_s=None) as shard:
            for k, count in enumerate(counts):
                with shard.recording(f"{number}/{k}", resolution=RESOLUTION, label=k) as out:
                    write(out, random_events(k, count), k)
            shard.close()
    write_manifest(index_shards(shards_below(path), path), path)
    return path


def write(out: Any, events: evstore.Events, k: int) -> None:
    if k == 5:  # time steps back
        events.t[4000:4500] -= 60_000
    step = 1700 if k == 6 else max(len(events), 1)
    for start in range(0, len(events), step):
        out.write(events[start : start + step])
        out.flush()


@pytest.fixture
def no_other_way(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Batches are made the fast way, or the test fails."""

    def refused(*_: Any) -> None:
        raise AssertionError("made one by one")

    with monkeypatch.context() as patch:
        patch.setattr(together, "_one_by_one", refused)
        yield


def batch_of(dataset: Dataset, numbers: list[int]) -> tuple[Any, list[int]]:
    made = dataset.frames_together([numbers], lambda shape, dtype: np.full(shape, 77, dtype))
    assert made is not None
    return made[0][0], made[0][1]


@pytest.mark.usefixtures("no_other_way")
@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_equal_to_one_by_one(folder: Path, spec: Frames, windows: Windows | None) -> None:
    if windows is not None and not spec.by_time:
        return  # how many frames there are, decoding tells
    dataset = Dataset(folder, frames=spec, windows=windows)
    numbers = np.random.default_rng(3).permutation(len(dataset)).tolist()
    for few in (numbers, numbers[:1], numbers[:5]):
        together, lengths = batch_of(dataset, few)
        for row, number, length in zip(together, few, lengths, strict=True):
            alone = dataset[number][0]
            assert together.dtype == alone.dtype
            assert length == len(alone)
            assert np.array_equal(row[:length], alone)
            assert not row[length:].any()


def test_of_no_samples(folder: Path) -> None:
    dataset = Dataset(folder, frames=SPECS[0])
    assert dataset.frames_together([], np.empty) is None
    assert dataset.frames_together([[]], np.empty) is None


@pytest.mark.parametrize("duration", [400, 1 << 62, (1 << 63) - 1])
def test_times_at_the_end_of_an_int64(tmp_path: Path, duration: int) -> None:
    """A window may end behind the last time that there is."""
    last = (1 << 63) - 1
    times = np.arange(last - 900, last - 300, 100)
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard:
        with shard.recording("a", resolution=(4, 4)) as out:
            n = len(times)
            out.write(evstore.Events(times, [1] * n, [2] * n, [1] * n, (4, 4)))
        shard.close()
    write_manifest(index_shards(shards_below(tmp_path), tmp_path), tmp_path)
    windows = Windows(duration=1000, partial=True)
    dataset = Dataset(tmp_path, frames=Frames(duration=duration), windows=windows)
    try:
        alone = dataset[0][0]
    except ArgumentError:
        with pytest.raises(ArgumentError, match="int64"):
            batch_of(dataset, [0])
        return
    assert np.array_equal(batch_of(dataset, [0])[0][0], alone)


def test_small_groups_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset(folder, frames=SPECS[0])
    numbers = list(range(len(dataset)))
    wanted, _ = batch_of(dataset, numbers)
    for limit in (12_000, 13_000):
        monkeypatch.setattr(together, "SHORT", limit)
        assert np.array_equal(batch_of(dataset, numbers)[0], wanted)
    monkeypatch.setattr(together, "SHORT", 10)  # none is short
    assert np.array_equal(batch_of(dataset, numbers)[0], wanted)


def test_a_long_one_is_made_the_other_way(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard:
        for k, count in enumerate((100, together.SHORT + 1)):
            with shard.recording(f"{k}", resolution=RESOLUTION) as out:
                out.write(random_events(k, count))
        shard.close()
    dataset = Dataset(tmp_path / "a.evs", frames=Frames(bins=3))
    frames, _ = batch_of(dataset, [0, 1])
    assert all(np.array_equal(frames[k], dataset[k][0]) for k in (0, 1))


def test_a_number_too_large_is_named(tmp_path: Path) -> None:
    events = random_events(1, 70_000)[:60_000]
    events.x[:], events.y[:] = 2, 3
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard:
        for k in range(2):
            with shard.recording(f"{k}", resolution=RESOLUTION) as out:
                out.write(events if k else events[:10])
        shard.close()
    path = tmp_path / "a.evs"
    with pytest.raises(ArgumentError, match=r"pixel x 2, y 3, channel . of frame 0"):
        batch_of(Dataset(path, frames=Frames(bins=1, dtype="uint8")), [0, 1])
    spec = Frames(bins=1, dtype="uint8", overflow="saturate")
    frames, _ = batch_of(Dataset(path, frames=spec), [0, 1])
    assert frames[1].max() == 255
    assert np.array_equal(frames[0], Dataset(path, frames=spec)[0][0])


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with ShardWriter(path, flush_s=None) as shard:
        for k in range(4):
            with shard.recording(f"{k}", resolution=RESOLUTION) as out:
                out.write(random_events(k, 20_000))
        shard.close()
    with Shard(path) as opened:
        ((_, chunk), *_) = enumerate(opened.chunks(opened.recordings[2]))
    with open(path, "r+b") as file:
        file.seek(chunk.offset + chunk.size // 2)
        (octet,) = file.read(1)
        file.seek(chunk.offset + chunk.size // 2)
        file.write(bytes([octet ^ 4]))
    write_manifest(index_shards([path], tmp_path), tmp_path)
    dataset, later = (Dataset(tmp_path, frames=Frames(bins=2)) for _ in range(2))
    batch_of(dataset, [0, 1, 3])
    with pytest.raises(CorruptError, match="recording '2': checksum of a chunk"):
        batch_of(dataset, [0, 2, 3])
    os.truncate(path, chunk.offset)
    with pytest.raises(evstore.TruncatedError, match="recording '3'"):
        batch_of(dataset, [3, 0])
    path.unlink()
    with pytest.raises(FileNotFoundError, match="recording '1' of the dataset"):
        batch_of(later, [1])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda shape, dtype: np.zeros((shape[0] // 2, *shape[1:]), dtype),
        lambda shape, _: np.zeros(shape, np.int32),
        lambda shape, dtype: np.zeros(shape[::-1], dtype).T,
    ],
)
def test_an_array_that_does_not_fit(folder: Path, wrong: Any) -> None:
    dataset = Dataset(folder, frames=SPECS[0])
    with pytest.raises(ArgumentError, match="out must be a C-contiguous array"):
        dataset.frames_together([[0, 1], [2, 3]], wrong)


def opened(dataset: Dataset) -> Shard:
    return dataset._shards.found(0)[0]


def test_an_index_that_lies_is_left_to_the_plain_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither out of bounds nor more memory than the file is worth: the plain way says what it is.

    Where pages are many that claim one place, none is loaded.
    """
    for lie in ({"n_chunks": 2}, {"n_chunks": 0}, {"entry": -1}, {"entry": 1 << 40}, {"page": 9},
                {"number": 3}, {"n_chunks": 1 << 40}):  # fmt: skip
        dataset = Dataset(folder, frames=SPECS[0])
        info = opened(dataset).recordings[0]
        for name, value in lie.items():
            setattr(info, name, value)
        with pytest.raises(CorruptError, match="recording '0/0'"):
            batch_of(dataset, [1, 0])
    dataset = Dataset(folder, frames=SPECS[0])
    shard = opened(dataset)
    info = shard.recordings[0]
    shard.pages += [shard.pages[0]._replace(recording=info.number)] * 1000
    shard._own[info.number] = list(range(1, 1001))
    monkeypatch.setattr(Shard, "_load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(CorruptError, match="index and directory disagree"):
        gather([Wanted(shard, info, None)], ThreadMemory())


def test_parts_of_other_recordings_do_not_matter(folder: Path) -> None:
    """One in parts is made the plain way; a batch without it the fast way, by the same numbers."""
    dataset = Dataset(folder, frames=SPECS[0])
    wanted, _ = batch_of(dataset, [0, 3])
    parts = dataset._catalogue.parts.copy()
    parts[1] = 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset._catalogue, "parts", parts)
        patch.setattr(together, "_one_by_one", lambda *_: pytest.fail("made one by one"))
        assert np.array_equal(batch_of(dataset, [0, 3])[0], wanted)
        with pytest.raises(pytest.fail.Exception, match="one by one"):
            batch_of(dataset, [0, 1])


@pytest.mark.parametrize("spec", [SPECS[0], SPECS[8]], ids=str)
@pytest.mark.parametrize("limit", [together.SHORT, 10])
def test_a_team_gives_the_same(
    folder: Path, spec: Frames, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both ways; batches that groups of short recordings do not end with, too."""
    monkeypatch.setattr(together, "SHORT", limit)
    dataset = Dataset(folder, frames=spec)
    batches = [[5, 0, 3], [6, 1], [2, 4, 3, 0, 5, 6]]
    names = set()

    def each(step: Any, items: Any) -> list[Any]:
        def noted(item: Any) -> Any:
            names.add(threading.current_thread().name)
            return step(item)

        return list(pool.map(noted, items))

    def make(shape: tuple[int, ...], dtype: Any) -> Any:
        return np.full(shape, 77, dtype)

    with ThreadPoolExecutor(3, "of the team") as pool:
        made = dataset.frames_together(batches, make, together.Team(3, each, threading.Lock()))
    assert made is not None
    assert all(name.startswith("of the team") for name in names)
    assert names
    for numbers, (frames, lengths, targets) in zip(batches, made, strict=True):
        wanted, wanted_lengths = batch_of(dataset, numbers)
        assert np.array_equal(frames, wanted)
        assert lengths == wanted_lengths
        assert targets == [dataset[number][1] for number in numbers]


def test_an_error_is_raised_when_the_whole_team_has_ended() -> None:
    """Who makes the samples one by one then must be alone with the arrays."""
    begun, ended = [], []

    def step(item: int) -> None:
        begun.append(item)
        if item == 0:
            while len(begun) < 2:
                time.sleep(0.001)
            raise OSError("the first")
        time.sleep(0.2)
        ended.append(item)

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(OSError, match="the first"):
            workers._each(pool, step, range(30))
        assert sorted(begun) == sorted([0, *ended])
        assert len(begun) < 10  # the others are left


def test_batches_before_one_that_cannot_be_read_are_handed_out(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = make_dataset(tmp_path, recordings=12, a_shard=2, count=2000)
    dataset = Dataset(made.folder, frames=Frames(bins=2))
    loader = evstore.Loader(dataset, 2, shuffle=False)
    whole = [batch.data.clone() for batch in loader]
    assert loader.prefetch.at_once > 3
    shard = dataset.shard_numbers[7]
    (made.folder / f"part-{shard}.evs").unlink()
    loader = evstore.Loader(Dataset(made.folder, frames=Frames(bins=2)), 2, shuffle=False)
    handed: list[Any] = []
    with pytest.raises(FileNotFoundError, match=f"part-{shard}.evs"):
        handed.extend(batch.data.clone() for batch in loader)
    bad = [k for k in range(6) if shard in dataset.shard_numbers[2 * k : 2 * k + 2]]
    assert len(handed) == bad[0]
    assert all(map(torch_equal, handed, whole))


def torch_equal(one: Any, other: Any) -> bool:
    return bool((one == other).all())
