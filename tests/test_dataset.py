"""A dataset gives what its recordings hold: whole, in windows, as arrays, events and frames."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import evstore
from evstore.datasets.dataset import Dataset
from evstore.datasets.dtypes import PRESETS
from evstore.datasets.geometry import Geometry
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.labels import Boxes
from evstore.datasets.manifest import NAME, make_manifest, read_manifest, write_manifest
from evstore.datasets.windows import Windows
from evstore.errors import ArgumentError, CorruptError
from evstore.frames import Frames, to_frames
from evstore.shard.writer import ShardWriter
from some_datasets import CLASSES, RESOLUTION, Made, make_dataset, random_events


@pytest.fixture(scope="module", params=["fast", "balanced"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("dataset")
    return make_dataset(folder, preset=request.param, intervals=True, boxes=True)


# ---------------------------------------------------------------- whole recordings


def test_what_a_dataset_says_of_itself(made: Made) -> None:
    dataset = Dataset(made.folder)
    assert len(dataset) == 12
    assert list(dataset.ids) == [*(f"test/{k}" for k in (0, 3, 6, 9)),
                                 *(f"train/{k}" for k in (1, 2, 4, 5, 7, 8, 10, 11))]  # fmt: skip
    assert dataset.classes == CLASSES
    assert dataset.labels.tolist() == [made.said[id]["label"] for id in dataset.ids]
    assert dataset.targets.tolist() == dataset.labels.tolist()
    assert dataset.sensor_size == (*RESOLUTION, 2)
    assert dataset.ordering == dataset.dtype.names == ("x", "y", "t", "p")
    assert dataset.n_events.tolist() == [len(made.events[id]) for id in dataset.ids]
    assert sorted(set(dataset.shard_numbers.tolist())) == [0, 1, 2]
    assert "12 recordings" in repr(dataset)


@pytest.mark.parametrize("dtype", sorted(PRESETS))
def test_structured_arrays(made: Made, dtype: str) -> None:
    dataset = Dataset(made.folder, "train", dtype=dtype)
    for k, id in enumerate(dataset.ids):
        array, label = dataset[k]
        assert array.dtype == PRESETS[dtype] == dataset.dtype
        assert evstore.Events.from_structured(array) == made.events[id]
        assert label == made.said[id]["label"]
        assert type(label) is int


def test_arrays_are_fresh_and_writeable(made: Made) -> None:
    dataset = Dataset(made.folder)
    first, _ = dataset[0]
    first["p"][:] = 1 - first["p"]
    first["t"] += 1
    again, _ = dataset[0]
    assert evstore.Events.from_structured(again) == made.events["test/0"]


def test_events_and_relative_times(made: Made) -> None:
    dataset = Dataset(made.folder, output="events", relative=True)
    for k, id in enumerate(dataset.ids):
        events, wanted = dataset[k][0], made.events[id]
        assert events.resolution == RESOLUTION
        assert events.t.tolist() == (wanted.t - wanted.t[0]).tolist()


def test_negative_and_wrong_indices(made: Made) -> None:
    dataset = Dataset(made.folder, output="events")
    assert dataset[-1][0] == dataset[11][0]
    for index in (12, -13):
        with pytest.raises(IndexError, match=f"sample {index} of 12"):
            dataset[index]
    assert [label for _, label in dataset.__getitems__([3, 1])] == [dataset[3][1], dataset[1][1]]


def test_transforms_are_called_as_tonic_calls_them(made: Made) -> None:
    calls = []

    def joint(data: object, target: object) -> tuple[object, object]:
        calls.append((data, target))
        return "both", target

    dataset = Dataset(
        made.folder, transform=len, target_transform=lambda label: -label, transforms=joint
    )
    assert dataset[4] == ("both", -dataset.labels[4])
    assert calls == [(len(made.events[dataset.ids[4]]), -dataset.labels[4])]


# ---------------------------------------------------------------- a part of the recordings


def test_a_split_that_there_is_not(made: Made) -> None:
    with pytest.raises(ArgumentError, match=r"no split 'Train'; its splits are 'test', 'train'"):
        Dataset(made.folder, "Train")


def test_filter(made: Made) -> None:
    dataset = Dataset(made.folder, output="events")
    found = dataset.filter(label=[1, 2], user=3)
    assert list(found.ids) == [
        id for id in dataset.ids
        if made.said[id]["label"] in (1, 2) and made.said[id]["columns"]["user"] == 3
    ]  # fmt: skip
    assert found[0][0] == made.events[found.ids[0]]
    several = dataset.filter(lambda row: row["events"] > 3050 and row["split"] == "train")
    assert list(several.ids) == ["train/7", "train/8", "train/10", "train/11"]
    with pytest.raises(ArgumentError, match="no column is called 'klass'"):
        dataset.filter(klass=1)


def test_select(made: Made) -> None:
    dataset = Dataset(made.folder, output="events")
    chosen = dataset.select([5, -1, 5, 0])
    assert list(chosen.ids) == [dataset.ids[k] for k in (5, 11, 5, 0)]
    assert chosen[1][0] == dataset[11][0]
    assert list(chosen.select([3, 1]).ids) == [dataset.ids[0], dataset.ids[11]]
    assert len(dataset.select([])) == 0
    with pytest.raises(IndexError):
        dataset.select([12])


# ---------------------------------------------------------------- windows


def brute_windows(events: evstore.Events, duration: int, stride: int, partial: bool) -> list[int]:
    starts, at, end = [], int(events.t.min()), int(events.t.max()) + 1
    while at < end and (partial or at + duration <= end):
        starts.append(at)
        at += stride
    return starts


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(("duration", "stride"), [(10_000, None), (30_000, 7_000), (5, 90_000)])
def test_windows_by_time(made: Made, duration: int, stride: int | None, partial: bool) -> None:
    windows = Windows(duration=duration, stride=stride, partial=partial)
    dataset = Dataset(made.folder, "train", output="events", windows=windows)
    wanted = [
        (id, start)
        for id in Dataset(made.folder, "train").ids
        for start in brute_windows(made.events[id], duration, stride or duration, partial)
    ]
    assert len(dataset) == len(wanted)
    for k in range(0, len(wanted), 3):
        id, start = wanted[k]
        sample = dataset.sample(k)
        assert (sample.id, sample.t_start, sample.t_stop) == (id, start, start + duration)
        events = made.events[id]
        inside = (events.t >= start) & (events.t < start + duration)
        assert sample.data == events[inside]
        assert dataset[k][1] == made.said[id]["label"]


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(("count", "stride"), [(1000, None), (700, 300), (5000, None)])
def test_windows_by_count(made: Made, count: int, stride: int | None, partial: bool) -> None:
    windows = Windows(count=count, stride=stride, partial=partial)
    dataset = Dataset(made.folder, output="events", windows=windows)
    wanted = [
        (id, start)
        for id in Dataset(made.folder).ids
        for start in range(0, len(made.events[id]), stride or count)
        if partial or start + count <= len(made.events[id])
    ]
    assert len(dataset) == len(wanted)
    for k, (id, start) in enumerate(wanted):
        assert dataset[k][0] == made.events[id][start : start + count]
    assert dataset.n_events.tolist() == [len(dataset[k][0]) for k in range(len(wanted))]


def test_windows_by_labels(made: Made) -> None:
    dataset = Dataset(made.folder, output="events", windows=Windows(labels=True))
    assert len(dataset) == 36
    assert dataset.labels.tolist() == [0, 1, 2] * 12
    for k in range(36):
        events, label = dataset[k]
        sample = dataset.sample(k)
        whole = made.events[sample.id]
        assert events == whole[(whole.t >= sample.t_start) & (whole.t < sample.t_stop)]
        assert sample.label == label == k % 3
    cut = Dataset(made.folder, windows=Windows(labels=True, duration=10_000))
    assert cut.labels.tolist() == [0, 1, 1, 1, 2, 2, 2, 2] * 12


def test_parts_of_windows(made: Made) -> None:
    dataset = Dataset(made.folder, output="events", windows=Windows(duration=20_000))
    chosen = dataset.filter(label=1).select([3, 0])
    assert set(chosen.labels.tolist()) == {1}
    assert chosen[0][0] == dataset.filter(label=1)[3][0]
    again = pickle.loads(pickle.dumps(chosen))
    assert again[1][0] == chosen[1][0]


def test_windows_that_cannot_be(made: Made) -> None:
    for wrong in (
        {}, {"duration": 1, "count": 1}, {"duration": 0}, {"count": 5, "labels": True},
        {"labels": True, "stride": 4}, {"duration": 1 << 62},
    ):  # fmt: skip
        with pytest.raises(ArgumentError):
            Windows(**wrong)  # type: ignore[arg-type]
    extremes = make_dataset(made.folder / "extremes", recordings=1)
    with ShardWriter(extremes.folder / "far.evs", flush_s=None) as shard:
        with shard.recording("far", resolution=(2, 2)) as out:
            out.write(evstore.Events([-(1 << 63), (1 << 63) - 1], [0, 1], [0, 1], [0, 1]))
        shard.close()
    far = extremes.folder / "far.evs"
    with pytest.raises(ArgumentError, match="windows are too many"):
        Dataset(far, windows=Windows(duration=1))
    whole = Dataset(far, output="events", windows=Windows(duration=1 << 61, partial=True))
    assert [len(whole[k][0]) for k in range(len(whole))] == [1, *([0] * 6), 1]


# ---------------------------------------------------------------- frames, straight from chunks

SPECS = [
    Frames(duration=10_000),
    Frames(bins=7),
    Frames(duration=9_000, stride=4_000, partial=True, kind="signed", dtype="int8"),
    Frames(bins=3, kind="merged", crop=(2, 3, 30, 25), size=(7, 11), flip_x=True),
    Frames(count=500),
    Frames(event_bins=4, binary=True, dtype="uint8"),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_frames_of_recordings(made: Made, spec: Frames) -> None:
    dataset = Dataset(made.folder, frames=spec)
    for k, id in enumerate(dataset.ids):
        frames, _ = dataset[k]
        wanted = to_frames(made.events[id], spec)
        assert frames.dtype == wanted.dtype == dataset.dtype
        assert np.array_equal(frames, wanted)
        assert frames.flags.writeable


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_frames_of_windows_by_time(made: Made, spec: Frames) -> None:
    """A window's frames are those of its times, wherever its events are in it."""
    windows = Windows(duration=31_000, stride=23_000)
    dataset = Dataset(made.folder, frames=spec, windows=windows)
    plain = Dataset(made.folder, output="events", windows=windows)
    for k in range(len(dataset)):
        sample = plain.sample(k)
        said = {"start": sample.t_start, "stop": sample.t_stop} if spec.by_time else {}
        wanted = to_frames(sample.data, spec.__class__(**{**spec.__dict__, **said}))
        assert np.array_equal(dataset[k][0], wanted)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_frames_of_windows_by_count(made: Made, spec: Frames) -> None:
    windows = Windows(count=1100, partial=True)
    dataset = Dataset(made.folder, frames=spec, windows=windows)
    plain = Dataset(made.folder, output="events", windows=windows)
    for k in range(len(dataset)):
        assert np.array_equal(dataset[k][0], to_frames(plain[k][0], spec))


