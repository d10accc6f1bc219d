"""Datasets at their edges: what is handed out is the caller's own, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evstore.datasets.catalogue import Ids
from evstore.datasets.dataset import Dataset
from evstore.errors import ArgumentError
from some_datasets import Made, make_dataset


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
