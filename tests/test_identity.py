"""A saved run goes on with the samples that it was begun with, or says that they are others."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.datasets.catalogue import Catalogue
from evstore.datasets.dataset import Dataset
from evstore.datasets.identity import ids_digest, samples_digest
from evstore.datasets.loading.loader import Loader
from evstore.datasets.loading.sampler import BatchOrder
from evstore.datasets.manifest import make_manifest
from evstore.datasets.windows import Plan, Windows
from evstore.errors import ArgumentError
from some_datasets import Made, make_dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_dataset(
        tmp_path_factory.mktemp("identity") / "set", count=300, a_shard=12, intervals=True
    )


def goes_on(before: Any, after: Any, **options: Any) -> bool:
    state, loader = Loader(before, 2, **options).state_dict(), Loader(after, 2, **options)
    if Loader(after, 2, **options).state_dict() == state:
        loader.load_state_dict(state)
        return True
    with pytest.raises(ArgumentError, match="samples was"):
        loader.load_state_dict(state)
    return False


@pytest.mark.parametrize("shuffle", [False, True])
def test_another_selection_of_equal_length(made: Made, shuffle: bool) -> None:
    whole = Dataset(made.folder)
    first, other = whole.select([0, 1, 2, 3]), whole.select([4, 5, 6, 7])
    assert goes_on(first, Dataset(made.folder).select([0, 1, 2, 3]), shuffle=shuffle)
    assert not goes_on(first, other, shuffle=shuffle)
    assert not goes_on(first, whole.select([0, 1, 3, 2]), shuffle=shuffle)


CUTS = [
    Windows(duration=20_000), Windows(duration=20_000, partial=True), Windows(count=50),
    Windows(labels=True), Windows(labels=True, duration=5000),
]  # fmt: skip


@pytest.mark.parametrize("windows", CUTS, ids=str)
def test_another_selection_of_windows(made: Made, windows: Windows) -> None:
    whole = Dataset(made.folder, windows=windows)
    assert len(set(whole.ids[:3])) == 1
    first = whole.select([0, 1])
    assert goes_on(first, Dataset(made.folder, windows=windows).select([0, 1]), shuffle=False)
    for other in ([1, 2], [1, 0], [0, 2]):
        assert not goes_on(first, whole.select(other), shuffle=False)


def test_other_cuts(made: Made) -> None:
    parts = [Dataset(made.folder, windows=cut).select([0, 1]) for cut in CUTS[2:]]
    parts.append(Dataset(made.folder, windows=Windows(duration=20_000, stride=50)).select([0, 1]))
    parts.append(Dataset(made.folder, windows=Windows(duration=20_001, stride=50)).select([0, 1]))
    digests = {part.samples_digest for part in parts}
    assert len(digests) == len(parts)


def test_what_else_there_is_does_not_matter(tmp_path: Path) -> None:
    """Neither other recordings nor other shards."""
    few = make_dataset(tmp_path / "few", recordings=6, count=100, a_shard=4)
    more = make_dataset(tmp_path / "more", recordings=9, count=100, a_shard=2)
    ids = list(Dataset(few.folder).ids)
    place = {id: k for k, id in enumerate(Dataset(more.folder).ids)}
    same = Dataset(more.folder).select([place[id] for id in ids])
    assert goes_on(Dataset(few.folder), same, shuffle=False)
    assert same.samples_digest == Dataset(few.folder).samples_digest


class Named:
    """A dataset of someone else's."""

    def __init__(self, ids: list[Any] | None) -> None:
        if ids is not None:
            self.ids = ids

    def __len__(self) -> int:
        return 4


def test_names_that_others_give() -> None:
    names: list[Any] = ["a", "b\n", "\udcff", 4]
    assert goes_on(Named(names), Named(list(names)))
    assert not goes_on(Named(names), Named([*names[:3], "4"]))
    assert goes_on(Named(None), Named(None))


def test_ten_million_windows_are_told_apart_quickly() -> None:
    rows = [
        {"id": str(k), "part": 0, "shard": "a.evs", "position": k, "first_event": 0, "events": 9,
         "t_first": 0, "t_min": 0, "t_max": 9, "boxes": 0, "root": k.to_bytes(32, "big")}
        for k in range(1000)
    ]  # fmt: skip
    catalogue, n = Catalogue(make_manifest(rows)), 10_000_000
    start = np.arange(n)
    recording = start // 10_000
    plan = Plan(recording, start, start + 10, True, None, 10)
    tracemalloc.start()
    before = samples_digest(catalogue, recording, plan)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6
    start[-1] += 1
    begun = time.process_time()
    assert samples_digest(catalogue, recording, plan) != before
    assert time.process_time() - begun < 2  # 0.06 alone; shared machines vary
    assert BatchOrder(range(n), 5, shuffle=False).state_after(1)


def test_names_that_no_other_run_has() -> None:
    digest = ids_digest(["a", "b", 3])
    assert digest == ids_digest(np.array(["a", "b", 3], object))
    assert digest == ids_digest([np.str_("a"), np.str_("b"), np.int64(3)])
    assert digest != ids_digest(["a", "b", "3"])
    assert ids_digest(["a", object()]) == ""
