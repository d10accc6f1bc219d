"""Manifests that are small in the file and huge in memory are refused before they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from evstore.datasets.dataset import Dataset
from evstore.datasets.manifest import KEY, NAME, make_manifest, read_manifest, write_manifest
from evstore.datasets.packing.table import find_table
from evstore.datasets.parquet_size import MOST_BYTES, MOST_TIMES, read_bounded
from evstore.errors import FormatError


def row(k: int, **said: Any) -> dict[str, Any]:
    return {
        "id": str(k), "part": 0, "split": "train", "shard": "a.evs", "position": k,
        "first_event": 0, "events": 4000, "t_first": 0, "t_min": 0, "t_max": 9, "boxes": 0,
        "root": bytes(32), "source": "one.raw", **said,
    }  # fmt: skip


def table_of(**columns: Any) -> pa.Table:
    """A manifest's table whose columns are these arrays, or else one value in every row."""
    n = max(len(column) for column in columns.values() if not isinstance(column, int))
    plain = make_manifest([row(0)]).table
    for number, field in enumerate(plain.schema):
        value = plain.column(number).combine_chunks().cast(field.type)
        made = columns.get(field.name, pa.repeat(value[0], n) if value[0].is_valid else None)
        made = pa.nulls(n, field.type) if made is None else made
        columns[field.name] = made
    names = [*plain.column_names, *(name for name in columns if name not in plain.column_names)]
    metadata = {KEY: json.dumps({"version": 1})}
    return pa.table([columns[name] for name in names], names, metadata=metadata)


def rows_of_nothing(n: int) -> pa.Table:
    return table_of(part=pa.repeat(pa.scalar(0, pa.int32()), n))


def meant_often(n: int, size: int) -> pa.Table:
    """A long text that stands in the file once."""
    which = pa.repeat(pa.scalar(0, pa.int32()), n)
    texts = pa.DictionaryArray.from_arrays(which, pa.array(["x" * size]))
    return table_of(part=pa.repeat(pa.scalar(0, pa.int32()), n), source=texts)


def rows_of_zeros(size: int) -> pa.Table:
    return table_of(id=pa.array(["\0" * size] * 1))


def many_intervals(n: int) -> pa.Table:
    one = pa.array([{"t_start": 0, "t_stop": 0, "class_id": 0}])
    kind = make_manifest([row(0)]).table.schema.field("intervals").type
    values = one.take(pa.repeat(pa.scalar(0), n)).cast(kind.value_type)
    lists = pa.ListArray.from_arrays(pa.array([0, n], pa.int32()), values).cast(kind)
    return table_of(intervals=lists)


def many_columns(n: int, count: int) -> pa.Table:
    own = {f"c{k}": pa.nulls(n, pa.int64()) for k in range(count)}
    return table_of(part=pa.repeat(pa.scalar(0, pa.int32()), n), **own)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rows_of_nothing(3_000_000),
        lambda: meant_often(20_000, 100_000),
        lambda: rows_of_zeros(300 << 20),
        lambda: many_intervals(15_000_000),
        lambda: many_columns(1_000_000, 60),
    ],
    ids=["rows", "texts", "one text", "intervals", "columns"],
)
def test_a_small_file_that_becomes_large(
    tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NAME
    parquet.write_table(make(), path, compression="zstd")
    assert path.stat().st_size < 1 << 19
    before = pa.total_allocated_bytes()
    monkeypatch.setattr(parquet.ParquetFile, "read", lambda _: pytest.fail("it was read"))
    for read in (read_manifest, Dataset):
        with pytest.raises(FormatError, match=r"manifest.parquet.*becomes larger in memory"):
            read(tmp_path)
    assert pa.total_allocated_bytes() - before < 1 << 20


def test_a_list_of_recordings_too(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(
        pa.repeat(pa.scalar(0, pa.int32()), 50_000), pa.array(["x" * 50_000])
    )
    parquet.write_table(pa.table({"path": texts}), tmp_path / "list.parquet", compression="zstd")
    with pytest.raises(FormatError, match="becomes larger in memory"):
        find_table(tmp_path / "list.parquet")


def test_the_most_alike_rows_that_can_be_meant(tmp_path: Path) -> None:
    """One recording again and again, with long columns of the user's own that never differ."""
    n = 100_000
    table = table_of(
        id=pa.array([f"train/{k}" for k in range(n)]),
        position=pa.array(range(n), pa.int64()),
        place=pa.repeat("/a/rather/long/path/on/a/machine/of/the/users", n),
        **{f"c{k}": pa.repeat(pa.scalar(k), n) for k in range(10)},
    )
    parquet.write_table(table, tmp_path / NAME, compression="zstd")
    size = (tmp_path / NAME).stat().st_size
    assert table.nbytes > 30 * size
    assert table.nbytes < MOST_TIMES * size
    assert len(read_manifest(tmp_path)) == n


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("long", [10, 100_000])
def test_what_is_read_is_what_pyarrow_reads(tmp_path: Path, dictionary: bool, long: int) -> None:
    n = 30_000
    texts = [None if k % 7 == 0 else f"{k % 50}" for k in range(n)]
    texts[5] = "y" * long  # as long as this, all would be 3 GB
    table = table_of(
        id=pa.array([str(k) for k in range(n)]), said=pa.array(texts), empty=pa.array([""] * n)
    )
    path = tmp_path / NAME
    parquet.write_table(table, path, use_dictionary=dictionary, row_group_size=9000)
    read = parquet.read_table(path)
    assert read_bounded(path).equals(read, check_metadata=True)


def test_sizes_are_those_of_the_docstring() -> None:
    assert (MOST_BYTES >> 20, MOST_TIMES) == (256, 256)


def test_ids_have_no_dictionary(tmp_path: Path) -> None:
    """It would be as large as they are; and without, their size is known before they are read."""
    write_manifest(make_manifest([row(k, columns={"user": 1}) for k in range(9)]), tmp_path)
    group = parquet.ParquetFile(tmp_path / NAME).metadata.row_group(0)
    columns = [group.column(k) for k in range(group.num_columns)]
    have = {column.path_in_schema for column in columns if column.has_dictionary_page}
    assert {"split", "shard", "user"} <= have
    assert not have & {"id", "source", "root", "t_min"}
