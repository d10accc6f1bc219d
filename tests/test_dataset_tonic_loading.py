"""tonic's own collation, slices and caches, and torch's loaders, run on evstore's datasets.

What they make of evstore's must be equal to what they make of tonic's own of the same files.
"""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.datasets.dataset import Dataset
from evstore.datasets.windows import Windows
from evstore.frames import Frames
from tonic_twins import NAMES, Twins, make_twins, same, same_samples

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tonic = pytest.importorskip("tonic")
    from tonic import slicers
    from tonic.collation import PadTensors
    from tonic.transforms import Compose, ToFrame

from torch.utils.data import DataLoader  # noqa: E402


@pytest.fixture(scope="module", params=NAMES)
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return make_twins(request, tmp_path_factory)


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
