"""Side streams: of every dtype, in parts, in order, and from foreign files to shards and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import evstore
from evstore.conversion import convert_one
from evstore.conversion.job import Job, Options
from evstore.errors import ArgumentError, CorruptError
from evstore.events import Events
from evstore.formats import registry
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.sides import joined
from evstore.formats.streams import choose
from evstore.recording import sides as of_sides
from evstore.recording.sides import InOrder, selected
from evstore.recovery import recover
from evstore.selection import Selection
from evstore.shard import side
from evstore.shard.writer import ShardWriter

RANDOM = np.random.default_rng(7)


def camera(start: int, count: int) -> dict[str, Any]:
    """Side streams of a stretch of time: images of two kinds, samples, triggers."""
    t = start + np.arange(count, dtype=np.int64) * 10
    sizes = np.where(np.arange(count) % 2, 6, 2 * 12).astype(np.int64)
    images = {
        "t": t,
        "width": np.full(count, 3, np.uint16),
        "height": np.where(np.arange(count) % 2, 2, 4).astype(np.uint16),
        "channels": np.ones(count, np.uint8),
        "bits": np.where(np.arange(count) % 2, 8, 16).astype(np.uint8),
        "size": sizes,
    }
    octets = RANDOM.integers(0, 256, int(sizes.sum()), np.uint8)
    axis = {"t": t + 3, "accelerometer_x": RANDOM.normal(size=count).astype(np.float32)}
    return {"images": images, "image_bytes": {"value": octets}, "imu": axis}


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(
        np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a
    )


# ------------------------------------------------------------------------------- in shards


@pytest.mark.parametrize("dtype", sorted(side.DTYPES))
def test_a_column_of_each_dtype(tmp_path: Path, dtype: str) -> None:
    kind = np.dtype(dtype)
    values = np.frombuffer(RANDOM.bytes(8 * 1000), np.uint8)[: kind.itemsize * 1000]
    column = (values[:1000] & 1).astype(bool) if kind.kind == "b" else values.view(kind)
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard, shard.recording("a") as out:
        out.append_rows("some", {"value": column[:300]})
        out.append_rows("some", {"value": column[300:]})
    with evstore.open(tmp_path / "a.evs") as rec:
        found = rec.side("some")
    assert found is not None
    assert found["value"].dtype == kind
    assert found["value"].tobytes() == column.tobytes()  # not a number is itself, too


def test_long_streams_are_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side, "MAX_SIDE_BYTES", 600)
    sides = camera(0, 50)
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard, shard.recording("a") as out:
        for stream, table in sides.items():
            out.append_rows(stream, table)
    with evstore.open(tmp_path / "a.evs") as rec:
        assert len(rec.info.side["image_bytes"]) > 1
        assert set(rec.side_streams) == set(sides)
        for stream, table in sides.items():
            assert equal(rec.side(stream) or {}, table)
        octets = sides["image_bytes"]["value"]
        for start, stop in ((0, 0), (0, 1), (599, 601), (5, len(octets)), (600, 720)):
            assert np.array_equal(rec.image_bytes(start, stop), octets[start:stop])
        assert rec.images is not None
        assert len(rec.images) == 50
        assert [image.pixels.shape for image in rec.images[:2]] == [(4, 3), (2, 3)]
        assert [image.pixels.dtype for image in rec.images[:2]] == [np.uint16, np.uint8]
        joined_bytes = b"".join(image.pixels.tobytes() for image in rec.images)
        assert joined_bytes == octets.tobytes()
        assert rec.images[-1].t == 490
        with pytest.raises(IndexError):
            rec.images[50]
        assert rec.imu is not None


def test_images_whose_sizes_lie(tmp_path: Path) -> None:
    sides = camera(0, 2)
    sides["images"]["width"][:] = 60_000
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard, shard.recording("a") as out:
        for stream, table in sides.items():
            out.append_rows(stream, table)
    with evstore.open(tmp_path / "a.evs") as rec, pytest.raises(CorruptError, match="an image"):
        list(rec.images or ())


# ---------------------------------------------------------------------------- by their times


def test_images_take_their_pixels_along() -> None:
    sides = camera(0, 9)
    found = selected(sides, Selection(start=15, stop=45))
    assert found["images"]["t"].tolist() == [20, 30, 40]
    assert found["imu"]["t"].tolist() == [23, 33, 43]
    sizes = np.cumsum([0, *sides["images"]["size"]])
    assert np.array_equal(
        found["image_bytes"]["value"], sides["image_bytes"]["value"][sizes[2] : sizes[5]]
    )
    assert selected(sides, Selection(start=1000)) == {}


def in_order(sides: dict[str, Any], pieces: int = 1, **chosen: int) -> InOrder:
    """As a shard hands them out: tables in pieces, pixels by their range."""

    def tables(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for part in zip(*(np.array_split(c, pieces) for c in table.values()), strict=True):
            yield dict(zip(table, part, strict=True))

    octets = sides["image_bytes"]["value"]
    streams = {name: tables(table) for name, table in sides.items()}
    return InOrder(streams, lambda start, stop: octets[start:stop], Selection(**chosen))


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_in_order(monkeypatch: pytest.MonkeyPatch, pieces: int) -> None:
    monkeypatch.setattr(of_sides, "PIXELS_AT_ONCE", 40)
    sides = camera(0, 9)
    sides["imu"]["t"][4] = 2  # steps back: stays where it is
    rows = in_order(sides, pieces)
    parts = [joined(part for _, part in rows.until(t)) for t in (5, 5, 38, 20, None)]
    for stream, table in joined(parts).items():
        assert equal(table, sides[stream])
    assert parts[1] == {}
    assert parts[0]["images"]["t"].tolist() == [0]


@pytest.mark.parametrize("pieces", [1, 3])
def test_in_order_of_some_times(pieces: int) -> None:
    sides = camera(0, 9)
    found = joined(part for _, part in in_order(sides, pieces, start=15, stop=45).until(None))
    for stream, table in selected(sides, Selection(start=15, stop=45)).items():
        assert equal(found[stream], table)


def test_what_is_handed_out_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_sides, "PIXELS_AT_ONCE", 60)
    sides = camera(0, 500)
    met, reached = [], -1
    for t, part in in_order(sides).until(1_000_000):
        assert part.get("image_bytes", {"value": np.empty(0)})["value"].size <= 60
        times = [int(table["t"].max()) for table in part.values() if "t" in table]
        assert t is not None
        assert reached <= t
        assert max(times, default=0) <= t
        reached = t
        met.append(part)
    assert reached == 1_000_000
    assert all(equal(table, sides[stream]) for stream, table in joined(met).items())


def test_sizes_of_images_that_cannot_be() -> None:
    for wrong in (-1, 1 << 40):
        sides = camera(0, 4)
        sides["images"]["size"][2] = wrong
        with pytest.raises(CorruptError, match="size"):
            list(in_order(sides).until(None))
    sides = camera(0, 4)
    del sides["images"]["size"]
    with pytest.raises(CorruptError, match="size"):
        list(in_order(sides).until(None))
    sides = camera(0, 4)
    sides["image_bytes"]["value"] = sides["image_bytes"]["value"][:-1]
    with pytest.raises(CorruptError, match="not all there"):
        list(in_order(sides).until(None))


# -------------------------------------------------------------------- a format with all of it

STREAMS = ("left", "right")


def events_of(stream: str) -> Events:
    start = 100 if stream == "left" else 5_000
    t = start + np.arange(200, dtype=np.int64) * 3
    return Events(t, t % 30, t % 20, t % 2, (32, 24) if stream == "left" else (64, 48))


def batches_of(stream: str) -> Iterator[Batch]:
    events = events_of(stream)
    for k in range(4):
        part = events[50 * k : 50 * k + 50]
        sides = camera(int(part.t[0]), 5)
        edges = Triggers(part.t[:2].copy(), np.array([1, 2], np.uint8), np.array([1, 0], np.uint8))
        yield Batch(part.t, part.x, part.y, part.p, edges, sides)


@pytest.fixture
def two_streams(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of a format that there is not, which holds two event streams."""
    module = ModuleType("evstore.formats.two")

    def read(stream: Any, options: ReadOptions, input_format: str = "two") -> Reading:
        name = choose(STREAMS, options.stream)
        dropped = {"odd_packets": 3}
        resolution = events_of(name).resolution
        return Reading("two", resolution, batches_of(name), {"of": name}, b"TWO", dropped, name)

    module.__dict__.update(
        NAME="two", TITLE="Two streams", SUFFIXES=(".two",), INPUT_FORMATS=("two",), WRITES=False,
        SEEKS=True, read=read, probe=lambda head, size: head.startswith(b"TWO"),
        streams=lambda stream, options: list(STREAMS),
    )  # fmt: skip
    plain = registry.all_formats
    monkeypatch.setattr(registry, "all_formats", lambda: [*plain(), module])
    path = tmp_path / "a.two"
    path.write_bytes(b"TWO streams")
    return path


