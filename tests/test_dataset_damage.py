"""Shards that are deleted, cut or flipped while a loader reads them: named, or skipped alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batches_in_hand import AHEAD, WATCHED_S, equal, expect_no_child, flat, handed, joined, numbers
from evstore import Dataset, Frames, Loader, pad_collate
from evstore.datasets.loading.order import epoch_order, replacement
from evstore.errors import CorruptError, TruncatedError
from some_datasets import Made, make_dataset

pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-:DeprecationWarning")


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    yield
    expect_no_child()


def delete(shard: Path) -> None:
    shard.unlink()


def truncate(shard: Path) -> None:
    os.truncate(shard, shard.stat().st_size // 2)


def flip(shard: Path) -> None:
    """A bit of the events of its first recording."""
    at = shard.stat().st_size // 5
    with open(shard, "r+b") as file:
        file.seek(at)
        (value,) = file.read(1)
        file.seek(at)
        file.write(bytes([value ^ 16]))


DAMAGE: dict[str, tuple[Callable[[Path], None], type[Exception]]] = {
    "deleted": (delete, FileNotFoundError),
    "truncated": (truncate, TruncatedError),
    "flipped": (flip, CorruptError),
}


@pytest.fixture(params=DAMAGE)
def damage(request: pytest.FixtureRequest) -> tuple[Callable[[Path], None], type[Exception]]:
    return DAMAGE[request.param]


def small(folder: Path) -> tuple[Made, Dataset]:
    """Six shards of two recordings each; longer than what is read, and checked, to open one."""
    made = make_dataset(folder, recordings=12, a_shard=2, count=20_000)
    return made, Dataset(made.folder, frames=Frames(bins=2))


def shard_of(dataset: Dataset, number: int) -> tuple[Path, list[str]]:
    """The shard that a sample lies in, and the ids of all that lie there."""
    shard = dataset.shard_numbers[number]
    ids = [dataset.ids[i] for i in np.flatnonzero(dataset.shard_numbers == shard)]
    return Path(dataset.path) / f"part-{shard}.evs", ids


def names(said: str, shard: Path, ids: list[str]) -> bool:
    return shard.name in said and any(f"recording '{id}'" in said for id in ids)


@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_damage_under_a_running_loader_is_named(
    tmp_path: Path, damage: tuple[Callable[[Path], None], type[Exception]], workers: Any
) -> None:
    harm, error = damage
    _, dataset = small(tmp_path)
    loader = Loader(dataset, 2, window=1, num_workers=2, prefetch_factor=1, workers=workers)
    shard, ids = shard_of(dataset, int(epoch_order(12, 0, 0, shards=dataset.shard_numbers,
                                                   window=1)[-1]))  # fmt: skip
    batches = iter(loader)
    next(batches)
    harm(shard)
    started = time.monotonic()
    with pytest.raises(error) as caught:
        list(batches)
    assert names(str(caught.value), shard, ids)
    assert "sample " in str(caught.value)
    assert time.monotonic() - started < WATCHED_S


def test_damage_to_shards_that_workers_have_open(
    tmp_path: Path, damage: tuple[Callable[[Path], None], type[Exception]]
) -> None:
    """A file that is gone is still read by who has it open; else it is found, and named."""
    harm, error = damage
    _, dataset = small(tmp_path)
    loader = Loader(dataset, 2, persistent_workers=True, shuffle=False, **AHEAD)
    wanted = list(loader)
    shard, ids = shard_of(dataset, 4)
    harm(shard)
    if error is FileNotFoundError:
        for a, b in zip(loader, wanted, strict=True):
            equal(a, b)
    else:
        with pytest.raises(error) as caught:
            list(loader)
        assert names(str(caught.value), shard, ids)
        expect_no_child()  # though the traceback keeps what keeps them
    del loader


@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_damage_under_a_running_loader_is_skipped(
    tmp_path: Path, damage: tuple[Callable[[Path], None], type[Exception]], workers: Any
) -> None:
    """Replaced, counted and named; all that is handed out is right."""
    harm, _ = damage
    _, dataset = small(tmp_path)
    order = epoch_order(12, 0, 0, shards=dataset.shard_numbers, window=1)
    shard, ids = shard_of(dataset, int(order[-1]))
    loader = Loader(dataset, 2, window=1, num_workers=2, prefetch_factor=1, workers=workers,
                    on_error="skip")  # fmt: skip
    whole = [dataset[i] for i in range(12)]
    dataset._shards.close()
    got = []
    for batch in loader:
        if not got:
            harm(shard)
        got += handed(loader)
        equal(batch, pad_collate([whole[i] for i in handed(loader)]))
    assert len(got) == 12
    assert 0 < len({one.id for one in loader.skipped}) <= len(ids)
    assert {one.id for one in loader.skipped} <= set(ids)
    assert all(shard.name in one.error for one in loader.skipped)
    places = {one.position for one in loader.skipped}
    assert [k for k in range(12) if got[k] != order[k]] == sorted(places)
    assert not {dataset.ids[i] for i in got} & {one.id for one in loader.skipped}


def test_ranks_skip_alike(
    tmp_path: Path, damage: tuple[Callable[[Path], None], type[Exception]]
) -> None:
    harm, error = damage
    _, dataset = small(tmp_path)
    for number in (3, 8):
        harm(shard_of(dataset, number)[0])
    bad = set()
    for i in range(12):
        try:
            dataset[i]
        except error:
            bad.add(i)
    assert len(bad) == (2 if harm is flip else 4)
    expected = [
        next(
            i for i in (wanted, *(replacement(7, 0, k, n, 12) for n in range(1, 17)))
            if i not in bad
        )
        for k, wanted in enumerate(epoch_order(12, 7, 0, shards=dataset.shard_numbers).tolist())
    ]  # fmt: skip
    skipped = None
    for world, ahead in ((1, {}), (2, {"num_workers": 1}), (4, {"num_workers": 1})):
        ranks = [
            Loader(dataset, global_batch=4, seed=7, on_error="skip", rank=rank, world=world,
                   **(ahead if rank < 2 else {}))
            for rank in range(world)
        ]  # fmt: skip
        assert flat(joined([numbers(rank) for rank in ranks])) == expected
        named = sorted((one.position, one.id) for rank in ranks for one in rank.skipped)
        assert skipped in (None, named)
        assert {id for _, id in named} == {dataset.ids[i] for i in bad}
        skipped = named


def test_nothing_to_read_is_an_error_even_when_skipping(tmp_path: Path) -> None:
    made, dataset = small(tmp_path)
    for shard in made.folder.glob("*.evs"):
        shard.unlink()
    with pytest.raises(FileNotFoundError, match="16 in place of others"):
        numbers(Loader(dataset, 4, on_error="skip", num_workers=1))


def test_another_dataset_in_its_place(tmp_path: Path) -> None:
    """Packed anew under a running loader: never a mixture without a word."""
    made, dataset = small(tmp_path)
    batches = iter(Loader(dataset, 2, window=1, num_workers=1, prefetch_factor=1))
    next(batches)
    anew = make_dataset(tmp_path / "anew", recordings=12, a_shard=2, count=20_001).folder
    for file in anew.iterdir():
        os.replace(file, made.folder / file.name)
    with pytest.raises(CorruptError, match="not the shard that the manifest was made of"):
        list(batches)