def test_whole_windows_have_all_their_frames(made: Made) -> None:
    dataset = Dataset(made.folder, frames=Frames(duration=5_000), windows=Windows(duration=20_000))
    assert {dataset[k][0].shape[0] for k in range(len(dataset))} == {4}


def test_frames_that_overflow_say_so(made: Made) -> None:
    dataset = Dataset(made.folder, frames=Frames(bins=1, kind="merged", size=(1, 1), dtype="int8"))
    with pytest.raises(ArgumentError, match="int8"):
        dataset[0]


# ---------------------------------------------------------------- geometry and boxes


def test_geometry_moves_events_and_boxes_alike(made: Made) -> None:
    geometry = Geometry(crop=(4, 2, 28, 26), size=(12, 12), flip_x=True)
    plain = Dataset(made.folder, output="events", target="boxes")
    moved = Dataset(made.folder, output="events", target="boxes", geometry=geometry)
    assert moved.sensor_size == (12, 12, 2)
    for k in range(len(plain)):
        (events, boxes), (there, placed) = plain[k], moved[k]
        assert there == geometry.events(events)
        assert there.resolution == (12, 12)
        assert isinstance(placed, Boxes)
        assert placed == geometry.boxes(boxes, RESOLUTION)
    # The times are those of the recording, not of the events that are left.
    frames = Dataset(made.folder, frames=Frames(bins=4), geometry=geometry)
    wanted = Frames(bins=4, crop=(4, 2, 28, 26), size=(12, 12), flip_x=True)
    assert np.array_equal(frames[3][0], to_frames(plain[3][0], wanted))
    with pytest.raises(ArgumentError, match="once"):
        Dataset(made.folder, frames=Frames(bins=4, flip_x=True), geometry=geometry)


