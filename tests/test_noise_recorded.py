"""Noise recordings laid over events: the same noise, moved, cropped, mirrored, thinned, looped."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.errors import ArgumentError, CorruptError
from evstore.events import Events
from evstore.noise import LABELS, Compose, EventDrop, RecordedNoise, TimeJitter
from evstore.noise.batch import Sensor
from evstore.noise.recorded_loop import MOST, SHORTEST_US, Loop, period
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard
from evstore.shard.source import FileSource
from evstore.shard.writer import ShardWriter
from shards import read_events

SIZE = (40, 30)
LENGTH = 100_000  # us of the recordings here
NOTHING = Events.empty(SIZE)
RECORDED = LABELS["recorded"]


def noise(n: int, seed: int, size: tuple[int, int] = SIZE, begin: int = 7_000_000) -> Events:
    """Events of times that the recording's period is exactly LENGTH of."""
    rng = np.random.default_rng(seed)
    steps = LENGTH // n
    t = begin + np.arange(n) * steps
    x, y = (rng.integers(0, side, n) for side in size)
    return Events(t, x, y, rng.integers(0, 2, n), size)


def write(path: Path, *recordings: Events, chunk: int = 64) -> Path:
    with ShardWriter(path, preset="fast", chunk_events=chunk, flush_s=None) as shard:
        for k, events in enumerate(recordings):
            with shard.recording(f"dark/{k}", resolution=events.resolution) as out:
                out.write(events)
    return path


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One recording of 2000 events in 100 ms."""
    return write(tmp_path_factory.mktemp("noise") / "dark.evs", noise(2000, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of different density in two shards, a larger sensor's."""
    made = tmp_path_factory.mktemp("several")
    write(made / "b.evs", noise(1000, 2, (64, 48)), noise(2000, 3, (64, 48)))
    (made / "below").mkdir()
    write(made / "below" / "a.evs", noise(4000, 4, (64, 48)))
    return made


def moved(source: Events, phase: int, start: int, stop: int) -> list[tuple[int, int, int, int]]:
    """The recording from ``phase`` on, over and over."""
    out = []
    for k in range((stop - start) // LENGTH + 2):
        t = source.t - source.t[0] - phase + start + k * LENGTH
        out += [(when, *row[1:]) for when, row in zip(t.tolist(), rows(source), strict=True)]
    return [row for row in out if start <= row[0] < stop]


def rows(events: Events) -> list[tuple[int, int, int, int]]:
    columns = (events.t, events.x, events.y, events.p)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("stop", [1, 5_000, 99_999, 100_000, 734_567])
def test_the_recording_from_some_time_on_again_and_again(dark: Path, stop: int) -> None:
    source = read_events(dark)
    found, labels = RecordedNoise(dark)(NOTHING, sample=1, start=500, stop=500 + stop, labels=True)
    assert labels.tolist() == [RECORDED] * len(found)
    assert abs(len(found) - stop * 2000 / LENGTH) <= 1
    if len(found) < 3:
        return
    first = next(
        i for i in range(2000)
        if rows(found[:1])[0][1:] == rows(source[i : i + 1])[0][1:]
        and rows(found[1:2])[0][1:] == rows(source[(i + 1) % 2000 : (i + 1) % 2000 + 1])[0][1:]
        and rows(found[2:3])[0][1:] == rows(source[(i + 2) % 2000 : (i + 2) % 2000 + 1])[0][1:]
    )  # fmt: skip
    phase = int(source.t[first] - source.t[0]) - (int(found.t[0]) - 500)
    assert rows(found) == moved(source, phase % LENGTH, 500, 500 + stop)


def test_signal_and_noise_are_merged(dark: Path) -> None:
    rng = np.random.default_rng(5)
    t = np.sort(rng.integers(0, 50_000, 3000))
    signal = Events(t, t % 40, t % 30, t % 2, SIZE)
    found, labels = RecordedNoise(dark)(signal, sample=1, start=0, stop=50_000, labels=True)
    alone = RecordedNoise(dark)(NOTHING, sample=1, start=0, stop=50_000)
    assert found[labels == 0] == signal
    assert found[labels == RECORDED] == alone
    assert np.all(np.diff(found.t) >= 0)
    same = np.flatnonzero(np.diff(found.t) == 0)
    assert np.all(labels[same] <= labels[same + 1])  # the signal before the noise
    assert found.resolution == SIZE


def in_pieces(transform: Any, signal: Events, cuts: list[int], stop: int) -> Events:
    stream = transform.stream(SIZE, sample=1, start=0)
    bounds = pairwise([0, *cuts, len(signal)])
    parts = [stream.push(signal[a:b]) for a, b in bounds]
    return Events.concatenate([*parts, stream.end(stop)])


@pytest.mark.parametrize("rate", [0.4, 1, 2.5])
@pytest.mark.parametrize("seed", range(2))
def test_a_stream_does_not_depend_on_batches(folder: Path, rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 250_000, 500))
    signal = Events(t, t % 40, t % 30, t % 2, SIZE)
    transform = Compose(
        TimeJitter(500), RecordedNoise(folder, rate, "random", flip_x=True), EventDrop(0.1)
    )
    whole = transform(signal, sample=1, start=0, stop=2_300_000)
    cuts = sorted(rng.integers(0, 500, (3, 100)[seed]).tolist() * 2)
    assert in_pieces(transform, signal, cuts, 2_300_000) == whole
    assert len(whole) > 2_300_000 * 1000 / LENGTH * rate * 0.2


