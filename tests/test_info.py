"""What a file holds, told by its index or its header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import evstore
from command_line import run, some_events, write_raw
from evstore import info
from evstore.events import Events
from evstore.info import describe, files_in
from evstore.shard.writer import ShardWriter
from vectors import FORMATS

EVENTS = some_events(3000)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "drive.evs"
    with ShardWriter(path, chunk_events=500) as writer:
        metadata = {"sensor_name": "Gen0", "dropped": {"unknown_words": 7}}
        with writer.recording(
            "", resolution=EVENTS.resolution, label="cat", metadata=metadata
        ) as out:
            out.write(EVENTS)
            out.trigger([5, 6])
    return path


def test_shard(shard: Path) -> None:
    found = describe(str(shard))
    size = shard.stat().st_size
    assert (found["format"], found["events"], found["chunks"]) == ("evs", 3000, 6)
    assert found["bytes"] == size
    assert found["bits_per_event"] == 8 * size / 3000
    assert found["times_smaller"] == 13 * 3000 / size
    (one,) = found["recordings"]
    assert (one["t_start"], one["t_stop"]) == (EVENTS.t.min(), EVENTS.t.max() + 1)
    assert (one["t_first"], one["t_last"]) == (EVENTS.t[0], EVENTS.t[-1])
    assert one["duration_us"] == one["t_stop"] - one["t_start"]
    assert one["events_per_s"] == 3000 * 1e6 / one["duration_us"]
    assert one["on_events"] == np.count_nonzero(EVENTS.p)
    assert one["resolution"] == [64, 48]
    assert one["label"] == "cat"
    assert one["side_streams"] == {"triggers": 2}
    assert one["dropped"] == {"unknown_words": 7}
    assert one["sensor"] == {"sensor_name": "Gen0"}
    assert one["time_ordered"]
    assert one["gaps"] == []


def test_shown(shard: Path) -> None:
    shown = run("info", shard).out
    for words in (
        "evs",
        "bits/event",
        "64x48",
        "3,000",
        "Gen0",
        "cat",
        "7 unknown_words",
        "2 edges",
    ):
        assert words in shown
    assert run("info", shard, "--json").json == describe(str(shard))


def test_empty_recording(tmp_path: Path) -> None:
    evstore.save(tmp_path / "no.evs", Events([], [], [], []))
    found = describe(str(tmp_path / "no.evs"))
    assert (found["events"], found["bits_per_event"]) == (0, None)
    assert run("info", tmp_path / "no.evs").code == 0
    with evstore.create(tmp_path / "none.evs") as out, out.recording("a", resolution=(4, 4)):
        pass
    assert run("info", tmp_path / "none.evs", "--json").json["events"] == 0


def test_inferred_geometry(tmp_path: Path) -> None:
    evstore.save(tmp_path / "one.evs", Events([1], [2], [3], [1]))
    (one,) = describe(str(tmp_path / "one.evs"))["recordings"]
    assert (one["resolution"], one["resolution_from"]) == ([3, 4], "events")
    assert "from the events" in run("info", tmp_path / "one.evs").out


def test_metadata_of_any_shape(tmp_path: Path) -> None:
    odd = {"resolution_from": 3, "dropped": "no", "sensor": [3], "serial_number": {}}
    with evstore.create(tmp_path / "odd.evs", resolution=(64, 48), metadata=odd) as out:
        out.write(EVENTS)
    (one,) = describe(str(tmp_path / "odd.evs"))["recordings"]
    assert one["dropped"] == {}
    assert run("info", tmp_path / "odd.evs").code == 0


def test_time_that_steps_back(tmp_path: Path) -> None:
    t = np.r_[np.arange(1000, 1500), np.arange(0, 500)]
    events = Events(t, t % 9, t % 7, t % 2, (9, 7))
    evstore.save(tmp_path / "back.evs", events)
    (one,) = describe(str(tmp_path / "back.evs"))["recordings"]
    assert (one["t_start"], one["t_stop"], one["t_first"]) == (0, 1500, 1000)
    assert not one["time_ordered"]
    assert "steps back" in run("info", tmp_path / "back.evs").out


@pytest.mark.parametrize("at", [5000, 5200], ids=["between chunks", "within a chunk"])
def test_gap(tmp_path: Path, at: int) -> None:
    t = np.arange(10_000) * 10
    t[at:] += 90_000_000
    events = Events(t, t % 9, t % 7, t % 2, (9, 7))
    with ShardWriter(tmp_path / "gap.evs", chunk_events=500) as writer:
        writer.recording("", resolution=(9, 7)).write(events)
    path = tmp_path / "gap.csv"
    assert run("cat", tmp_path / "gap.evs", "-o", path).code == 0
    (seen,) = describe(str(tmp_path / "gap.evs"))["recordings"]
    (scanned,) = describe(str(path), scan=True)["recordings"]
    assert scanned["gaps"] == [[int(t[at - 1]), int(t[at])]]
    ((start, stop),) = seen["gaps"]
    assert start <= t[at - 1] < t[at] <= stop
    assert "90.0 s" in run("info", path, "--scan").out


def test_foreign_file(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "drive.raw", EVENTS)
    found = describe(str(path), scan=False)
    (one,) = found["recordings"]
    assert (found["format"], found["events"], one["resolution"]) == ("evt3", None, [64, 48])
    shown = run("info", path, "--no-scan").out
    assert "not counted" in shown
    assert "--scan" in shown
    (scanned,) = describe(str(path), scan=True)["recordings"]
    assert scanned["events"] == 3000
    assert scanned["t_stop"] == EVENTS.t.max() + 1
    assert scanned["on_events"] == np.count_nonzero(EVENTS.p)
    assert "3,000" in run("info", path, "--scan").out


def test_a_small_file_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_raw(tmp_path / "drive.raw", EVENTS)
    assert describe(str(path)) == describe(str(path), scan=True)
    assert "3,000 (" in run("info", path).out
    assert "3,000" in run("info", tmp_path).out
    monkeypatch.setattr(info, "SCANNED_BYTES", path.stat().st_size)
    assert describe(str(path))["events"] == 3000
    assert run("info", path, path, "--json").json[0]["events"] is None  # together they are large
    monkeypatch.setattr(info, "SCANNED_BYTES", path.stat().st_size - 1)
    assert describe(str(path))["events"] is None
    assert run("info", path, "--scan", "--json").json["events"] == 3000


def test_header_only_is_read(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "drive.raw", EVENTS)
    path.write_bytes(path.read_bytes()[:-1])
    assert run("info", path, "--no-scan").code == 0
    assert run("info", path, "--scan").code == 1
    unasked = run("info", path)
    assert unasked.code == 0
    assert "64x48" in unasked.out
    assert "damaged: " in unasked.out
    (one,) = run("info", path, "--json").json["recordings"]
    assert (one["events"], one["resolution"]) == (None, [64, 48])
    assert "ends inside" in one["damage"]


def test_counts_that_the_file_says(tmp_path: Path) -> None:
    shard, path = tmp_path / "a.evs", tmp_path / "a.npz"
    evstore.save(shard, EVENTS)
    evstore.convert(shard, path)
    found = describe(str(path), scan=False)
    assert found["events"] is None  # nobody counted
    assert found["recordings"][0]["stated"] == {"events": 3000}
    assert "3,000, as the file says" in run("info", path, "--no-scan").out
    listed = run("info", tmp_path, "--no-scan").out
    assert "3,000*" in listed
    assert "* as the file says" in listed


def test_streams_that_the_header_lists() -> None:
    path = FORMATS / "aedat4" / "vectors" / "other_streams.aedat4"
    (one,) = describe(str(path), scan=False)["recordings"]
    assert one["stated"] == dict.fromkeys(("events", "imu", "images"))
    shown = run("info", path, "--no-scan").out
    assert shown.count("not counted") == 3
    (one,) = describe(str(path))["recordings"]
    counted = {name for name, rows in one["side_streams"].items() if rows}
    assert counted == {"imu", "images", "image_bytes"}
    shown = run("info", path).out
    assert "image_bytes" not in shown
    for thing in ("sample", "image"):
        assert thing in shown


def test_many_recordings(tmp_path: Path) -> None:
    path = tmp_path / "many.evs"
    with evstore.create(path) as out:
        for i in range(12):
            with out.recording(f"r{i}", resolution=(64, 48), label=i) as one:
                one.write(EVENTS[: i * 10])
    found = describe(str(path))
    assert found["events"] == sum(i * 10 for i in range(12))
    assert [one["recording"] for one in found["recordings"]] == [f"r{i}" for i in range(12)]
    shown = run("info", path).out
    assert "r9" in shown
    assert "2 more" in shown
    assert describe(f"{path}#r3")["events"] == 30
    assert run("info", path, "--recording", "r3", "--json").json["events"] == 30
    assert run("info", f"{path}#r99").code == 2


def test_folder(tmp_path: Path, shard: Path) -> None:
    write_raw(tmp_path / "deep" / "drive.raw", EVENTS)
    (tmp_path / "note.md").write_text("hello")
    (tmp_path / ".hidden").write_text("hello")
    shown = run("info", tmp_path)
    assert shown.code == 0
    assert len(shown.out.splitlines()) == 4  # head, two recordings, one other file
    assert "1 other file" in shown.out
    assert len(run("info", tmp_path, "--json").json) == 2
    shard.write_bytes(shard.read_bytes()[:-9])
    broken = run("info", tmp_path)
    assert broken.code == 3
    assert "drive.evs" in broken.error


def test_a_file_that_cannot_be_read_hides_no_others(
    tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = write_raw(tmp_path / "locked.raw", EVENTS)
    is_shard = info.is_shard

    def asked(path: str) -> bool:
        if path == str(locked):
            raise PermissionError(13, "Permission denied", path)
        return is_shard(path)

    monkeypatch.setattr(info, "is_shard", asked)
    shown = run("info", tmp_path)
    assert shown.code == 3
    assert "drive.evs" in shown.out
    assert "locked.raw" in shown.err


def test_several_files(tmp_path: Path, shard: Path) -> None:
    raw = write_raw(tmp_path / "drive.raw", EVENTS)
    assert [one["format"] for one in run("info", shard, raw, "--json").json] == ["evs", "evt3"]
    missing = run("info", shard, tmp_path / "nothing")
    assert missing.code == 3
    assert "nothing" in missing.error


def test_files_in(tmp_path: Path) -> None:
    for name in ("b/2.raw", "a.raw", "c.evs.part", ".git/x", "b/.x"):
        write_raw(tmp_path / name, EVENTS[:1])
    found = [Path(path).relative_to(tmp_path).as_posix() for path in files_in([str(tmp_path)])]
    assert found == ["a.raw", "b/2.raw"]


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scanned(recording: object) -> None:
        raise KeyboardInterrupt

    path = write_raw(tmp_path / "drive.raw", EVENTS)
    monkeypatch.setattr(info, "_scanned", scanned)
    assert run("info", path).code == 130
