"""Datasets of evstore and tonic's own of the same files, and whether they give the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore.datasets
from evstore.datasets.dataset import Dataset
from tonic_trees import as_tonic, gesture_tree, ids_of, nmnist_tree

NAMES = ["NMNIST", "DVSGesture"]


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


def make_twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Of the name that the fixture has as its parameter; packed."""
    root = tmp_path_factory.mktemp(request.param)
    if request.param == "NMNIST":
        nmnist_tree(root, request.getfixturevalue("data_dir"))
    else:
        gesture_tree(root, 5)
    made = Twins(request.param, root)
    made.ours()
    return made


def same(a: Any, b: Any) -> None:
    """Equal, of the same dtype and kind."""
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    if isinstance(a, np.ndarray):
        assert np.array_equal(a, b)
    else:
        assert a.equal(b)


def same_samples(ours: Any, theirs: Any) -> None:
    assert len(ours) == len(theirs) > 0
    for (a, target), (b, wanted) in zip(ours, theirs, strict=True):
        same(a, b)
        assert type(target) is type(wanted)
        assert target == wanted
