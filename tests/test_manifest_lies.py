"""A manifest that lies: it is a file like any other, and may come from anyone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evstore.datasets.checking import check_dataset
from evstore.datasets.dataset import Dataset
from evstore.datasets.indexing import index
from evstore.datasets.manifest import Manifest, make_manifest, read_manifest, write_manifest
from evstore.datasets.packing.shards import find_shards
from evstore.datasets.stats import stats
from evstore.datasets.windows import Windows
from evstore.errors import ArgumentError, CorruptError
from evstore.shard.writer import ShardWriter
from some_datasets import RESOLUTION, make_dataset, random_events


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "set", recordings=4, a_shard=2, count=200, preset="fast").folder


def lie(folder: Path, column: str, values: dict[int, Any]) -> None:
    """Say other values in some rows of a column."""
    said = read_manifest(folder)
    place = said.table.column_names.index(column)
    cells = said.table.column(column).to_pylist()
    for row, value in values.items():
        cells[row] = value
    field = said.table.schema.field(place)
    table = said.table.set_column(place, field, pa.array(cells, field.type))
    write_manifest(Manifest(table, said.classes, said.about), folder)


@pytest.mark.parametrize("name", ["../other.evs", "a/../../other.evs", "/other.evs", "./part-0.evs",
                                  "", "a//b.evs", "..", "part-0.evs\0"])  # fmt: skip
def test_shards_outside_the_folder_are_never_opened(folder: Path, name: str) -> None:
    shutil.move(folder / "part-0.evs", folder.parent / "other.evs")
    lie(folder, "shard", dict.fromkeys((0, 1, 2, 3), name))
    for read in (Dataset, stats):
        with pytest.raises(CorruptError, match="a shard that is not below the manifest's folder"):
            read(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("position", value) for value in (-1, 1 << 40)),
        *(("events", value) for value in (-5, 1 << 60)),
        *(("width", value) for value in (0, -3, 70_000)),
        *(("part", -1), ("first_event", -1), ("boxes", -1), ("height", 1 << 30)),
    ],
)
def test_numbers_that_cannot_be(folder: Path, column: str, value: int) -> None:
    lie(folder, column, {1: value})
    with pytest.raises(CorruptError, match=f"a number that cannot be.*{column}"):
        Dataset(folder)


def test_another_position_is_another_recording(folder: Path) -> None:
    dataset = Dataset(folder)
    here = dict(zip(dataset.ids, range(4), strict=True))["train/1"]
    lie(folder, "position", {here: 0})
    with pytest.raises(CorruptError, match="not the shard that the manifest was made of"):
        Dataset(folder)[here]


@pytest.mark.parametrize("parts", [{1: 2}, {1: 1}, {1: 1, 2: 1}, {0: 1}])
def test_parts_of_several_recordings_are_not_joined(folder: Path, parts: dict[int, int]) -> None:
    lie(folder, "part", parts)
    with pytest.raises(CorruptError, match="part"):
        Dataset(folder)


@pytest.mark.parametrize("interval", [
    {"t_start": 5, "t_stop": 4, "class_id": 0}, {"t_start": None, "t_stop": 4, "class_id": 0},
    {"t_start": 1, "t_stop": 4, "class_id": None}, None])  # fmt: skip
def test_labelled_times_that_cannot_be(folder: Path, interval: Any) -> None:
    lie(folder, "intervals", {1: [interval]})
    with pytest.raises(CorruptError, match="labelled times of the manifest cannot be"):
        Dataset(folder, windows=Windows(labels=True))


# ---------------------------------------------------------------- shards that lie


def shard_of(folder: Path, said: dict[str, Any]) -> None:
    """A dataset of one recording with this metadata."""
    folder.mkdir(exist_ok=True)
    with (
        ShardWriter(folder / "a.evs", preset="fast") as shard,
        shard.recording("r", resolution=RESOLUTION, metadata=said) as out,
    ):
        out.write(random_events(0, 50))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"columns": 5}, "columns"),
        ({"columns": [1]}, "columns"),
        ({"dataset": "x"}, "dataset"),
        ({"dataset": {"classes": 5}}, "classes"),
        ({"dataset": {"classes": [1, 2]}}, "classes"),
    ],
)
def test_metadata_that_means_nothing(tmp_path: Path, said: dict[str, Any], field: str) -> None:
    shard_of(tmp_path, said)
    for read in (index, lambda folder: Dataset(folder / "a.evs"), find_shards):
        with pytest.raises(CorruptError, match=rf"a.evs.*recording 'r' says.*{field}"):
            read(tmp_path)


def test_a_shard_gives_no_rule_and_no_version(tmp_path: Path) -> None:
    shard_of(
        tmp_path, {"dataset": {"split": 5, "version": 99, "layout": "x"}, "source": {"name": 5}}
    )
    index(tmp_path)
    assert read_manifest(tmp_path).about == {"layout": "x"}
    assert read_manifest(tmp_path).values("source") == ["5"]
    check_dataset(tmp_path)


def test_whole_numbers_among_floats_stay_exact() -> None:
    exact, large = [1, 0.5, None], [(1 << 53) + 1, 0.5, None]
    for values in (exact, large):
        rows = [
            {"id": str(k), "part": 0, "shard": "a.evs", "position": k, "first_event": 0,
             "events": 0, "t_first": 0, "t_min": 0, "t_max": -1, "root": bytes(32), "boxes": 0,
             "columns": {"c": value}}
            for k, value in enumerate(values)
        ]  # fmt: skip
        assert make_manifest(rows).values("c") == values


def test_a_split_is_a_name(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="no split 3; its splits are 'test', 'train'"):
        Dataset(folder, 3)  # type: ignore[arg-type]
