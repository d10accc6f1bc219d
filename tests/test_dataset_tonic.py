"""tonic's own datasets and transforms beside evstore's, of the same files.

Events, targets and whatever tonic's transforms make of them must be equal. The recordings'
order is evstore's, by id with its numbers as numbers. For N-MNIST that is tonic's order; of
DVSGesture tonic takes the files as the file system lists them, on one machine so and on the next
otherwise.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.datasets.dataset import Dataset
from evstore.frames import Frames, to_frames, to_voxel_grid
from tonic_trees import as_tonic, ids_of
from tonic_twins import NAMES, Twins, make_twins, same, same_samples

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tonic = pytest.importorskip("tonic")
    from tonic.transforms import Compose, ToFrame, ToVoxelGrid


@pytest.fixture(scope="module", params=NAMES)
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return make_twins(request, tmp_path_factory)


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