def test_one_of_several_streams(two_streams: Path) -> None:
    with pytest.raises(ArgumentError, match=r"2 event streams: left, right"):
        evstore.open(two_streams)
    with pytest.raises(ArgumentError, match="no event stream 'up'"):
        evstore.open(two_streams, recording="up")
    for address in (f"{two_streams}#right", None):
        said = {} if address else {"recording": "right"}
        with evstore.open(address or two_streams, **said) as rec:
            assert (rec.id, rec.label, rec.resolution) == ("right", "right", (64, 48))
            assert rec[:] == events_of("right")
            assert rec.side_streams == ["images", "image_bytes", "imu", "triggers"]
            assert rec.triggers is not None
            assert len(rec.triggers["t"]) == 8
            assert rec.images is not None
            assert len(rec.images) == 20


def test_all_streams_become_recordings_of_one_shard(two_streams: Path) -> None:
    target = two_streams.with_suffix(".evs")
    receipt = convert_one(Job(str(two_streams), str(target)), Options(verify=True))
    assert (receipt.recordings, receipt.events) == (2, 400)
    assert receipt.side_streams == {"images": 40, "image_bytes": 672, "imu": 40, "triggers": 16}
    assert receipt.dropped == {"odd_packets": 6}
    for stream in STREAMS:
        with evstore.open(f"{target}#{stream}") as rec:
            assert rec[:] == events_of(stream)
            assert rec.resolution == events_of(stream).resolution
            assert rec.label == stream
            assert rec.metadata["group"] == "a.two"
            assert len(rec.metadata["source_sha256"]) == 64
            assert rec.images is not None
            assert len(rec.images) == 20
    again = convert_one(Job(str(two_streams), str(target)), Options(resume=True))
    assert again.status == "skipped"


