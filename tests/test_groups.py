"""Groups: the same times of several sensors, their side streams and labels beside the events."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evstore
from evstore.datasets.groups import Aligned, Group
from evstore.datasets.labels import Boxes, Intervals, to_side
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.recording.base import window_times
from evstore.recording.rows_in_time import RowsInTime
from evstore.shard import reader as of_reader
from evstore.shard import side as of_side
from evstore.shard.writer import ShardWriter

RANDOM = np.random.default_rng(3)
NAMES = ["early", "late", "still", "plain"]


def side_streams(start: int, count: int) -> dict[str, Any]:
    """Images, samples, edges, boxes and labels, of times that step back now and then."""
    t = start + np.arange(count, dtype=np.int64) * 40
    back = t.copy()
    back[count // 3] -= 100
    sizes = np.full(count, 6, np.int64)
    images = {
        "t": back,
        "width": np.full(count, 3, np.uint16),
        "height": np.full(count, 2, np.uint16),
        "channels": np.ones(count, np.uint8),
        "bits": np.full(count, 8, np.uint8),
        "size": sizes,
    }
    x, y, w, h = RANDOM.uniform(0, 9, (4, count)).astype("f4")
    return {
        "images": images,
        "image_bytes": {"value": RANDOM.integers(0, 256, int(sizes.sum()), np.uint8)},
        "imu": {"t": back + 3, "gyroscope_x": RANDOM.normal(size=count).astype("f4")},
        "triggers": {"t": t, "id": np.zeros(count, np.uint8), "p": (t % 2).astype(np.uint8)},
        "boxes": to_side(Boxes(t, x, y, w, h, t % 3)),
        "labels": to_side(Intervals(t[::5], t[::5] + 150, t[::5] % 7)),
    }


def events_of(start: int, count: int, step: int, width: int) -> Events:
    t = start + np.arange(count, dtype=np.int64) * step
    t[count // 2] -= min(count, 3) * step  # steps back
    return Events(t, t % width, t % 20, t % 2, (width, 24))


EVENTS = {
    "early": events_of(100, 3000, 3, 30),
    "late": events_of(5000, 2000, 4, 64),
    "still": Events.empty((8, 8)),
    "plain": events_of(-200, 1500, 10, 30),
}
SIDES = {
    "early": side_streams(-50, 250),
    "late": side_streams(6000, 90),
    "still": side_streams(0, 9),
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Shards of small chunks and side records, and one foreign file."""
    folder = tmp_path_factory.mktemp("group")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_side, "MAX_SIDE_BYTES", 900)
        with ShardWriter(folder / "a.evs", chunk_events=200, flush_s=None) as shard:
            for name in NAMES[:3]:
                with shard.recording(name, resolution=EVENTS[name].resolution) as out:
                    out.write(EVENTS[name])
                    for stream, table in SIDES[name].items():
                        out.append_rows(stream, table)
    np.savez(folder / "plain.npz", **{k: getattr(EVENTS["plain"], k) for k in "txyp"}, width=30,
             height=24)  # fmt: skip
    found = {name: f"{folder / 'a.evs'}#{name}" for name in NAMES[:3]}
    return {**found, "plain": str(folder / "plain.npz")}


@pytest.fixture
def group(paths: dict[str, str]) -> Iterator[Group]:
    with Group({name: evstore.open(path) for name, path in paths.items()}) as found:
        yield found


def naive_rows(name: str, stream: str, start: int, stop: int) -> dict[str, list[Any]] | None:
    table = SIDES.get(name, {}).get(stream)
    if table is None:
        return None
    if stream == "labels":
        pairs = zip(table["t_start"], table["t_stop"], strict=True)
        keep = [k for k, (a, b) in enumerate(pairs) if max(a, start) < min(b, stop)]
    else:
        keep = [k for k, t in enumerate(table["t"]) if start <= t < stop]
    return {column: values[keep].tolist() for column, values in table.items()}


def listed(table: Any) -> dict[str, list[Any]] | None:
    if table is None:
        return None
    columns = table.columns() if isinstance(table, (Boxes, Intervals)) else table
    return {name: column.tolist() for name, column in columns.items()}


