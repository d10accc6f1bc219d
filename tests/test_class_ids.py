"""Labelled times and boxes of classes that there are not: found by pack and verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import some_events
from evstore.datasets.checking import check_dataset
from evstore.datasets.class_ids import check_class_ids
from evstore.datasets.dataset import Dataset
from evstore.datasets.indexing import index
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.pack import pack
from evstore.errors import CorruptError
from evstore.shard.writer import ShardWriter
from packs import CLASSES, sources


def boxes(path: Path, *classes: int) -> Path:
    dtype = [("t", "<u8"), *((name, "<f4") for name in "xywh"), ("class_id", "u1")]
    rows = np.zeros(len(classes), dtype)
    rows["t"], rows["class_id"] = 100, classes
    np.save(path, rows)
    return path


def intervals(path: Path, *classes: int) -> Path:
    lines = [
        "class,startTime_usec,endTime_usec",
        *(f"{c},{k},{k + 9}" for k, c in enumerate(classes)),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def with_sides(path: Path, classes: list[str] | None, **sides: list[int]) -> Path:
    """A shard of two recordings, the second with labelled times or boxes of these classes."""
    path.parent.mkdir(exist_ok=True)
    said = {} if classes is None else {"dataset": {"classes": classes}}
    with ShardWriter(path, flush_s=None) as shard:
        for id, streams in (("a", {}), ("b", sides)):
            out = shard.recording(id, resolution=(640, 480), metadata=said)
            out.write(some_events(50))
            said = {}
            for stream, ids in streams.items():
                n = len(ids)
                times = {"t_start": np.arange(n), "t_stop": np.arange(n) + 5}
                place = {"t": np.arange(n), **{name: np.ones(n, "<f4") for name in "xywh"}}
                table = times if stream == "labels" else place
                out.append_rows(stream, {**table, "class_id": np.array(ids, np.int64)})
            out.close()
        shard.close()
    return path


def test_tables_beside_a_recording(tmp_path: Path) -> None:
    paths = sources(tmp_path / "in", 2, events=50)
    last = len(CLASSES)
    for first, tables, says in (
        (1, {"intervals": intervals(tmp_path / "l.csv", 1, last, last + 1)},
         r"l.csv: interval 2 is of a class.*expected 1 to 3: cat, dog, owl, got 4"),
        (1, {"intervals": intervals(tmp_path / "m.csv", 0)}, r"m.csv: interval 0.*got 0"),
        (1, {"boxes": boxes(tmp_path / "b.npy", 0, last)},
         r"b.npy: box 1 is of a class.*expected 0 to 2: cat, dog, owl, got 3"),
    ):  # fmt: skip
        named = {name: str(path) for name, path in tables.items()}
        items = [Item(str(paths[0]), "r", **named), Item(str(paths[1]), "s")]  # type: ignore[arg-type]
        report = pack(Found(items, CLASSES, first), tmp_path / "out")
        assert report.manifest is None
        with pytest.raises(CorruptError, match=says):
            raise CorruptError(report.failed[0][1])
        report = pack(Found(items, CLASSES, first), tmp_path / "less", on_error="skip")
        assert [source for source, _ in report.failed] == [str(paths[0])]
        assert list(Dataset(tmp_path / "less").ids) == ["s"]
        assert pack(Found(items, None, first), tmp_path / "free", overwrite=True).manifest
    items = [Item(str(paths[0]), "r", intervals=str(intervals(tmp_path / "o.csv", 1, last)))]
    assert pack(Found(items, CLASSES, 1), tmp_path / "right").manifest


WRONG: list[tuple[dict[str, list[int]], str]] = [
    ({"labels": [0, 2, 3]}, "interval 2 is of a class that there is not"),
    ({"labels": [-1]}, "interval 0 is of a class that there is not"),
    ({"boxes": [0, -1, 1 << 40]}, "box 2 is of a class that there is not"),
    ({"boxes": [-2]}, "box 0 is of a class that there is not"),
]


@pytest.mark.parametrize(("sides", "says"), WRONG)
def test_recordings_of_shards(tmp_path: Path, sides: Any, says: str) -> None:
    with_sides(tmp_path / "in" / "one.evs", CLASSES, **sides)
    index(tmp_path / "in")
    assert len(Dataset(tmp_path / "in")[1]) == 2  # reading them is as it was
    with pytest.raises(CorruptError, match=f"one.evs: recording 'b': {says}.*expected 0 to 2"):
        check_dataset(tmp_path / "in")
    report = pack(tmp_path / "in", tmp_path / "out")
    assert report.manifest is None
    assert f"recording 'b': {says}" in report.failed[0][1]


@pytest.mark.parametrize("sides", [{"labels": [0, 2]}, {"boxes": [-1, 2]}])
def test_right_ones(tmp_path: Path, sides: Any) -> None:
    with_sides(tmp_path / "in" / "one.evs", CLASSES, **sides)
    index(tmp_path / "in")
    assert check_dataset(tmp_path / "in").recordings == 2
    assert pack(tmp_path / "in", tmp_path / "out").manifest


def test_classes_without_names(tmp_path: Path) -> None:
    with_sides(tmp_path / "in" / "one.evs", None, labels=[77], boxes=[99])
    index(tmp_path / "in")
    check_dataset(tmp_path / "in")


def test_rows_are_counted_over_pieces() -> None:
    pieces = [{"class_id": np.array(ids)} for ids in ([0, 1], [], [1, 2])]
    with pytest.raises(CorruptError, match="box 3 is of"):
        check_class_ids("boxes", pieces, ["x", "y"])
    with pytest.raises(CorruptError, match=r"expected 0 to 99: 0, 1, .*\.\.\., got 100"):
        check_class_ids("labels", [{"class_id": np.array([100])}], [str(k) for k in range(100)])
