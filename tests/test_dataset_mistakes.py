"""What is easily got wrong with datasets: it is said, and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from some_datasets import make_dataset, random_events

pytest.importorskip("pyarrow")

DTYPE = [("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"windows": 10_000}, r"windows must be Windows\(\.\.\.\), got 10000"),
        ({"frames": 10}, r"frames must be Frames\(\.\.\.\), got 10"),
        ({"geometry": (0, 0, 8, 8)}, r"geometry must be Geometry\(\.\.\.\), got \(0, 0, 8, 8\)"),
    ],
)
def test_plain_values_for_specifications(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    made = make_dataset(tmp_path / "made", recordings=1)
    with pytest.raises(evstore.ArgumentError, match=says):
        evstore.Dataset(made.folder, **options)


@pytest.mark.parametrize("name", ["duration", "count"])
def test_lengths_of_windows_are_whole(name: str) -> None:
    with pytest.raises(evstore.ArgumentError, match=rf"{name} must be an integer, got 0\.01"):
        evstore.Windows(**{name: 0.01})
    assert type(getattr(evstore.Windows(**{name: np.int64(5)}), name)) is int


def test_a_slice_of_samples(tmp_path: Path) -> None:
    dataset = evstore.Dataset(make_dataset(tmp_path / "made", recordings=3).folder)
    with pytest.raises(TypeError, match=r"is an integer, got slice\(0, 2, None\): select\(\)"):
        dataset[0:2]  # type: ignore[index]
    assert dataset[np.int64(-1)][1] == dataset[2][1]


def test_a_file_that_is_no_shard(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"% evt 3.0\n")
    with pytest.raises(evstore.ArgumentError, match=r"is no shard\. `evstore pack` makes"):
        evstore.Dataset(tmp_path / "a.raw")


def test_shards_smaller_than_a_recording(tmp_path: Path) -> None:
    """Each holds one recording: a shard of none would be made for ever."""
    samples = [(random_events(k, 50).to_structured(DTYPE), k) for k in range(3)]
    evstore.pack(samples, tmp_path / "packed", shard_bytes=1)
    dataset = evstore.Dataset(tmp_path / "packed")
    assert sorted(dataset.labels.tolist()) == [0, 1, 2]
    assert sorted(dataset.shard_numbers.tolist()) == [0, 1, 2]


def test_groups_say_which_they_are(tmp_path: Path) -> None:
    dataset = evstore.Dataset(make_dataset(tmp_path / "made", recordings=4).folder)
    for name, group in zip(dataset.groups().names, dataset.groups(), strict=True):
        with group:
            assert group.name == name
            assert repr(group).startswith(f"Group({name}: ")