def check(name: str, found: Aligned, start: int, stop: int) -> None:
    """One sensor's window against masks."""
    whole = EVENTS[name]
    assert (found.start, found.stop) == (start, stop)
    assert found.events == whole[(whole.t >= start) & (whole.t < stop)]
    assert found.events.resolution == whole.resolution or name == "still"
    for stream in ("imu", "triggers", "boxes", "labels"):
        assert listed(getattr(found, stream)) == naive_rows(name, stream, start, stop), stream
    if name not in SIDES:
        assert found.images is None
        return
    assert found.images is not None
    times = SIDES[name]["images"]["t"]
    octets = SIDES[name]["image_bytes"]["value"].reshape(-1, 2, 3)
    keep = [k for k, t in enumerate(times) if start <= t < stop]
    assert found.images.t.tolist() == times[keep].tolist()
    assert [i.pixels.tolist() for i in found.images] == octets[keep].tolist()


def test_between(group: Group) -> None:
    assert group.names == NAMES
    whole = (-(1 << 62), 1 << 62)
    for start, stop in (whole, (0, 500), (5900, 6500), (6000, 6001), (7, 7), (90_000, 90_001)):
        found = group.between(start, stop)
        assert list(found) == NAMES
        for name in NAMES:
            check(name, found[name], start, stop)
    with pytest.raises(ArgumentError, match="lies after stop"):
        group.between(5, 4)


def test_relative_times(group: Group) -> None:
    """They count from the first event of the group's earliest sensor."""
    assert group.t_first == EVENTS["plain"].t[0] == -200
    found = group.between(6100, 6300, relative=True)
    for name in NAMES:
        check(name, found[name], 5900, 6100)


def test_spans(group: Group) -> None:
    with_events = [EVENTS[name].t for name in NAMES if name != "still"]
    assert group.t_start == min(t.min() for t in with_events)
    assert group.t_stop == max(t.max() for t in with_events) + 1
    assert group.overlap == (
        max(t.min() for t in with_events), min(t.max() for t in with_events) + 1,
    )  # fmt: skip


@pytest.mark.parametrize(("duration", "stride"), [(500, None), (700, 300), (100, 900), (9, 4000)])
def test_windows(group: Group, duration: int, stride: int | None) -> None:
    start, stop = group.overlap
    wanted = []
    at = start
    while at + duration <= stop:
        wanted.append((at, at + duration))
        at += stride or duration
    met = 0
    for found, (first, last) in zip(group.windows(duration, stride), wanted, strict=True):
        assert list(found) == NAMES
        for name in NAMES:
            check(name, found[name], first, last)
        group.recordings["plain"].side("none")  # another pass over a foreign file does no harm
        met += 1
    assert met == len(wanted) > 0


def test_windows_that_cannot_be(group: Group, paths: dict[str, str]) -> None:
    for duration, stride in ((0, None), (5, 0), (-1, None)):
        with pytest.raises(ArgumentError, match="positive"):
            group.windows(duration, stride)
    assert list(group.windows(1 << 40)) == []
    with pytest.raises(ArgumentError, match="a recording or more"):
        Group({})
    with Group({"still": evstore.open(paths["still"])}) as still:
        assert (still.t_first, still.t_start, still.t_stop, still.overlap) == (0, 0, 0, (0, 0))
        assert list(still.windows(10)) == []
        check("still", still.between(0, 100)["still"], 0, 100)
    assert "early, late" in repr(group)


