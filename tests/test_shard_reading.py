"""Shards: what is written is read, whole or in part, of one recording or of many."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.errors import ArgumentError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from evstore.shard import index, layout
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard
from evstore.shard.source import FileSource
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter
from shards import camera, read_events, read_whole


def save(path: Path, events: Events, **options: Any) -> None:
    with ShardWriter(path, flush_s=None, **options) as shard, shard.recording("") as out:
        out.write(events)


# ------------------------------------------------------------------------ many and several


def test_a_recording_of_several_pages(tmp_path: Path, preset: str) -> None:
    events = camera(9001, 3, "jitter")
    path = tmp_path / "a.evs"
    save(path, events, preset=preset, chunk_events=2)
    assert verify_shard(path).chunks == 4501
    with Shard(path) as shard:
        info = shard.find(None)
        assert len(shard.pages) == 2
        reader = RecordingReader(shard, info)
        assert Events(**reader.read(0, 9001)) == events
        for start, stop in [(8190, 8195), (0, 1), (9000, 9001), (4000, 4000), (8191, 8192)]:
            assert Events(**reader.read(start, stop)) == events[start:stop]
        found = [c.first_event for chunks, _ in reader.batches() for c in chunks]
        assert found == list(range(0, 9001, 2))


def test_exactly_one_page(tmp_path: Path) -> None:
    events = camera(4096, 3)
    path = tmp_path / "a.evs"
    save(path, events, chunk_events=1)
    assert read_events(path) == events
    with Shard(path) as shard:
        assert [page.n_chunks for page in shard.pages] == [4096]


def test_short_recordings_share_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    given = {f"r{k}": camera(1500, k) for k in range(9)}
    with ShardWriter(path, chunk_events=1, flush_s=None) as shard:
        for id, events in given.items():
            with shard.recording(id) as out:
                out.write(events)
    with Shard(path) as opened:
        assert [page.recording for page in opened.pages] == [index.SHARED] * 5
    assert {id: whole.events for id, whole in read_whole(path).items()} == given
    assert verify_shard(path).recordings == 9


def test_interleaved_recordings_and_an_empty_one(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "a.evs"
    given = [camera(5000, k) for k in range(3)]
    with ShardWriter(path, preset=preset, chunk_events=700, flush_s=None) as shard:
        writers = [shard.recording(f"r{k}", label=np.int64(k)) for k in range(3)]
        shard.recording("empty", resolution=(3, 4), label="none")
        for start in range(0, 5000, 300):
            for writer, events in zip(writers, given, strict=True):
                writer.write(events[start : start + 300])
    whole = read_whole(path)
    assert [whole[f"r{k}"].events for k in range(3)] == given
    assert [whole[f"r{k}"].label for k in range(3)] == [0, 1, 2]
    assert len(whole["empty"].events) == 0
    assert (whole["empty"].resolution, whole["empty"].label) == ((3, 4), "none")
    verify_shard(path)


def test_a_shard_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    ShardWriter(path, flush_s=None).close()
    assert read_whole(path) == {}
    assert verify_shard(path).recordings == 0
    with Shard(path) as shard, pytest.raises(ArgumentError, match="holds 0 recordings"):
        shard.find(None)


def test_recordings_are_found_by_id(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with ShardWriter(path, flush_s=None) as shard:
        for k in range(12):
            shard.recording(f"train/{k:05}").close()
        with pytest.raises(ArgumentError, match="in the shard already"):
            shard.recording("train/00003")
    with Shard(path) as opened:
        assert opened.find("train/00007").number == 7
        with pytest.raises(ArgumentError, match=r"12 recordings.*'train/00009', \.\.\."):
            opened.find(None)
        with pytest.raises(ArgumentError, match=r"did you mean 'train/0000\d'"):
            opened.find("trian/00003")


def test_a_directory_longer_than_the_tail(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    rng = np.random.default_rng(5)
    ids = [rng.bytes(40).hex() for _ in range(2000)]
    with ShardWriter(path, flush_s=None) as shard:
        for id in ids:
            shard.recording(id, label=id).close()
    with Shard(path) as opened:
        assert [info.id for info in opened.recordings] == ids
        assert opened.recordings[1234].metadata == {"label": ids[1234]}


def test_side_streams_longer_than_a_record(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    n = 450_000
    t = np.arange(n) - 5
    with ShardWriter(path, flush_s=None) as shard, shard.recording("r") as out:
        out.trigger(t[:10], 1, 0)
        out.trigger(t[10:], np.arange(n - 10) % 256, 1)
        out.append_rows(
            "other", {"a": np.array([1, 2**64 - 1], np.uint64), "b": np.array([True, False])}
        )
        with pytest.raises(ArgumentError, match=r"id must lie in 0\.\.255"):
            out.trigger(1, 256)
        with pytest.raises(ArgumentError, match="must be integers, booleans or floats"):
            out.append_rows("complex", {"a": np.zeros(2, complex)})
        with pytest.raises(ArgumentError, match="'other' has the columns"):
            out.append_rows("other", {"a": np.array([1])})
        out.append_rows("empty", {"a": np.zeros(0, np.uint8)})
        with pytest.raises(ArgumentError, match="both t_start and t_stop"):
            out.label(1, t_start=5)
    with Shard(path) as opened:
        reader = RecordingReader(opened, opened.find("r"))
        rows = reader.side("triggers")
        assert rows is not None
        assert {name: str(values.dtype) for name, values in rows.items()} == {
            "t": "int64", "id": "uint8", "p": "uint8",
        }  # fmt: skip
        assert np.array_equal(rows["t"], t)
        assert rows["id"].tolist() == [1] * 10 + [k % 256 for k in range(n - 10)]
        other = reader.side("other")
        assert other is not None
        assert (other["a"].tolist(), other["b"].tolist()) == ([1, 2**64 - 1], [True, False])
        assert reader.side("nothing") is None
    verify_shard(path)


def test_parts_of_a_long_recording_keep_their_event_numbers(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "a.evs"
    events = camera(3000)
    with (
        ShardWriter(path, preset=preset, chunk_events=500, flush_s=None) as shard,
        shard.recording("r", part=2, first_event=1 << 40) as out,
    ):
        out.write(events)
    with Shard(path) as opened:
        info = opened.find("r")
        assert (info.part, info.first_event) == (2, 1 << 40)
        reader = RecordingReader(opened, info)
        assert Events(**reader.read(1200, 1800)) == events[1200:1800]


def test_labels_and_metadata_are_checked_when_they_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with ShardWriter(path, flush_s=None) as shard:
        for wrong in (object(), b"bytes", float("nan")):
            with pytest.raises(ArgumentError, match="label must be a JSON value"):
                shard.recording("r", label=wrong)
        with pytest.raises(ArgumentError, match="metadata must be a JSON value"):
            shard.recording("r", metadata={"a": object()})
        source = {"source": {"name": "caf\udce9.raw", "header": "\udcff"}}  # a name in Latin-1
        with shard.recording("r", label=(np.float32(0.5), "é"), metadata=source) as out:
            out.write(camera(3))
        with shard.recording("s") as out:
            out.label(np.arange(2))
    with Shard(path) as opened:
        assert opened.find("r").metadata["source"] == source["source"]
    assert read_whole(path)["r"].label == [0.5, "é"]
    assert read_whole(path)["s"].label == [0, 1]
    verify_shard(path)


def test_coordinates_outside_the_resolution_are_counted(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard:
        with shard.recording("r", resolution=(34, 34)) as out:
            with pytest.raises(
                ArgumentError, match=r"2 of 3 events lie outside .* 34x34: x up to 34"
            ):
                out.write(Events([1, 2, 3], [33, 34, 0], [33, 0, 34], [1, 1, 1]))
            out.write(Events([1], [33], [33], [1]))
        for wrong in ((0, 5), (5, 65_537)):
            with pytest.raises(ArgumentError, match="resolution must be"):
                shard.recording("s", resolution=wrong)
        with pytest.raises(ArgumentError, match="'r' is closed"):
            out.write(Events([1], [1], [1], [1]))
        with shard.recording("all") as out:
            out.write(Events([1], [65_535], [0], [1]))
    assert read_whole(tmp_path / "a.evs")["all"].resolution == (65_536, 1)


# ------------------------------------------------------------------------- reading in part


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory, preset: str) -> tuple[Path, Events]:
    path = tmp_path_factory.mktemp("long") / "a.evs"
    events = camera(50_000, 9, "jitter")
    save(path, events, preset=preset, chunk_events=5000)
    return path, events


@pytest.mark.parametrize("threads", [1, 3])
def test_any_range_any_columns_fresh_or_into_buffers(
    long: tuple[Path, Events], threads: int, seed: int
) -> None:
    path, events = long
    rng = np.random.default_rng(seed)
    with Shard(path) as shard:
        reader = RecordingReader(shard, shard.find(None))
        for _ in range(60):
            start, stop = sorted(rng.integers(0, 50_001, 2).tolist())
            columns = [c for c in COLUMNS if rng.random() < 0.5]
            found = reader.read(start, stop, columns, threads=threads)
            assert list(found) == columns
            out = {c: np.full(stop - start + 3, 99, COLUMN_DTYPES[c]) for c in columns}
            into = reader.read(start, stop, out=out, threads=threads)
            for name in columns:
                expected = getattr(events, name)[start:stop]
                assert np.array_equal(found[name], expected)
                assert np.array_equal(into[name], expected)
                assert np.shares_memory(into[name], out[name]) or stop == start
                assert (out[name][stop - start :] == 99).all()


@pytest.mark.parametrize(
    "out",
    [
        {"t": np.empty(99, np.int64)},
        {"t": np.empty(100, np.uint64)},
        {"x": np.empty(200, np.uint16)[::2]},
        {"p": np.empty((100, 1), np.uint8)},
        {"z": np.empty(100, np.uint8)},
    ],
)
def test_buffers_that_cannot_hold_it(long: tuple[Path, Events], out: dict[str, Any]) -> None:
    with Shard(long[0]) as shard:
        reader = RecordingReader(shard, shard.find(None))
        with pytest.raises(ArgumentError, match="must be a contiguous, writeable"):
            reader.read(0, 100, out=out)
        with pytest.raises(ArgumentError, match="columns are t, x, y and p"):
            reader.read(0, 100, ["q"])
        for start, stop in ((-1, 5), (5, 4), (0, 50_001)):
            with pytest.raises(ArgumentError, match=r"must lie in 0\.\.50000"):
                reader.read(start, stop)


def test_batches_in_one_buffer(long: tuple[Path, Events]) -> None:
    path, events = long
    buffers = Events.empty(length=5000)
    with Shard(path) as shard:
        at = 0
        for chunks, found in RecordingReader(shard, shard.find(None)).batches(buffers):
            assert len(found) == sum(chunk.count for chunk in chunks)
            assert found == events[at : at + len(found)]
            assert np.shares_memory(found.t, buffers.t)
            at += len(found)
    assert at == len(events)


def test_threads_share_a_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    monkeypatch.setattr("evstore.shard.recording_writer.PAGE_CHUNKS", 3)
    path = tmp_path / "a.evs"
    events = camera(6000, 4)
    save(path, events, preset=preset, chunk_events=40)
    wrong = []
    with Shard(path) as shard:
        assert len(shard.pages) == 50
        reader = RecordingReader(shard, shard.find(None))

        def work(seed: int) -> None:
            rng = np.random.default_rng(seed)
            for _ in range(80):
                start, stop = sorted(rng.integers(0, 6001, 2).tolist())
                try:
                    if Events(**reader.read(start, stop)) != events[start:stop]:
                        wrong.append((start, stop))
                except Exception as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


class Counting(FileSource):
    """A file that remembers what was read of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads: list[int] = []

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.reads.append(len(buffer))
        super().read_into(offset, buffer)