def test_pieces_of_a_long_one(dark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = RecordedNoise(dark, 1.5)(NOTHING, sample=1, start=0, stop=333_333)
    monkeypatch.setattr("evstore.noise.recorded_loop.PIECE", 50)
    monkeypatch.setattr("evstore.noise.recorded_loop.MOST", 100)
    assert RecordedNoise(dark, 1.5)(NOTHING, sample=1, start=0, stop=333_333) == wanted


def test_crop_and_mirrors(tmp_path: Path) -> None:
    """Each pixel fires once: where it is found says what was taken."""
    y, x = np.divmod(np.arange(64 * 48), 64)
    n = x.size
    path = write(tmp_path / "all.evs", Events(np.arange(n) * 10, x, y, x & 1, (64, 48)))
    seen = set()
    for crop in ("random", "centre"):
        for sample in range(40):
            transform = RecordedNoise(path, crop=crop, flip_x=True, flip_y=True)
            found = transform(NOTHING, sample=sample, start=0, stop=n * 10)
            assert len(found) == 40 * 30
            place = found.y.astype(np.int64) * 40 + found.x
            assert np.unique(place).size == 1200
            at = np.argsort(place)
            # The recording goes along rows, and may begin again within one.
            right = found.t[at[1]] != found.t[at[0]] + 10 and found.t[at[3]] != found.t[at[2]] + 10
            column = found[found.x == 7]
            steps = np.diff(column.t[np.argsort(column.y)]) > 0
            down = np.count_nonzero(steps) < 15
            odd = int(found.p[at[0]])
            seen.add((crop, bool(right), bool(down), odd))
    assert {(c, r, d) for c, r, d, _ in seen} == {
        (c, r, d) for c in ("random", "centre") for r in (True, False) for d in (True, False)
    }
    assert {o for c, r, _, o in seen if c == "centre" and not r} == {0}  # (64 - 40) / 2 is even
    assert {o for c, _, _, o in seen if c == "random"} == {0, 1}


def test_geometry_that_does_not_fit(folder: Path, dark: Path) -> None:
    with pytest.raises(ArgumentError, match=r"a\.evs#dark/0 .*64x48.*40x30.*crop='random'"):
        RecordedNoise([folder / "below"])(NOTHING, sample=1)
    large = Events.empty((100, 30))
    for crop in ("random", "centre"):
        with pytest.raises(ArgumentError, match=r"dark\.evs#dark/0 .*40x30.*too small.*100x30"):
            RecordedNoise(dark, crop=crop)(large, sample=1)
    with pytest.raises(ArgumentError, match=r"40x30.*100x30$"):
        RecordedNoise(dark)(large, sample=1)
    with pytest.raises(ArgumentError, match="has to know the sensor"):
        RecordedNoise(dark)(NOTHING.to_structured(), sample=1)


@pytest.mark.parametrize("crop", ["none", "random"])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1, 1.3, 3])
def test_rate(dark: Path, rate: float, crop: str) -> None:
    """The mean over 100 seeds within four standard errors."""
    counts = []
    for seed in range(100):
        found = RecordedNoise(dark, rate, crop, seed=seed)(NOTHING, sample=1, start=0, stop=40_000)
        counts.append(len(found))
    error = np.std(counts, ddof=1) / 10
    assert abs(np.mean(counts) - rate * 2000 * 0.4) <= 4 * error + 1e-9
    assert (np.std(counts) > 1) == (rate not in (0, 1, 3))