def test_boxes_of_windows(made: Made) -> None:
    windows = Windows(duration=10_000)
    dataset = Dataset(made.folder, output="events", target="boxes", windows=windows)
    plain = Dataset(made.folder, target="boxes")
    seen = 0
    for k in range(len(dataset)):
        sample = dataset.sample(k)
        assert ((sample.boxes.t >= sample.t_start) & (sample.boxes.t < sample.t_stop)).all()
        assert dataset[k][1] == sample.boxes
        seen += len(sample.boxes)
    assert 0 < seen <= sum(len(plain[k][1]) for k in range(len(plain)))


def test_intervals_of_windows(made: Made) -> None:
    windows = Windows(duration=10_000)
    dataset = Dataset(made.folder, output="events", target="intervals", windows=windows)
    assert [dataset.class_at(k) for k in range(9)] == [0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert dataset[1][1].t_stop.tolist() == [dataset.sample(1).t_start + 5_000]


# ---------------------------------------------------------------- recordings in several shards


def in_parts(folder: Path, cuts: list[int]) -> evstore.Events:
    """One recording whose parts lie in a shard each, and a short one beside it."""
    events = random_events(7, 9000)
    for part, (start, stop) in enumerate(zip([0, *cuts], [*cuts, len(events)], strict=True)):
        with ShardWriter(folder / f"{part}.evs", flush_s=None) as shard:
            out = shard.recording("long", resolution=RESOLUTION, part=part, first_event=start)
            out.write(events[start:stop])
            out.close()
            if part == 1:
                with shard.recording("short", resolution=RESOLUTION, label=1) as other:
                    other.write(random_events(8, 100))
            shard.close()
    write_manifest(index_shards(shards_below(folder), folder), folder)
    return events


def test_parts_are_joined(tmp_path: Path) -> None:
    events = in_parts(tmp_path, [2500, 6000])
    dataset = Dataset(tmp_path, output="events")
    assert list(dataset.ids) == ["long", "short"]
    assert dataset[0][0] == events
    assert dataset[1][0] == random_events(8, 100)
    assert dataset.n_events.tolist() == [9000, 100]
    by_time = Dataset(tmp_path, output="events", windows=Windows(duration=10_000))
    start = int(events.t[0])
    for k in range(9):
        inside = (events.t >= start + k * 10_000) & (events.t < start + (k + 1) * 10_000)
        assert by_time[k][0] == events[inside]
    by_count = Dataset(tmp_path, output="events", windows=Windows(count=1500))
    assert [by_count[k][0] == events[1500 * k : 1500 * (k + 1)] for k in range(6)] == [True] * 6
    for spec in SPECS:
        frames = Dataset(tmp_path, frames=spec).select([0])[0][0]
        assert np.array_equal(frames, to_frames(events, spec))


def test_a_part_that_is_missing_or_there_twice(tmp_path: Path) -> None:
    in_parts(tmp_path, [2500, 6000])
    (tmp_path / "1.evs").rename(tmp_path / "1.gone")
    with pytest.raises(ArgumentError, match="'long' lacks its part 1"):
        index_shards(shards_below(tmp_path), tmp_path)
    (tmp_path / "1.gone").rename(tmp_path / "1.evs")
    shutil.copy(tmp_path / "2.evs", tmp_path / "3.evs")
    with pytest.raises(ArgumentError, match=r"'long' is in [23]\.evs and in another shard"):
        index_shards(shards_below(tmp_path), tmp_path)


# ---------------------------------------------------------------- manifests


def test_a_manifest_made_again_is_equal(made: Made) -> None:
    manifest = read_manifest(made.folder)
    paths = [str(path) for path in sorted(made.folder.glob("*.evs"))]
    again = index_shards(paths, made.folder)
    assert again.table.equals(manifest.table.replace_schema_metadata(None))
    assert again.classes == manifest.classes == CLASSES


def test_own_columns_keep_their_types() -> None:
    base = {
        "part": 0, "shard": "a.evs", "position": 0, "first_event": 0, "events": 0, "t_first": 0,
        "t_min": 0, "t_max": -1, "root": bytes(32), "boxes": 0,
    }  # fmt: skip
    mine = [
        {"n": 1, "f": 1, "s": "a", "b": True, "j": [1], "m": 1},
        {"n": 2, "f": 0.5, "s": "b", "b": False, "j": {"a": 2}, "m": "x"},
        {},
    ]
    rows = [{**base, "id": f"r{k}", "label": None, "columns": own} for k, own in enumerate(mine)]
    manifest = make_manifest(rows)
    assert manifest.own_columns == ["n", "f", "s", "b", "j", "m"]
    for name in manifest.own_columns:
        assert manifest.values(name) == [own.get(name) for own in mine]
    assert str(manifest.table.schema.field("n").type) == "int64"
    with pytest.raises(ArgumentError, match="cannot be called events"):
        make_manifest([{**base, "id": "r", "columns": {"events": 1}}])


def test_what_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="evstore dataset index"):
        Dataset(tmp_path)
    (tmp_path / NAME).write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(CorruptError, match="cannot be read"):
        Dataset(tmp_path)
    with pytest.raises(ArgumentError, match="no such folder"):
        Dataset(tmp_path / "not there")