def test_opening_takes_one_read_and_a_window_one_more(long: tuple[Path, Events]) -> None:
    path, events = long
    source = Counting(path)
    with Shard(source) as shard:
        assert len(source.reads) == 1
        assert source.reads[0] <= 65_536
        reader = RecordingReader(shard, shard.find(None))
        found = reader.between(int(events.t[12_000]), int(events.t[13_000]))
        assert len(found)
        assert len(source.reads) == 2
        assert source.reads[1] < 5000 * 13  # one chunk
        reader.read(0, 15_000)
        assert len(source.reads) == 3


def test_a_source_survives_a_pickle(long: tuple[Path, Events]) -> None:
    source = FileSource(long[0])
    again = pickle.loads(pickle.dumps(source))
    assert again.read(0, 8) == source.read(0, 8) == layout.MAGIC
    source.close()
    again.close()


def test_buffers_that_kernels_may_not_write_to_are_refused(tmp_path: Path) -> None:
    path, events = tmp_path / "a.evs", camera(3000)
    save(path, events)
    with Shard(path) as shard:
        reader = RecordingReader(shard, shard.find(None))
        room = Events.empty(length=8000)
        reversed_room = Events.of(*(getattr(room, name)[::-1] for name in COLUMNS))
        strided = Events.from_structured(events.to_structured())
        for buffers in (reversed_room, strided):
            assert not buffers.t.flags.c_contiguous
            with pytest.raises(ArgumentError, match="must be a contiguous, writeable"):
                list(reader.batches(buffers))


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_below_one_are_refused(tmp_path: Path, threads: int) -> None:
    save(tmp_path / "a.evs", camera(10))
    with Shard(tmp_path / "a.evs") as shard:
        reader = RecordingReader(shard, shard.find(None))
        with pytest.raises(ArgumentError, match="threads must be at least 1"):
            reader.read(0, 10, threads=threads)
