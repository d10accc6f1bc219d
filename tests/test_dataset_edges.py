"""Datasets at their edges: what is handed out is the caller's own, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.datasets.catalogue import Ids
from evstore.datasets.dataset import Dataset
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