@pytest.mark.parametrize("column", ["id", "events", "root", "position"])
def test_a_manifest_without_a_column(tmp_path: Path, column: str) -> None:
    made = make_dataset(tmp_path)
    manifest = read_manifest(made.folder)
    cut = manifest.__class__(manifest.table.drop_columns([column]), None, {})
    write_manifest(cut, tmp_path)
    with pytest.raises(CorruptError, match=f"lacks the columns {column}"):
        Dataset(tmp_path)


# ---------------------------------------------------------------- shards that go wrong


def reads_right_or_not_at_all(made: Made, index: int) -> bool:
    """What a flipped bit in a shard does: nothing, where it is in another recording's bytes."""
    try:
        return Dataset(made.folder, output="events")[index][0] == made.events["train/2"]
    except evstore.CorruptError as error:
        return "recording 'train/2'" in str(error)


def test_a_shard_that_is_gone_cut_flipped_or_another(tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "a", recordings=4, a_shard=2)
    path = made.folder / "part-1.evs"
    whole = path.read_bytes()
    index = list(Dataset(made.folder).ids).index("train/2")
    os.remove(path)
    with pytest.raises(FileNotFoundError, match=r"recording 'train/2'.*part-1\.evs"):
        Dataset(made.folder)[index]
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(evstore.TruncatedError, match=r"part-1\.evs: recording 'train/2'"):
        Dataset(made.folder)[index]
    for at in range(20, len(whole) - 3000, len(whole) // 40):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert reads_right_or_not_at_all(made, index)
    other = make_dataset(tmp_path / "b", recordings=4, a_shard=2, count=2000)
    shutil.copy(other.folder / "part-1.evs", path)
    with pytest.raises(CorruptError, match="not the shard that the manifest was made of"):
        Dataset(made.folder)[index]


def test_more_shards_than_are_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evstore.datasets.access.MOST_OPEN", 2)
    made = make_dataset(tmp_path, recordings=9, a_shard=1, count=200)
    dataset = Dataset(made.folder, output="events")
    dataset._shards._most = 2
    for _ in range(3):
        for k, id in enumerate(dataset.ids):
            assert dataset[k][0] == made.events[id]
    assert len(os.listdir("/proc/self/fd")) < 60 if os.path.isdir("/proc/self/fd") else True


# ---------------------------------------------------------------- threads and processes


def test_threads_share_a_dataset(made: Made) -> None:
    dataset = Dataset(made.folder, output="events")
    frames = Dataset(made.folder, frames=Frames(bins=5))
    wanted = [to_frames(made.events[id], Frames(bins=5)) for id in frames.ids]

    def read(k: int) -> bool:
        k %= 12
        right = dataset[k][0] == made.events[dataset.ids[k]]
        return right and np.array_equal(frames[k][0], wanted[k])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(240)))