def test_copies_come_from_other_times(dark: Path) -> None:
    found = RecordedNoise(dark, 3)(NOTHING, sample=1, start=0, stop=LENGTH)
    assert len(found) == 6000
    assert np.unique(found.t % 50).size == 3  # every 50 us an event: three phases


def test_recordings_are_chosen_at_random(folder: Path) -> None:
    def counts(path: Any, crop: str) -> list[int]:
        transform, large = RecordedNoise(path, crop=crop), Events.empty((64, 48))
        return [len(transform(large, sample=s, start=0, stop=LENGTH)) for s in range(120)]

    found = counts(folder, "centre")
    seen = {count: found.count(count) for count in found}
    assert set(seen) == {1000, 2000, 4000}
    assert min(seen.values()) >= 20
    assert counts([folder / "below", folder / "b.evs"], "random") != found  # another order
    assert counts([folder], "random") == found


class Counted:
    """What is read of files, but for their tails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ranges: list[tuple[int, int]] = []
        read_into = FileSource.read_into

        def counting(source: FileSource, offset: int, buffer: memoryview) -> None:
            self.ranges.append((offset, len(buffer)))
            read_into(source, offset, buffer)

        monkeypatch.setattr(FileSource, "read_into", counting)


def test_only_the_chunks_that_are_needed_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = noise(100_000, 6)
    path = write(tmp_path / "long.evs", events, chunk=500)
    with Shard(path) as shard:
        extents = [(c.offset, c.size) for c in shard.chunks(shard.recordings[0])]
        size = shard.size
    assert len(extents) == 201  # a leaf ends within one
    transform = RecordedNoise(path)
    transform(NOTHING, sample=0, start=0, stop=10)  # opens it
    counted = Counted(monkeypatch)
    for sample in range(20):
        counted.ranges.clear()
        found = transform(NOTHING, sample=sample, start=0, stop=2_500)  # of 2500 events: 5 chunks
        assert 2499 <= len(found) <= 2501
        read = [
            (o, s) for o, s in extents
            if any(at <= o and o + s <= at + n for at, n in counted.ranges)
        ]  # fmt: skip
        assert 5 <= len(read) <= 7
        assert sum(n for _, n in counted.ranges) == sum(s for _, s in read)
        assert sum(n for _, n in counted.ranges) < size / 25


def test_a_stream_reads_as_time_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "long.evs", noise(100_000, 7), chunk=500)
    monkeypatch.setattr("evstore.noise.recorded_loop.PIECE", 2000)
    stream = RecordedNoise(path).stream(SIZE, sample=3, start=0)
    counted = Counted(monkeypatch)
    reads = []
    for t in range(0, 20_000, 100):
        stream.push(Events([t], [1], [1], [1]))
        reads.append(len(counted.ranges))
    # 20,000 events are wanted, 2000 at once: not a chunk again for each batch.
    assert 9 <= reads[-1] - reads[1] <= 14
    assert reads[100] < reads[-1]


def test_recordings_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    empty, one = Events.empty(SIZE), Events([5], [1], [1], [1], SIZE)
    short = Events([5, 5, 6], [1] * 3, [1] * 3, [1] * 3, SIZE)
    path = write(tmp_path / "some.evs", empty, one, short, noise(100, 8), short)
    for sample in range(10):
        found = RecordedNoise(path)(NOTHING, sample=sample, start=0, stop=LENGTH)
        assert len(found) == 100
    for k, events in enumerate((empty, one)):
        path = write(tmp_path / f"{k}.evs", events)
        with pytest.raises(ArgumentError, match=r"no recording in .*\.evs has 2 events or more"):
            RecordedNoise(path)(NOTHING, sample=1)
    path = write(tmp_path / "short.evs", short)
    with pytest.raises(ArgumentError, match=f"lasts {SHORTEST_US} us or more"):
        RecordedNoise(path)(NOTHING, sample=1)


def test_two_events_come_as_often_as_they_did(tmp_path: Path) -> None:
    two = Events([0, 10_000], [1, 2], [3, 4], [0, 1], SIZE)
    found = RecordedNoise(write(tmp_path / "two.evs", two))(NOTHING, sample=1, start=0, stop=10**6)
    assert len(found) == 100
    assert set(np.diff(found.t).tolist()) == {10_000}


def test_gaps(tmp_path: Path) -> None:
    """Of hours, in a recording; and where time steps back."""
    far = 10**14
    t = np.concatenate([np.arange(3000), far + np.arange(3000), far // 2 + np.arange(0, 9000, 3)])
    gaps = Events(t, t % 40, t % 30, t % 2, SIZE)
    path = write(tmp_path / "gaps.evs", gaps)
    with Shard(path) as shard:
        reader = RecordingReader(shard, shard.recordings[0])
        found = period(reader)
        assert found is not None
        least, length = found
        assert least == 0
        assert far < length < far * 1.001
        loop = Loop(reader, least, length, far // 3, -5)
        pieces = list(loop.pieces(2 * length - 5, True))
        events = Events.concatenate(pieces)
        assert len(events) == 2 * 9000
        assert np.all(np.diff(events.t) >= 0)
        assert events.t[0] == far // 2 - far // 3 - 5
        assert list(loop.pieces(2 * length - 5, True)) == []
    quiet = RecordedNoise(path)(NOTHING, sample=1, start=0, stop=10**6)
    assert len(quiet) == 0


def test_a_dense_moment_is_read_in_pieces(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    n = MOST + 300_000
    t = np.sort(np.concatenate([rng.integers(0, 10**9, 1000), rng.integers(5, 900_000, n)]))
    dense = Events(t, t % 40, t % 30, t % 2, SIZE)
    path = write(tmp_path / "dense.evs", dense, chunk=16_384)
    with Shard(path) as shard:
        reader = RecordingReader(shard, shard.recordings[0])
        least, length = period(reader) or (0, 0)
        pieces = list(Loop(reader, least, length, 0, int(t[0])).pieces(int(t[0]) + length, True))
    assert max(map(len, pieces)) <= MOST
    assert Events.concatenate(pieces) == dense


def test_times_in_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every moment touches all chunks: they are not read again for each microsecond."""
    rng = np.random.default_rng(12)
    t = rng.permutation(100_000)[:3000]
    t[0] = 0
    mixed = Events(t, t % 40, t % 30, t % 2, SIZE)
    path = write(tmp_path / "mixed.evs", mixed)
    monkeypatch.setattr("evstore.noise.recorded_loop.PIECE", 50)
    monkeypatch.setattr("evstore.noise.recorded_loop.MOST", 100)
    with Shard(path) as shard:
        reader = RecordingReader(shard, shard.recordings[0])
        least, length = period(reader) or (0, 0)
        counted = Counted(monkeypatch)
        found = Events.concatenate(Loop(reader, least, length, 0, 0).pieces(length, True))
    assert found == mixed[np.argsort(t, kind="stable")]
    assert len(counted.ranges) <= 70


