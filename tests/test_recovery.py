"""Recovery: of shards every complete chunk, of foreign files every event before their end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import RESOLUTION, raw_bytes, some_events, write_raw
from evstore.errors import ArgumentError, CorruptError, FormatError, TruncatedError
from evstore.events import Events
from evstore.recording.saving import create
from evstore.shard.verify import verify_shard

EVENTS = some_events(90_000)


def read(path: Path | str) -> Events:
    with evstore.open(path) as recording:
        return recording[:]


def test_a_whole_file_is_recovered_whole(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.raw", EVENTS)
    report = evstore.recover(path, tmp_path / "b.evs")
    assert report.complete
    assert (report.recordings, report.events, report.problems) == (1, len(EVENTS), [])
    again = evstore.recover(tmp_path / "b.evs", tmp_path / "c.evs")
    assert again.complete
    assert read(tmp_path / "b.evs") == read(tmp_path / "c.evs") == EVENTS


def test_foreign_files_cut_anywhere(tmp_path: Path, seed: int) -> None:
    whole = raw_bytes(EVENTS)
    start = whole.index(b"% end\n") + 6
    cut, out = tmp_path / "cut.raw", tmp_path / "saved.evs"
    for end in [*np.random.default_rng(seed).integers(start, len(whole), 12).tolist(), start]:
        cut.write_bytes(whole[:end])
        report = evstore.recover(cut, out, overwrite=True)
        assert cut.read_bytes() == whole[:end]
        odd = bool((end - start) % 2)
        assert report.complete is not odd
        assert len(report.problems) == odd
        found = read(out)
        assert len(found) == report.events
        assert found == EVENTS[: report.events]
        verify_shard(out)
        with evstore.open(out) as rec:
            assert rec.resolution == RESOLUTION
            assert rec.metadata.get("recovered") == ({"end": "lost"} if odd else None)
            assert rec.metadata["source"]["name"] == "cut.raw"
        if odd:
            with pytest.raises(TruncatedError) as caught:
                evstore.convert(cut, tmp_path / "x.evs")
            assert caught.value.safe_events == report.events
    assert sorted(os.listdir(tmp_path)) == ["cut.raw", "saved.evs"]


@pytest.mark.parametrize("said", [{"grow": True}, {"drop_outside": True}, {}])
def test_geometry(tmp_path: Path, said: dict[str, Any]) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(raw_bytes(EVENTS)[:-1])
    out, resolution = tmp_path / "b.evs", (40, 60)
    if not said:
        with pytest.raises(FormatError):
            evstore.recover(path, out, resolution=resolution)
        assert os.listdir(tmp_path) == ["a.raw"]
        return
    report = evstore.recover(path, out, resolution=resolution, **said)
    assert not report.complete
    with evstore.open(out) as rec:
        assert rec.resolution == ((64, 60) if "grow" in said else (40, 60))
        outside = int(np.count_nonzero(EVENTS[: len(EVENTS) - 1].x >= 40))
        assert rec.dropped == ({} if "grow" in said else {"events_outside_resolution": outside})
        assert len(rec) == report.events
    verify_shard(out)


def test_triggers_are_recovered(tmp_path: Path) -> None:
    from evstore.formats import evt3

    path = tmp_path / "a.raw"
    with path.open("wb") as stream:
        writer = evt3.writer(stream, RESOLUTION, {})
        writer.trigger([1, 2], [0, 1], [1, 0])
        writer.write(EVENTS.t + 9, EVENTS.x, EVENTS.y, EVENTS.p)
        writer.close()
        stream.write(b"\0")
    assert not evstore.recover(path, tmp_path / "b.evs").complete
    with evstore.open(tmp_path / "b.evs") as rec:
        assert rec.triggers is not None
        assert {n: v.tolist() for n, v in rec.triggers.items()} == {
            "t": [1, 2], "id": [0, 1], "p": [1, 0],
        }  # fmt: skip


def test_a_shard_without_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    with create(path) as shard:
        for id in ("first", "second"):
            with shard.recording(id, resolution=RESOLUTION, label=id) as out:
                out.write(EVENTS)
    whole = path.read_bytes()
    cut = tmp_path / "cut.evs"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(TruncatedError, match="evstore recover"):
        evstore.open(cut)
    report = evstore.recover(cut, tmp_path / "b.evs")
    assert report.unfinished == ["second"]
    assert not report.complete
    assert read(tmp_path / "b.evs#first") == EVENTS
    saved = read(tmp_path / "b.evs#second")
    assert 0 < len(saved) < len(EVENTS)
    assert saved == EVENTS[: len(saved)]
    assert report.events == len(EVENTS) + len(saved)


def test_an_interrupted_writer(tmp_path: Path) -> None:
    out = create(tmp_path / "a.evs", resolution=RESOLUTION)
    out.write(EVENTS)
    out.__exit__(RuntimeError, RuntimeError(), None)
    report = evstore.recover(tmp_path / "a.evs.part", tmp_path / "a.evs")
    assert (report.events, report.complete) == (len(EVENTS), False)
    assert read(tmp_path / "a.evs") == EVENTS


def test_what_is_not_overwritten_or_no_recording(tmp_path: Path) -> None:
    path, out = write_raw(tmp_path / "a.raw", EVENTS), tmp_path / "b.evs"
    out.write_bytes(b"mine")
    with pytest.raises(ArgumentError, match="exists already"):
        evstore.recover(path, out)
    assert out.read_bytes() == b"mine"
    (tmp_path / "note.raw").write_text("nothing of the kind\n" * 9)
    (tmp_path / "zeros.evs").write_bytes(bytes(5000))
    for name in ("note.raw", "zeros.evs"):
        with pytest.raises(FormatError):
            evstore.recover(tmp_path / name, tmp_path / "c.evs")
    with pytest.raises(FileNotFoundError):
        evstore.recover(tmp_path / "none.raw", tmp_path / "c.evs")
    assert not list(tmp_path.glob("c.evs*"))
    text = tmp_path / "a.csv"
    text.write_text("t,x,y,p\n1,2,3,1\nbroken\n")
    with pytest.raises(CorruptError):
        evstore.recover(text, tmp_path / "c.evs", time_unit="us")
    assert not list(tmp_path.glob("c.evs*"))
