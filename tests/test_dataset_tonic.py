"""tonic's own transforms, collation, slices and caches, run on evstore's datasets.

tonic's own dataset classes read the same files beside: events, targets and whatever tonic makes
of them must be equal. The recordings' order is evstore's, by id with its numbers as numbers. For
N-MNIST that is tonic's order; of DVSGesture tonic takes the files as the file system lists them,
on one machine so and on the next otherwise.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore.datasets
from evstore.datasets.dataset import Dataset
from evstore.datasets.windows import Windows
from evstore.frames import Frames, to_frames, to_voxel_grid
from tonic_trees import as_tonic, gesture_tree, ids_of, nmnist_tree

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tonic = pytest.importorskip("tonic")
    from tonic import slicers
    from tonic.collation import PadTensors
    from tonic.transforms import Compose, ToFrame, ToVoxelGrid

from torch.utils.data import DataLoader  # noqa: E402


@dataclass
class Twins:
    """A dataset of evstore's by name, and tonic's of the same files."""

    name: str
    root: Path

    @property
    def packed(self) -> Path:
        return self.root / f"{self.name}-evs"

    @property
    def size(self) -> tuple[int, int, int]:
        size: tuple[int, int, int] = self.named.sensor_size
        return size

    @property
    def named(self) -> Any:
        return getattr(evstore.datasets, self.name)

    def ours(self, train: bool = True, **options: Any) -> Dataset:
        made: Dataset = self.named(str(self.root), train=train, **options)
        return made

    def theirs(self, train: bool = True, **options: Any) -> Any:
        """tonic's, its files in evstore's order."""
        made = as_tonic(self.name, self.root, train=train, **options)
        where = {id: k for k, id in enumerate(ids_of(made))}
        order = [where[id] for id in Dataset(self.packed, "train" if train else "test").ids]
        assert sorted(order) == list(range(len(made)))
        made.data = [made.data[k] for k in order]
        made.targets = [made.targets[k] for k in order]
        return made


@pytest.fixture(scope="module", params=["NMNIST", "DVSGesture"])
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    root = tmp_path_factory.mktemp(request.param)
    if request.param == "NMNIST":
        nmnist_tree(root, request.getfixturevalue("data_dir"))
    else:
        gesture_tree(root, 5)
    made = Twins(request.param, root)
    made.ours()  # packs it
    return made


def same(a: Any, b: Any) -> None:
    """Equal, of the same dtype and kind."""
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    if isinstance(a, np.ndarray):
        assert np.array_equal(a, b)
    else:
        assert torch.equal(a, b)


def same_samples(ours: Any, theirs: Any) -> None:
    assert len(ours) == len(theirs) > 0
    for (a, target), (b, wanted) in zip(ours, theirs, strict=True):
        same(a, b)
        assert type(target) is type(wanted)
        assert target == wanted


# ------------------------------------------------------------------------ the datasets themselves


@pytest.mark.parametrize("train", [True, False])
def test_events_and_targets(twins: Twins, train: bool) -> None:
    ours, theirs = twins.ours(train), twins.theirs(train)
    same_samples(ours, theirs)
    assert list(ours.targets) == theirs.targets
    for said in ("sensor_size", "dtype", "ordering"):
        assert getattr(ours, said) == getattr(twins.named, said) == getattr(theirs, said)
    assert ours.classes == twins.named.classes == theirs.classes


def test_order_is_tonics_where_tonic_has_one(twins: Twins) -> None:
    theirs = ids_of(as_tonic(twins.name, twins.root, train=True))
    if twins.name == "NMNIST":
        assert list(twins.ours().ids) == theirs
    else:
        assert list(twins.ours().ids) == [
            f"train/{trial}/{label}"
            for trial in ("user02_lab", "user02_led", "user10_natural")
            for label in (0, 2, 10)
        ]
        assert sorted(twins.ours().ids) == sorted(theirs)


def test_every_transform_is_called_as_tonic_calls_it(twins: Twins) -> None:
    def both(events: Any, target: Any) -> tuple[Any, Any]:
        return events["t"] + target, target - 1

    options: dict[str, Any] = {
        "transform": lambda events: events[::2], "target_transform": lambda target: 2 * target,
        "transforms": both,
    }  # fmt: skip
    same_samples(twins.ours(**options), twins.theirs(**options))


def test_positions_of_arguments(twins: Twins) -> None:
    assert twins.named(twins.root, False, len)[0][0] == twins.ours(False).n_events[0]


def test_home_is_found(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(twins.root.parent))
    assert len(twins.named(f"~/{twins.root.name}")) == len(twins.ours())


def test_iterating_ends(twins: Twins) -> None:
    assert sum(1 for _ in twins.ours()) == len(twins.ours())


# ------------------------------------------------------------------------ transforms


WAYS: list[tuple[dict[str, Any], Frames]] = [
    ({"n_time_bins": 10}, Frames(bins=10)),
    ({"time_window": 20_000}, Frames(duration=20_000)),
    ({"time_window": 30_000, "overlap": 10_000}, Frames(duration=30_000, stride=20_000)),
    ({"time_window": 30_000, "include_incomplete": True}, Frames(duration=30_000, partial=True)),
    ({"event_count": 700}, Frames(count=700)),
    ({"event_count": 700, "overlap": 100}, Frames(count=700, stride=600)),
    ({"n_event_bins": 6}, Frames(event_bins=6)),
]


@pytest.mark.parametrize(("how", "spec"), WAYS, ids=str)
def test_to_frame(twins: Twins, how: dict[str, Any], spec: Frames) -> None:
    """As a transform, and straight from chunks. (Where tonic is wrong: `test_frames_tonic.py`.)"""
    transform = ToFrame(sensor_size=twins.size, **how)
    theirs = twins.theirs(transform=transform)
    same_samples(twins.ours(transform=transform), theirs)
    same_samples(twins.ours(frames=spec), theirs)
    named = Dataset(twins.packed, "train", dtype=twins.named.dtype, transform=transform)
    same_samples(named, theirs)


def test_to_frame_of_every_dtype(twins: Twins) -> None:
    transform = ToFrame(sensor_size=twins.size, n_time_bins=7)
    wanted = [frames for frames, _ in twins.theirs(transform=transform)]
    for dtype in ("tonic", "tonic-bool", "dvsgesture", "nmnist", "dsec", "davis", "packed"):
        dataset = Dataset(twins.packed, "train", dtype=dtype, transform=transform)
        for (frames, _), theirs in zip(dataset, wanted, strict=True):
            same(frames, theirs)


def test_to_voxel_grid(twins: Twins) -> None:
    transform = ToVoxelGrid(sensor_size=twins.size, n_time_bins=5)
    same_samples(twins.ours(transform=transform), twins.theirs(transform=transform))
    # tonic's of a polarity that is a bool counts OFF as ON; of evstore.Dataset's p it is right
    signed = Dataset(twins.packed, "train", transform=transform)
    grid = partial(to_voxel_grid, bins=5, resolution=twins.size[:2], dtype="float64")
    ours = Dataset(twins.packed, "train", transform=grid)
    for (right, _), (a, _) in zip(signed, ours, strict=True):
        np.testing.assert_allclose(a, right, rtol=0, atol=1e-9)


def test_compose(twins: Twins) -> None:
    """What tonic has that neither draws nor needs a larger sensor."""
    half = (*(side // 2 for side in twins.size[:2]), 2)
    transform = Compose([
        tonic.transforms.CropTime(min=10_000, max=250_000),
        tonic.transforms.Denoise(filter_time=20_000),
        tonic.transforms.TimeAlignment(),
        tonic.transforms.CenterCrop(sensor_size=twins.size, size=half[:2]),
        ToFrame(sensor_size=half, n_time_bins=4),
    ])  # fmt: skip
    same_samples(twins.ours(transform=transform), twins.theirs(transform=transform))


def test_transforms_that_write_into_events_change_nothing(twins: Twins) -> None:
    """ToFrame writes p = 0 for one polarity, RefractoryPeriod and others in place too."""

    def write(events: Any) -> Any:
        for name in events.dtype.names:
            events[name] = 0
        return events

    writing = twins.ours(transform=write)
    assert not writing[0][0]["t"].any()
    writing.transform = None
    same(writing[0][0], twins.theirs()[0][0])


# ------------------------------------------------------------------------ loaders


def test_the_snippet_of_the_talk(twins: Twins) -> None:
    """One import is another: tonic.datasets is evstore.datasets."""
    if twins.name != "DVSGesture":
        pytest.skip("it trains on DVSGesture")
    save_to = str(twins.root)
    from evstore.datasets import DVSGesture

    transform = ToFrame(sensor_size=DVSGesture.sensor_size, n_time_bins=10)
    dataset = DVSGesture(save_to, train=True, transform=transform)
    loader = DataLoader(dataset, batch_size=8, collate_fn=PadTensors(batch_first=True))
    theirs = DataLoader(
        twins.theirs(transform=transform), batch_size=8, collate_fn=PadTensors(batch_first=True)
    )
    sizes = []
    for (frames, targets), (wanted, labels) in zip(loader, theirs, strict=True):
        same(frames, wanted)
        same(targets, labels)
        sizes.append(tuple(frames.shape))
    assert sizes == [(8, 10, 2, 128, 128), (1, 10, 2, 128, 128)]


@pytest.mark.parametrize("batch_first", [True, False])
def test_data_loader_with_workers(twins: Twins, batch_first: bool) -> None:
    options: dict[str, Any] = {
        "batch_size": 4, "shuffle": True, "collate_fn": PadTensors(batch_first=batch_first)
    }  # fmt: skip
    transform = ToFrame(sensor_size=twins.size, time_window=20_000)
    batches = []
    for dataset, workers in (
        (twins.ours(transform=transform), 2),
        (twins.ours(frames=Frames(duration=20_000)), 0),
        (twins.theirs(transform=transform), 0),
    ):
        generator = torch.Generator().manual_seed(3)
        batches.append(DataLoader(dataset, num_workers=workers, generator=generator, **options))
    for a, b, wanted in zip(*batches, strict=True):
        for made in (a, b):
            same(made[0], wanted[0])
            same(made[1], wanted[1])


class Counted(Dataset):
    """Counts how often several samples are asked for at once."""

    asked = 0

    def __getitems__(self, indices: Any) -> list[tuple[Any, Any]]:
        self.asked += 1
        return super().__getitems__(indices)


def test_torch_asks_for_several_at_once(twins: Twins) -> None:
    dataset = Counted(twins.packed, "train", frames=Frames(bins=2))
    sum(1 for _ in DataLoader(dataset, batch_size=4))
    assert dataset.asked == -(-len(dataset) // 4)


def test_subset_concatenation_and_random_split(twins: Twins) -> None:
    from torch.utils.data import ConcatDataset, Subset, random_split

    ours, theirs = twins.ours(), twins.theirs()
    same_samples(Subset(ours, [3, 0]), Subset(theirs, [3, 0]))
    joined = ConcatDataset([ours, twins.ours(False)]), ConcatDataset([theirs, twins.theirs(False)])
    same_samples(*joined)
    parts = [
        random_split(of, [0.75, 0.25], torch.Generator().manual_seed(1))[1] for of in (ours, theirs)
    ]
    same_samples(*parts)


# ------------------------------------------------------------------------ slices

SLICERS = [
    slicers.SliceByTime(time_window=50_000),
    slicers.SliceByTime(time_window=70_000, overlap=20_000, include_incomplete=True),
    slicers.SliceByTimeBins(bin_count=4, overlap=0.25),
    slicers.SliceByEventCount(event_count=900),
    slicers.SliceByEventCount(event_count=900, overlap=300, include_incomplete=True),
    slicers.SliceByEventBins(bin_count=3),
    slicers.SliceAtIndices(np.array([0, 100]), np.array([50, 170])),
    slicers.SliceAtTimePoints(np.array([10_000, 90_000]), np.array([20_000, 120_000])),
]


@pytest.mark.parametrize("slicer", SLICERS, ids=str)
def test_sliced_dataset(twins: Twins, slicer: Any) -> None:
    ours = tonic.SlicedDataset(twins.ours(), slicer=slicer)
    same_samples(ours, tonic.SlicedDataset(twins.theirs(), slicer=slicer))


def test_slices_kept_in_a_file_and_turned_into_frames(twins: Twins, tmp_path: Path) -> None:
    options = {
        "slicer": slicers.SliceByTime(time_window=60_000),
        "transform": ToFrame(sensor_size=twins.size, n_time_bins=3),
        "metadata_path": str(tmp_path / "slices"),
    }
    theirs = tonic.SlicedDataset(twins.theirs(), **options)  # writes where the slices are
    ours = tonic.SlicedDataset(twins.ours(), **options)  # reads it
    same_samples(ours, theirs)
    loader = DataLoader(ours, batch_size=5, num_workers=1, collate_fn=PadTensors())
    assert sum(len(targets) for _, targets in loader) == len(theirs)


def windows_of(twins: Twins, windows: Windows) -> Dataset:
    return Dataset(twins.packed, "train", dtype=twins.named.dtype, windows=windows)


@pytest.mark.parametrize(
    ("slicer", "windows"),
    [
        (SLICERS[0], Windows(duration=50_000)),
        (SLICERS[3], Windows(count=900)),
        (slicers.SliceByEventCount(900, 300), Windows(count=900, stride=600)),
    ],
    ids=str,
)
def test_windows_are_tonics_slices(twins: Twins, slicer: Any, windows: Windows) -> None:
    """Planned from the index alone. But where tonic gives one incomplete slice of a recording
    that is shorter than a slice, evstore gives none."""
    theirs = tonic.SlicedDataset(twins.theirs(), slicer=slicer)
    short = [k for k in range(len(theirs)) if is_short(twins, theirs, k, windows)]
    whole = [theirs[k] for k in range(len(theirs)) if k not in short]
    same_samples(windows_of(twins, windows), whole)


def is_short(twins: Twins, sliced: Any, k: int, windows: Windows) -> bool:
    events, _ = sliced.dataset[sliced.slice_dataset_map[k][0]]
    if windows.count is not None:
        return len(events) < windows.count
    return int(events["t"][-1] - events["t"][0]) < (windows.duration or 0)


# ------------------------------------------------------------------------ caches


@pytest.mark.parametrize("device", [None, "cpu"])
def test_memory_cached_dataset(twins: Twins, device: str | None) -> None:
    transform = ToFrame(sensor_size=twins.size, n_time_bins=3)
    if device is not None:  # tonic wants tensors then
        options: dict[str, Any] = {
            "transform": Compose([transform, torch.tensor]), "target_transform": torch.tensor
        }  # fmt: skip
    else:
        options = {"transform": transform}
    kept = [
        tonic.MemoryCachedDataset(of, device=device, transform=lambda frames: frames + 1)
        for of in (twins.ours(**options), twins.theirs(**options))
    ]
    for _ in range(2):
        same_samples(*kept)
    assert sorted(kept[0].samples_dict) == list(range(len(kept[0])))


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("frames", [True, False])
def test_disk_cached_dataset(twins: Twins, tmp_path: Path, compress: bool, frames: bool) -> None:
    """Of frames and of events; read again without the dataset behind it."""
    options: dict[str, Any] = {}
    if frames:
        options["transform"] = ToFrame(sensor_size=twins.size, n_time_bins=3)
    datasets = twins.ours(**options), twins.theirs(**options)
    kept = [
        tonic.DiskCachedDataset(of, cache_path=str(tmp_path / str(k)), compress=compress)
        for k, of in enumerate(datasets)
    ]
    for _ in range(2):
        same_samples(*kept)
    again = tonic.DiskCachedDataset(None, cache_path=str(tmp_path / "0"))
    same_samples([again[k] for k in range(len(again))], kept[1])


def test_disk_cache_filled_by_workers(twins: Twins, tmp_path: Path) -> None:
    sliced = tonic.SlicedDataset(
        twins.ours(), slicer=slicers.SliceByTimeBins(2),
        transform=ToFrame(sensor_size=twins.size, n_time_bins=3),
    )  # fmt: skip
    cached = tonic.DiskCachedDataset(sliced, cache_path=str(tmp_path))
    loader = DataLoader(cached, batch_size=4, num_workers=2, collate_fn=PadTensors())
    first, second = ([frames for frames, _ in loader] for _ in range(2))
    for a, b in itertools.zip_longest(first, second):
        same(a, b)
    assert len(list(tmp_path.iterdir())) == len(sliced)


# ------------------------------------------------------------------------ and back again


def test_tonics_dataset_packed_is_the_same(twins: Twins, tmp_path: Path) -> None:
    """A dataset object goes into shards, in its own order, and comes out as it was."""
    theirs = as_tonic(twins.name, twins.root, train=False)
    from evstore.datasets.packing.pack import pack

    pack(theirs, tmp_path / "packed", split="test")
    ours = Dataset(tmp_path / "packed", "test", dtype=theirs.dtype)
    same_samples(ours, theirs)
    assert ours.classes == theirs.classes
    made = to_frames(ours[0][0], Frames(bins=2), resolution=twins.size[:2])
    same(Dataset(tmp_path / "packed", frames=Frames(bins=2))[0][0], made)