def test_too_much_at_once(dark: Path) -> None:
    with pytest.raises(ArgumentError, match="noise events would come until"):
        RecordedNoise(dark)(NOTHING, sample=1, start=0, stop=10**15)


def test_a_shard_that_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "one.evs", noise(100, 10))
    transform = RecordedNoise(path)
    transform(NOTHING, sample=1, start=0, stop=10)
    os.replace(write(tmp_path / "two.evs", noise(100, 11)), path)
    transform(NOTHING, sample=1, start=0, stop=10)  # the one that is open
    transform._shards._readers.clear()
    with pytest.raises(CorruptError, match="has changed"):
        transform(NOTHING, sample=1, start=0, stop=10)


def read_some(transform: RecordedNoise) -> list[tuple[int, int, int, int]]:
    return rows(transform(NOTHING, sample=5, start=0, stop=300_000))


def test_pickled_forked_threaded(folder: Path) -> None:
    transform = RecordedNoise([folder / "b.evs", folder / "below"], 1.5, "random")
    untouched = pickle.dumps(transform)
    wanted = read_some(transform)
    assert len(pickle.dumps(transform)) == len(untouched)  # no open file, no listing
    assert pickle.loads(untouched) == transform
    assert read_some(pickle.loads(untouched)) == wanted
    assert hash(transform) == hash(pickle.loads(untouched))
    with ThreadPoolExecutor(4) as pool:
        fresh = pickle.loads(untouched)
        assert all(found == wanted for found in pool.map(read_some, [fresh] * 12))
    if "fork" in multiprocessing.get_all_start_methods():
        transform._shards._lock.acquire()  # as a thread might hold it just now
        with multiprocessing.get_context("fork").Pool(1) as children:
            assert children.apply(read_some, (transform,)) == wanted
        transform._shards._lock.release()


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="processes are not forked here"
)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("first", ["expected_hz", "begin"])
def test_forked_while_another_thread_reads(folder: Path, first: str) -> None:
    """A pickle would take nothing along: the child has the very same object."""
    transform = RecordedNoise(folder / "b.evs", crop="random")
    hz, wanted = transform.expected_hz(Sensor(*SIZE)), read_some(transform)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transform._shards._lock:
            held.set()
            over.wait()

    def in_the_child() -> None:
        if first == "expected_hz":
            assert transform.expected_hz(Sensor(*SIZE)) == hz
        assert read_some(transform) == wanted
        assert transform.expected_hz(Sensor(*SIZE)) == hz

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = multiprocessing.get_context("fork").Process(target=in_the_child)
    child.start()
    over.set()
    thread.join()
    child.join(60)
    child.kill()
    assert child.exitcode == 0