def _label_and_sum(dataset: Dataset, k: int) -> tuple[int, int]:
    events, label = dataset[k]
    return label, int(events.t.sum())


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_share_a_dataset(made: Made, method: str) -> None:
    dataset = Dataset(made.folder, output="events")
    dataset[0]  # its shards are open here
    wanted = [_label_and_sum(dataset, k) for k in range(12)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(_label_and_sum, [(dataset, k) for k in range(12)]) == wanted


def test_a_pickle_is_small_and_refuses_another_dataset(tmp_path: Path) -> None:
    made = make_dataset(tmp_path, recordings=4)
    dataset = Dataset(made.folder, "train", frames=Frames(bins=2))
    data = pickle.dumps(dataset)
    assert len(data) < 2000
    assert np.array_equal(pickle.loads(data)[1][0], dataset[1][0])
    for path in made.folder.glob("*.evs"):
        path.unlink()
    make_dataset(tmp_path, recordings=5)
    with pytest.raises(CorruptError, match="another one"):
        pickle.loads(data)


def test_a_shard_alone_and_a_list_of_them(made: Made) -> None:
    one = Dataset(made.folder / "part-0.evs", output="events")
    assert len(one) == 5
    assert one[0][0] == made.events[one.ids[0]]
    two = Dataset([made.folder / "part-2.evs", str(made.folder / "part-0.evs")], output="events")
    assert len(two) == 7
    for k, id in enumerate(two.ids):
        assert two[k][0] == made.events[id]
    assert pickle.loads(pickle.dumps(two))[6][0] == two[6][0]


# ---------------------------------------------------------------- groups


def test_groups(made: Made) -> None:
    groups = Dataset(made.folder).groups()
    assert sorted(groups.names) == [f"g{k}" for k in range(6)]
    with groups["g1"] as group:
        assert group.names == ["test/3", "train/2"]
        start, stop = group.overlap
        found = group.between(start + 1000, start + 9000)
        for id, aligned in found.items():
            t = made.events[id].t
            assert aligned.events == made.events[id][(t >= start + 1000) & (t < start + 9000)]
            assert aligned.boxes is not None
            assert aligned.labels is not None
            assert aligned.images is None
        windows = list(group.windows(10_000))
        assert len(windows) == (stop - start) // 10_000
    with pytest.raises(ArgumentError, match="no group 'g9'"):
        groups["g9"]
    for group in Dataset(made.folder, "train").groups():
        assert all(name.startswith("train/") for name in group.names)
        group.close()


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("windows", [None, Windows(duration=30_000), Windows(count=900)], ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_batches_whose_frames_are_made_in_place(
    made: Made, spec: Frames, windows: Windows | None
) -> None:
    pytest.importorskip("torch")
    from evstore.datasets.loading.collate import empty, pad_collate, pad_together

    dataset = Dataset(made.folder, frames=spec, windows=windows)
    numbers = [5, 0, 11, 3]
    wanted = pad_collate([dataset[k] for k in numbers])
    made_once = pad_together(dataset, [numbers], empty)
    found = None if made_once is None else made_once[0]
    if windows is not None and (windows.duration is not None) != spec.by_time:
        assert found is None  # how many frames there are, decoding tells
        return
    assert found is not None
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        assert a.tolist() == b.tolist()
    assert pad_together(Dataset(made.folder), [numbers], empty) is None
    assert pad_together(Dataset(made.folder, frames=spec, transform=abs), [numbers], empty) is None


def test_ids_are_a_sequence(made: Made) -> None:
    dataset = Dataset(made.folder)
    ids = list(dataset.ids)
    assert dataset.ids == ids
    assert dataset.ids != ids[1:]
    assert len(dataset.ids) == len(ids)
    assert dataset.ids[-1] == ids[-1]
    assert list(dataset.ids[2:5]) == ids[2:5]
    assert repr(dataset.ids) == repr(ids)
    assert ids[3] in dataset.ids
    with pytest.raises(IndexError):
        dataset.ids[len(ids)]