def test_sensors_that_share_no_time(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard:
        for k in range(2):
            with shard.recording(str(k), resolution=(9, 9)) as out:
                out.write(Events([k * 1000, k * 1000 + 5], [1, 1], [1, 1], [1, 0]))
    with Group({str(k): evstore.open(f"{tmp_path / 'a.evs'}#{k}") for k in range(2)}) as group:
        assert (group.t_start, group.t_stop) == (0, 1006)
        assert group.overlap == (1000, 1000)
        assert list(group.windows(1)) == []


def test_closing_closes(paths: dict[str, str]) -> None:
    with Group({"early": evstore.open(paths["early"])}) as group:
        pass
    with pytest.raises((ValueError, OSError, evstore.EvstoreError)):
        group.recordings["early"][:]


def test_images_are_read_when_they_are_asked_for(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = group.between(6000, 6200)["early"].images
    assert images is not None
    assert len(images) == 5
    asked: list[tuple[int, int]] = []
    plain = images._octets

    def counted(start: int, stop: int) -> Any:
        asked.append((start, stop))
        return plain(start, stop)

    monkeypatch.setattr(images, "_octets", counted)
    assert asked == []
    images[1]
    assert [stop - start for start, stop in asked] == [6]


# ------------------------------------------------------------------- rows of side streams in time


def test_rows_of_a_time_are_few_reads(
    paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is read once, then only the records that a question touches."""
    with evstore.open(paths["early"]) as rec:
        records = len(rec.info.side["imu"])  # type: ignore[attr-defined]
        assert records > 3
        asked = []
        plain = of_reader.RecordingReader._side_record

        def counted(self: Any, stream: str, *place: int) -> Any:
            asked.append(place)
            return plain(self, stream, *place)

        monkeypatch.setattr(of_reader.RecordingReader, "_side_record", counted)
        none = rec.side_between("imu", 1 << 40, 1 << 41)
        assert listed(none) == {"t": [], "gyroscope_x": []}
        assert len(asked) == records
        for start in (6000, 6010, 6020):
            found = rec.side_between("imu", start, start + 10)
            assert listed(found) == naive_rows("early", "imu", start, start + 10)
        assert len(asked) - records <= 2
        assert rec.side_between("none", 0, 1) is None


def test_rows_without_a_time(tmp_path: Path, paths: dict[str, str]) -> None:
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard, shard.recording("a") as out:
        out.append_rows("camera", {"focal": np.array([1.5], "f4")})
    with evstore.open(tmp_path / "a.evs") as rec, pytest.raises(ArgumentError, match="no times"):
        rec.side_between("camera", 0, 1)
    with evstore.open(paths["plain"]) as foreign:
        assert foreign.side_between("imu", 0, 1) is None


@given(st.lists(st.lists(st.integers(-9, 9), max_size=4), min_size=1, max_size=4),
       st.integers(-9, 9), st.integers(0, 9), st.booleans())  # fmt: skip
def test_pieces(pieces: list[list[int]], start: int, length: int, intervals: bool) -> None:
    """In pieces as in one, ordered or not."""
    t = np.array([*chain.from_iterable(pieces)], np.int64)
    row = np.arange(len(t))
    table = {"t_start": t, "t_stop": t + row % 4, "row": row} if intervals else {"t": t, "row": row}
    rows = RowsInTime(
        "some",
        lambda first, last: {name: column[first:last] for name, column in table.items()},
        [len(piece) for piece in pieces],
    )
    stop = start + length
    if intervals:
        ends = table["t_stop"]
        keep = [i for i in row if (t[i] == ends[i] and start <= t[i] < stop)
                or max(start, t[i]) < min(stop, ends[i])]  # fmt: skip
    else:
        keep = [i for i in row if start <= t[i] < stop]
    for _ in range(2):
        found = rows.between(start, stop)
        assert found["row"].tolist() == keep
        assert found.keys() == table.keys()
        found["row"][:] = -1  # fresh


# ------------------------------------------------------------------------ windows of some times


@pytest.mark.parametrize("name", ["early", "plain", "still"])
@pytest.mark.parametrize(("length", "step"), [(40, 40), (500, 90), (10, 700)])
@pytest.mark.parametrize("partial", [False, True])
def test_windows_from_and_to(
    paths: dict[str, str], name: str, length: int, step: int, partial: bool
) -> None:
    whole = EVENTS[name]
    with evstore.open(paths[name]) as rec:
        for start, stop in (
            (4000, 5111),
            (-900, 300),
            (None, 700),
            (8000, None),
            (1 << 40, 1 << 40),
        ):
            begin = rec.t_start if start is None else start
            end = rec.t_stop if stop is None else stop
            wanted = [
                whole[(whole.t >= a) & (whole.t < b)]
                for a, b in naive_times(begin, end, length, step, partial)
            ]
            assert (
                list(rec.windows(length, stride=step, start=start, stop=stop, partial=partial))
                == wanted
            )
        with pytest.raises(ArgumentError, match="by count"):
            rec.windows(count=5, start=3)


def naive_times(start: int, stop: int, length: int, step: int, partial: bool) -> list[Any]:
    found = []
    for begin in range(start, max(start, stop), step):
        end = min(begin + length, stop)
        if partial or end - begin == length:
            found.append((begin, end))
    assert found == list(window_times(start, stop, length, step, partial))
    return found