def _wrong() -> Iterator[tuple[Any, type[Exception], str]]:
    path = __file__
    yield (lambda: RecordedNoise(path, -1)), ArgumentError, "rate must be a number in 0..100"
    yield (lambda: RecordedNoise(path, 101)), ArgumentError, "rate"
    yield (lambda: RecordedNoise(path, crop="left")), ArgumentError, "crop must be one of 'none'"
    yield (lambda: RecordedNoise(path, flip_x=1)), ArgumentError, "flip_x"
    yield (lambda: RecordedNoise(path, flip_y="yes")), ArgumentError, "flip_y"
    yield (lambda: RecordedNoise([])), ArgumentError, "at least one shard"
    yield (lambda: RecordedNoise(3)), ArgumentError, "path must be"
    yield (lambda: RecordedNoise([3])), ArgumentError, "path must be"
    yield (lambda: RecordedNoise(np.array(1.0))), ArgumentError, "path must be"
    yield (lambda: RecordedNoise("/no/such/file.evs")), FileNotFoundError, "such/file.evs"


@pytest.mark.parametrize(("make", "error", "words"), list(_wrong()))
def test_wrong_arguments(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_folder_without_shards(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no shards"):
        RecordedNoise(tmp_path)(NOTHING, sample=1)


@pytest.mark.parametrize("p", ["?", "<i8"])
def test_structured_arrays(dark: Path, p: str) -> None:
    dtype = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", p)]
    array = Events([5, 900], [1, 2], [3, 4], [1, 0]).to_structured(dtype)
    found = RecordedNoise(dark, resolution=(*SIZE, 2))(array, sample=1)
    assert found.dtype == np.dtype(dtype)
    wanted = RecordedNoise(dark)(Events.from_structured(array, SIZE), sample=1)
    assert len(wanted) > 10
    assert Events.from_structured(found) == wanted
