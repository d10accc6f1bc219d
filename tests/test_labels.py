"""Intervals and boxes: checked, cut to times, kept in shards, carried by conversions."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evstore
from evstore.conversion import convert_one
from evstore.conversion.job import Job, Options, Receipt
from evstore.datasets.labels import (
    Boxes,
    Intervals,
    boxes_from_side,
    class_at,
    from_side,
    intervals_from_side,
    share,
    to_side,
    within,
)
from evstore.errors import ArgumentError, CorruptError
from evstore.events import Events
from evstore.recording.in_shard import ShardRecording
from evstore.recording.sides import clipped, meets, selected
from evstore.selection import Selection
from evstore.shard.writer import ShardWriter

LEAST, GREATEST = -(1 << 63), (1 << 63) - 1

times = st.one_of(
    st.integers(-20, 20), st.integers(LEAST, GREATEST), st.sampled_from([LEAST, GREATEST])
)
rows = st.tuples(times, times, st.integers(-1, 3)).map(lambda r: (min(r[:2]), max(r[:2]), r[2]))
spans = st.tuples(times, times).map(sorted)


def intervals(table: list[tuple[int, int, int]]) -> Intervals:
    columns = np.array(table, np.int64).reshape(-1, 3)
    return Intervals(*columns.T)


def boxes(n: int, confidence: bool = True, wide: bool = False) -> Boxes:
    random = np.random.default_rng(n)
    place = random.uniform(0, 50, (4, n)).astype("f8" if wide else "f4")
    t = random.integers(0, 100, n)
    some = (random.random(n).astype("f4"), np.arange(n)) if confidence else ()
    x, y, w, h = place
    return Boxes(t, x, y, w, h, random.integers(0, 3, n), *some)


# ---------------------------------------------------------------------------- what they are


def test_columns_have_their_dtypes() -> None:
    found = Boxes([1], np.array([2], "i2"), np.array([3], "f4"), np.array([4], "u1"), [5.0], [6])
    assert {n: str(c.dtype) for n, c in found.columns().items()} == {
        "t": "int64", "x": "float64", "y": "float64", "w": "float64", "h": "float64",
        "class_id": "int64",
    }  # fmt: skip
    small = np.array([1], "u2")
    assert Boxes([1], small, small, small, small, [1], np.array([1], "f2")).columns().keys() == {
        *("t", "x", "y", "w", "h", "class_id", "confidence")
    }
    assert Boxes(small, small, small, small, small, small).h.dtype == np.float32
    assert Intervals(small, small, small).t_stop.dtype == np.int64
    assert (len(Intervals.empty()), len(Boxes.empty())) == (0, 0)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (([1, 2], [3], [4]), "equal length"),
        (([5, 9], [6, 8], [0, 7]), r"interval 1 ends before it begins \(1 of 2 do\).*class_id 7"),
        (([0.5], [1], [1]), "'t_start' must hold integers, got float64"),
        (([1], [2], [[3]]), "one dimension"),
        (([1], np.array([1 << 63], np.uint64), [3]), "below 2"),
    ],
)
def test_no_intervals(columns: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        Intervals(*columns)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"w": [-1.0, 2.0]}, "box 0 has w below 0"),
        ({"h": [1.0, -0.5]}, "box 1 has h below 0"),
        ({"x": [1.0, float("nan")]}, "box 1 has no finite x"),
        ({"y": [float("inf"), 0.0]}, "box 0 has no finite y"),
        ({"t": [0.0, 1.0]}, "'t' must hold integers"),
        ({"x": ["a", "b"]}, "'x' must hold numbers"),
        ({"confidence": [1.0]}, "equal length"),
        ({"track_id": [0.5, 1]}, "'track_id' must hold integers"),
    ],
)
def test_no_boxes(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        Boxes(**{**boxes(2).columns(), **change})


def test_as_sequences() -> None:
    some = boxes(9)
    assert len(some[2:5]) == len(some[[1, 2, 3]]) == 3
    assert some[2:5] == some[np.array([2, 3, 4])]
    assert some[some.t < 0] == some[:0]
    assert (some[-1].t[0], len(some[-1]), len(some[np.int64(0)])) == (some.t[8], 1, 1)
    for wrong in (9, -10):
        with pytest.raises(IndexError, match="of 9"):
            some[wrong]
    assert some == boxes(9)
    assert some != boxes(9, confidence=False)
    assert some != Intervals.empty()
    assert boxes(9, confidence=False)[1:].track_id is None
    unknown = Boxes(**{**boxes(2).columns(), "confidence": np.array([np.nan, 1])})
    assert unknown == pickle.loads(pickle.dumps(unknown))
    with pytest.raises(AttributeError):
        some.t = some.t  # type: ignore[misc]
    for labels in (some, intervals([(1, 2, 3)])):
        with pytest.raises(TypeError):
            hash(labels)
        assert f"({len(labels)})" in repr(labels)


def test_to_structured() -> None:
    some = boxes(4)
    array = some.to_structured()
    assert array.dtype.names == tuple(some.columns())
    assert all(np.array_equal(array[name], column) for name, column in some.columns().items())
    array["t"] = -1  # its own
    assert some == boxes(4)
    assert intervals([(1, 2, 3)]).to_structured().tolist() == [(1, 2, 3)]


# ------------------------------------------------------------------------------- by time


def naive_meets(row: tuple[int, int, int], start: int, stop: int) -> bool:
    first, last, _ = row
    if first == last:
        return start <= first < stop
    return max(first, start) < min(last, stop)


@given(st.lists(rows, max_size=6), spans)
def test_within(table: list[tuple[int, int, int]], span: tuple[int, int]) -> None:
    start, stop = span
    kept = [row for row in table if naive_meets(row, start, stop)]
    some = intervals(table)
    assert within(some, start, stop) == intervals(kept)
    cut = [(max(a, start), a if a == b else min(b, stop), c) for a, b, c in kept]
    assert within(some, start, stop, clip=True) == intervals(cut)
    covered = [
        Fraction(max(0, min(b, stop) - max(a, start)), max(1, stop - start)) for a, b, _ in table
    ]
    assert share(some, start, stop).tolist() == pytest.approx([float(c) for c in covered])


@given(st.lists(rows, max_size=6), st.one_of(st.none(), times), st.one_of(st.none(), times))
def test_times_without_an_end(
    table: list[tuple[int, int, int]], start: int | None, stop: int | None
) -> None:
    low, high = LEAST if start is None else start, GREATEST + 1 if stop is None else stop
    columns = intervals(table).columns()
    keep = [naive_meets(row, low, high) for row in table]
    assert meets(columns, start, stop).tolist() == keep
    if low <= high:
        found = selected({"labels": columns}, Selection(start, stop)).get("labels", {})
        wanted = clipped({k: v[keep] for k, v in columns.items()}, start, stop)
        assert {k: v.tolist() for k, v in found.items()} == (
            {k: v.tolist() for k, v in wanted.items()} if any(keep) else {}
        )


def test_selections_beyond_int64() -> None:
    columns = intervals([(LEAST, GREATEST, 1)]).columns()
    for start, stop in ((LEAST - 5, 1 << 63), (-(1 << 70), 1 << 70)):
        found = selected({"labels": columns}, Selection(start, stop))["labels"]
        assert {k: v.tolist() for k, v in found.items()} == {
            k: v.tolist() for k, v in columns.items()
        }
    assert selected({"labels": columns}, Selection(1 << 63, 1 << 64)) == {}


def test_boxes_within() -> None:
    some = boxes(200)
    for start, stop in ((0, 100), (10, 11), (50, 50), (-5, 20), (90, 1000)):
        keep = [i for i, t in enumerate(some.t.tolist()) if start <= t < stop]
        assert within(some, start, stop) == some[np.array(keep, int)]
    for question in (within, share, class_at):
        with pytest.raises(ArgumentError, match="lies after stop"):
            question(intervals([]), 2, 1)


small = st.tuples(st.integers(-9, 9), st.integers(0, 9), st.integers(0, 2))


@given(st.lists(small.map(lambda r: (r[0], r[0] + r[1], r[2])), max_size=6),
       st.integers(-9, 9), st.integers(0, 12))  # fmt: skip
def test_class_at(table: list[tuple[int, int, int]], start: int, length: int) -> None:
    stop = start + length
    count = {
        kind: sum(any(a <= t < b and c == kind for a, b, c in table) for t in range(start, stop))
        for *_, kind in table
        if any(naive_meets(row, start, stop) and row[2] == kind for row in table)
    }
    met = [row[2] for row in table if naive_meets(row, start, stop)]
    best = max(count.values(), default=0)
    wanted = next((kind for kind in met if count[kind] == best), None) if best else None
    assert class_at(intervals(table), start, stop) == wanted


# ---------------------------------------------------------------------------- in shards


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("confidence", [False, True])
def test_boxes_in_a_shard(tmp_path: Path, wide: bool, confidence: bool) -> None:
    some = boxes(50, confidence, wide)
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard, shard.recording("a") as out:
        out.append_rows("boxes", to_side(some[:20]))
        out.append_rows("boxes", to_side(some[20:]))
        out.append_rows("labels", to_side(intervals([(5, 9, 1)])))
        out.label(2, [7], [8])
    with evstore.open(tmp_path / "a.evs") as rec:
        table = rec.side("boxes")
        assert table is not None
        assert table["x"].dtype == ("f8" if wide else "f4")
        assert from_side(table) == some == boxes_from_side(table)
        assert intervals_from_side(rec.side("labels")) == intervals([(5, 9, 1), (7, 8, 2)])
        assert len(boxes_from_side(rec.side("none"))) == len(intervals_from_side(None)) == 0


def test_a_table_keeps_what_else_it_has() -> None:
    table = {**boxes(3).columns(), "seen": np.array([True, False, True])}
    side = to_side(table)
    assert side.keys() == table.keys()
    assert from_side(side) == boxes(3)
    starts = {"t_start": np.array([1], "u4"), "t_stop": np.array([2]), "class_id": np.array([3])}
    assert to_side(starts)["t_start"].dtype == np.int64
    with pytest.raises(ArgumentError, match="missing w, h"):
        to_side({name: table[name] for name in ("t", "x", "y", "class_id")})
    with pytest.raises(CorruptError, match="missing class_id"):
        from_side({"t_start": np.array([1]), "t_stop": np.array([1])})
    with pytest.raises(CorruptError, match="box 1 has w below 0"):
        from_side({**table, "w": np.array([1, -1, 1], "f4")})


def test_a_label_that_ends_before_it_begins(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard, shard.recording("a") as out:
        with pytest.raises(ArgumentError, match="before it begins"):
            out.label([1, 2], [0, 5], [1, 4])
        assert out.rows("labels") == 0


# ------------------------------------------------------------------------- conversions


T = np.arange(100, dtype=np.int64) * 10


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Events of 0..990 us with labels, boxes, and rows that have no time."""
    path = tmp_path / "a.evs"
    with (
        ShardWriter(path, flush_s=None) as shard,
        shard.recording("r", resolution=(32, 24), metadata={"dropped": {"odd": 2}}) as out,
    ):
        out.write(Events(T, T % 32, T % 24, T % 2))
        out.append_rows("labels", to_side(intervals(
            [(-50, 20, 1), (100, 300, 2), (250, 900, 3), (300, 300, 4), (600, 2000, 5)]
        )))  # fmt: skip
        out.append_rows("boxes", to_side(boxes(80)))
        out.append_rows("camera", {"focal": np.array([1.5, 2.5, 3.5], "f4")})
    return path