def test_a_part_in_time_takes_its_side_streams(two_streams: Path) -> None:
    target = two_streams.with_suffix(".evs")
    selection = Selection(start=0, stop=150, relative=True)
    job = Job(f"{two_streams}#left", str(target))
    convert_one(job, Options(selection=selection, recording="left"))
    with evstore.open(target) as rec:
        assert rec.images is not None
        assert rec.images.t.tolist() == [100, 110, 120, 130, 140]
        second = two_streams.with_name("b.evs")
        convert_one(Job(str(target), str(second)), Options(selection=Selection(start=125)))
        with evstore.open(second) as part:
            assert part.images is not None
            assert part.images.t.tolist() == [130, 140]
            assert np.array_equal(part.images[0].pixels, rec.images[3].pixels)


def test_what_a_format_does_not_take_is_counted(two_streams: Path) -> None:
    target = two_streams.with_suffix(".raw")
    receipt = convert_one(Job(f"{two_streams}#left", str(target)), Options())
    assert receipt.triggers == 8
    assert receipt.dropped == {
        "images": 20, "image_bytes": 336, "imu": 20, "label": 1, "odd_packets": 3,
    }  # fmt: skip
    with pytest.raises(ArgumentError, match="holds 2 recordings"):
        convert_one(Job(str(two_streams), str(target)), Options(overwrite=True))


def test_recover_keeps_all_streams(two_streams: Path) -> None:
    report = recover(two_streams, two_streams.with_suffix(".evs"))
    assert (report.recordings, report.events) == (2, 400)
    with evstore.open(f"{two_streams.with_suffix('.evs')}#left") as rec:
        assert set(rec.side_streams) == {"images", "image_bytes", "imu", "triggers"}


def test_info_shows_each_stream(two_streams: Path) -> None:
    from evstore.info import describe

    found = describe(str(two_streams), scan=True)
    assert [one["recording"] for one in found["recordings"]] == list(STREAMS)
    assert found["events"] == 400
    assert found["recordings"][0]["side_streams"]["images"] == 20


def test_a_file_of_one_recording_has_no_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,x,y,p\n1,2,3,1\n")
    with pytest.raises(ArgumentError, match="holds one recording, which has no name"):
        evstore.open(path, recording="left")
