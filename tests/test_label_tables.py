"""Tables of boxes and of intervals, old and new, and what is none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.errors import CorruptError, EvstoreError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.label_tables import read_boxes, read_intervals

GEN1 = [("ts", "<u8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4")]
GEN1 = [*GEN1, ("class_id", "u1"), ("confidence", "<f4"), ("track_id", "<u4")]
MEGAPIXEL = [("t", "<i8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4")]
MEGAPIXEL = [*MEGAPIXEL, ("class_id", "<u4"), ("track_id", "<u4"), ("class_confidence", "<f4")]
DSEC = [("t", "<u8"), ("x", "<f8"), ("y", "<f8"), ("h", "<f8"), ("w", "<f8")]
DSEC = [*DSEC, ("class_id", "u1"), ("class_confidence", "<f8"), ("track_id", "<u8")]


def boxes(path: Path, dtype: Any, rows: list[dict[str, Any]]) -> Path:
    table = np.zeros(len(rows), dtype)
    for k, row in enumerate(rows):
        for name, value in row.items():
            table[name][k] = value
    np.save(path, table)
    return path


@pytest.mark.parametrize("dtype", [GEN1, MEGAPIXEL, DSEC], ids=["gen1", "megapixel", "dsec"])
def test_boxes(tmp_path: Path, dtype: Any) -> None:
    time, trust = dtype[0][0], next(name for name, _ in dtype if "confidence" in name)
    rows = [
        {time: 2**40, "x": 1.5, "y": -2, "w": 3, "h": 4, "class_id": 2, trust: 0.5, "track_id": 9},
        {time: 7, "x": 0, "y": 0, "w": 1, "h": 2, "class_id": 0, trust: 1, "track_id": 2**32 - 1},
    ]
    found = read_boxes(boxes(tmp_path / "b.npy", dtype, rows))
    names = ["t", "x", "y", "w", "h", "class_id", "confidence", "track_id"]
    assert list(found) == names
    for name, source in zip(names, [time, *names[1:6], trust, "track_id"], strict=True):
        assert found[name].tolist() == [row[source] for row in rows]
    assert found["t"].dtype == found["class_id"].dtype == found["track_id"].dtype == np.int64
    assert found["x"].dtype == (np.float64 if dtype is DSEC else np.float32)


def test_boxes_of_another_order_and_more_fields(tmp_path: Path) -> None:
    dtype = [("class_id", "u1"), *((name, ">f4") for name in "hwyx"), ("ts", ">i8"), ("seen", "?")]
    path = boxes(tmp_path / "b.npy", dtype, [{"ts": -5, "x": 3, "seen": True}])
    found = read_boxes(path)
    assert list(found) == ["t", "x", "y", "w", "h", "class_id", "seen"]
    assert (found["t"].tolist(), found["x"].tolist(), found["seen"].tolist()) == ([-5], [3], [True])


def test_no_boxes(tmp_path: Path) -> None:
    found = read_boxes(boxes(tmp_path / "b.npy", GEN1, []))
    assert [column.size for column in found.values()] == [0] * 8


def test_boxes_cut_and_longer(tmp_path: Path) -> None:
    path = boxes(tmp_path / "b.npy", GEN1, [{"ts": 1}, {"ts": 2}])
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(TruncatedError):
            read_boxes(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(CorruptError, match=r"b\.npy: the file goes on"):
        read_boxes(path)


@pytest.mark.parametrize(
    ("array", "kind", "words"),
    [
        (np.zeros((3, 8)), FormatError, "no table of boxes"),
        (np.zeros(3, [("t", "<i8"), ("x", "<f4")]), FormatError, "field 'y'"),
        (np.zeros(3, [*GEN1, ("t", "<i8")]), FormatError, "field 't'"),
        (np.zeros(3, [*GEN1[:-1], ("track_id", "S4")]), FormatError, "plain numbers"),
        (np.array([{"t": 1}], object), UnsupportedError, "unpickled"),
        (np.full(33, 255, "u1").view(GEN1), CorruptError, "box 0"),
    ],
    ids=["rows", "fields", "two_times", "text", "pickled", "late"],
)
def test_no_table_of_boxes(tmp_path: Path, array: Any, kind: type, words: str) -> None:
    np.save(tmp_path / "b.npy", array)
    with pytest.raises(EvstoreError, match=words) as caught:
        read_boxes(tmp_path / "b.npy")
    assert type(caught.value) is kind


def intervals(path: Path, text: str | bytes) -> dict[str, Any]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {name: column.tolist() for name, column in read_intervals(path).items()}


def test_intervals(tmp_path: Path) -> None:
    text = "class,startTime_usec,endTime_usec\n1,80048239,85092709\n11,0,5\n"
    expected = {"t_start": [80048239, 0], "t_stop": [85092709, 5], "class_id": [1, 11]}
    assert intervals(tmp_path / "l.csv", text) == expected
    assert intervals(tmp_path / "l.csv", "\ufeff" + text.replace("\n", "\r\n") + "\r\n") == expected
    turned = "endTime_usec, class, startTime_usec\n5, 2, 3"
    found = intervals(tmp_path / "l.csv", turned)
    assert found == {"t_start": [3], "t_stop": [5], "class_id": [2]}
    assert list(found) == ["t_start", "t_stop", "class_id"]
    head = text.splitlines()[0]
    assert intervals(tmp_path / "l.csv", head) == {"t_start": [], "t_stop": [], "class_id": []}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no table"),
        ("1,2,3\n", "no table"),
        ("class,startTime_usec,endTime_usec,class\n", "no table"),
        ("class,startTime_usec,endTime_usec\n1,2\n", "line 2"),
        ("class,startTime_usec,endTime_usec\n\n1,2,-3\n", "line 3"),
        ("class,startTime_usec,endTime_usec\n1,2.5,3\n", "line 2"),
        ("class,startTime_usec,endTime_usec\n1,٣,4\n", "line 2"),
        ("class,startTime_usec,endTime_usec\n1,5,4\n", "line 2 ends before"),
        ("class,startTime_usec,endTime_usec\n1,5," + "9" * 19, "line 2"),
        ("class,startTime_usec,endTime_usec\n" + "1" * 300, "line 2 is too long"),
        (b"\xff\xfe\x00", "line 1 is no text"),
    ],
)
def test_no_table_of_intervals(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        intervals(tmp_path / "l.csv", text)


def test_damaged_boxes(tmp_path: Path, seed: int) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros(5, MEGAPIXEL))
    source = np.random.default_rng(seed)
    path = tmp_path / "b.npy"
    for _ in range(300):
        octets = bytearray(content.getvalue())
        for at in source.integers(0, len(octets), 3):
            octets[at] = source.integers(256)
        path.write_bytes(octets)
        try:
            read_boxes(path)
        except EvstoreError:
            continue