def convert(source: Path, target: Path, **selection: Any) -> Receipt:
    options = Options(selection=Selection(**selection), overwrite=True, verify=True)
    return convert_one(Job(str(source), str(target)), options)


def sides(path: Path) -> dict[str, Any]:
    with evstore.open(path) as rec:
        assert isinstance(rec, ShardRecording)
        found = {name: rec.side(name) or {} for name in rec.side_streams}
        return {
            name: {k: v.tolist() for k, v in table.items()} for name, table in found.items()
        } | {"dropped": rec.dropped}


def test_all_of_it_is_carried(labelled: Path, tmp_path: Path) -> None:
    receipt = convert(labelled, tmp_path / "b.evs")
    assert receipt.dropped == {"odd": 2}
    assert sides(tmp_path / "b.evs") == sides(labelled)


def test_times_cut_labels(labelled: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.evs"
    receipt = convert(labelled, target, start=10, stop=300)
    found = sides(target)
    assert found["labels"] == {
        "t_start": [10, 100, 250], "t_stop": [20, 300, 300], "class_id": [1, 2, 3]
    }  # fmt: skip
    assert found["boxes"]["t"] == [t for t in boxes(80).t.tolist() if 10 <= t < 300]
    # What has no time has no place among these; what was dropped before, is still said.
    assert receipt.dropped == found["dropped"] == {"odd": 2, "camera": 3}
    assert not receipt.lossless
    convert(labelled, target, start=300, relative=True)
    assert sides(target)["labels"] == {
        "t_start": [300, 300, 600], "t_stop": [900, 300, 2000], "class_id": [3, 4, 5]
    }  # fmt: skip
    convert(labelled, target, start=2000)
    assert "labels" not in sides(target)


def test_a_region_keeps_boxes_as_they_are(labelled: Path, tmp_path: Path) -> None:
    """A conversion does not move coordinates; boxes of a region are what they were."""
    receipt = convert(labelled, tmp_path / "b.evs", roi=(4, 4, 9, 9))
    assert sides(tmp_path / "b.evs") == sides(labelled)
    assert receipt.dropped == {"odd": 2}


def test_to_a_format_that_takes_no_labels(labelled: Path, tmp_path: Path) -> None:
    receipt = convert(labelled, tmp_path / "a.npz")
    assert receipt.dropped == {"odd": 2, "camera": 3, "labels": 5, "boxes": 80}
    receipt = convert(labelled, tmp_path / "a.npz", start=10, stop=300)
    assert receipt.dropped["labels"] == 3
    assert receipt.dropped["boxes"] == sum(10 <= t < 300 for t in boxes(80).t.tolist())


def test_labels_come_at_their_start(labelled: Path) -> None:
    """Beside events, an interval is handed out where it begins, or where the selection does."""
    from evstore.conversion.feed import in_order

    with evstore.open(labelled) as rec:
        assert isinstance(rec, ShardRecording)
        for start, until, wanted in ((None, 100, [-50, 100]), (150, 250, [150, 250])):
            rows = in_order(rec, Selection(start, 700 if start else None))
            met = [part["labels"]["t_start"].tolist() for _, part in rows.until(until)
                   if "labels" in part]  # fmt: skip
            assert [t for part in met for t in part] == wanted
            list(rows.until(None))
            assert rows.left_out == {"camera": 3}
