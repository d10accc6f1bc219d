"""Conversion: what is planned, written, proved, left alone and left behind."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import RESOLUTION, files_below, raw_bytes, some_events, write_raw
from evstore.conversion import Job, Options, Receipt, convert_one, plan, run
from evstore.conversion.one import VerificationError
from evstore.digests import digest
from evstore.errors import ArgumentError, CorruptError, TruncatedError, UnsupportedError
from evstore.events import Events
from evstore.formats import evt3
from evstore.formats.reading import Batch, Triggers
from evstore.recording.saving import create, save
from evstore.selection import Selection
from evstore.shard.verify import verify_shard

EVENTS = some_events()
TRIGGERS = Triggers(
    np.array([0, 4000, 4000, 29_000]), np.array([1, 0, 3, 1], "u1"), np.array([1, 0, 1, 0], "u1")
)  # fmt: skip


def read(path: Path | str, **said: Any) -> Events:
    with evstore.open(path, **said) as recording:
        return recording[:]


def jobs_of(sources: Any, target: Path | str, **options: Any) -> list[tuple[str, str]]:
    todo = plan([str(s) for s in sources], str(target), Options(**options))
    return [(job.source, job.target) for job in todo]


def convert(source: Path | str, target: Path | str, **options: Any) -> Receipt:
    return convert_one(Job(str(source), str(target)), Options(**options))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "in" / "a.raw", EVENTS)


@pytest.fixture
def edges(tmp_path: Path) -> Path:
    """An EVT3 file with triggers: before the first event, among the events, after the last."""
    path = tmp_path / "in" / "edges.raw"
    path.parent.mkdir(exist_ok=True)
    later = Events(EVENTS.t + 1000, EVENTS.x, EVENTS.y, EVENTS.p)
    with path.open("wb") as stream:
        writer = evt3.writer(stream, RESOLUTION, {})
        times = np.array([5, 4000, 4000, 40_000])
        writer.write_batch(Batch(later.t, later.x, later.y, later.p, TRIGGERS._replace(t=times)))
        writer.close()
    return path


# ------------------------------------------------------------------------------ planning


def test_one_file(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert jobs_of([raw], out) == [(str(raw), str(out))]
    assert jobs_of([raw], f"{out}/") == [(str(raw), str(out / "a.evs"))]
    out.mkdir()
    assert jobs_of([raw], out) == [(str(raw), str(out / "a.evs"))]
    assert jobs_of([raw], out, output_format="npz") == [(str(raw), str(out / "a.npz"))]
    assert jobs_of(["-"], out) == [("-", str(out / "stdin.evs"))]
    assert jobs_of(["-"], out / "x.evs") == [("-", str(out / "x.evs"))]


def test_a_folder_is_mirrored(raw: Path, tmp_path: Path) -> None:
    folder = raw.parent
    write_raw(folder / "deep" / "er" / "b.raw", EVENTS)
    (folder / "note.txt").write_text("not a recording")
    (folder / ".hidden.raw").write_bytes(raw.read_bytes())
    (folder / "cut.evs.part").write_bytes(b"\x89EVS\r\n\x1a\n")
    out = tmp_path / "out"
    assert [target for _, target in jobs_of([folder], out)] == [
        str(out / "a.evs"),
        str(out / "deep" / "er" / "b.evs"),
    ]


def test_a_folder_into_itself_and_below_itself(raw: Path) -> None:
    folder = raw.parent
    inside = jobs_of([folder], folder)
    assert inside == [(str(raw), str(folder / "a.evs"))]
    run([Job(*job) for job in inside], Options())
    assert jobs_of([folder], folder) == inside  # what was made is no source
    below = folder / "out"
    convert(raw, below / "a.evs")
    (folder / "a.evs").unlink()
    assert jobs_of([folder], below) == [(str(raw), str(below / "a.evs"))]


def test_names_that_differ_in_their_suffix_only(raw: Path, tmp_path: Path) -> None:
    folder = raw.parent
    np.savez(folder / "a.npz", t=[1], x=[1], y=[1], p=[1])
    assert [os.path.basename(target) for _, target in jobs_of([folder], tmp_path / "o")] == [
        "a.npz.evs",
        "a.raw.evs",
    ]
    write_raw(folder / "deep" / "a.raw", EVENTS)
    with pytest.raises(ArgumentError, match="would both become"):
        jobs_of([raw, folder / "deep" / "a.raw"], f"{tmp_path}/o/")


def test_globs_and_addresses(raw: Path, tmp_path: Path) -> None:
    write_raw(raw.parent / "b.raw", EVENTS)
    found = jobs_of([raw.parent / "*.raw"], tmp_path / "out")
    assert [os.path.basename(target) for _, target in found] == ["a.evs", "b.evs"]
    with pytest.raises(ArgumentError, match="no file matches"):
        jobs_of([raw.parent / "*.dat"], tmp_path / "out")
    many = tmp_path / "many.evs"
    with create(many) as shard:
        for id in ("train/1.5/7", "test/1.5/7"):
            with shard.recording(id) as out:
                out.write(EVENTS)
    found = jobs_of([f"{many}#train/1.5/7", f"{many}#test/1.5/7"], f"{tmp_path}/o/")
    assert [os.path.basename(target) for _, target in found] == [
        "many_train_1.5_7.evs",
        "many_test_1.5_7.evs",
    ]


def test_plans_that_cannot_be(raw: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for sources, target, says in (
        ([tmp_path / "none.raw"], "x.evs", "no such file"),
        ([empty], "out", "nothing to convert"),
        ([raw, raw], tmp_path / "one.evs", "end .* with a slash"),
        ([raw, raw], f"{tmp_path}/out/", "would both become"),
        ([raw], "-", "evstore cat"),
    ):
        with pytest.raises(ArgumentError, match=says):
            jobs_of(sources, target)
    with pytest.raises(ArgumentError, match="gif"):
        jobs_of([raw], f"{tmp_path}/o/", output_format="gif")


def test_a_plan_of_many_files_is_quick(tmp_path: Path) -> None:
    from evstore.conversion.plan import _named

    found = [(f"s/{i}", f"{i % 9}/{i}.bin") for i in range(60_000)]
    assert len(_named(found, "out", Options())) == 60_000  # a comparison of all pairs takes minutes


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_in_a_folder_is_not_waited_for(raw: Path, tmp_path: Path) -> None:
    os.mkfifo(raw.parent / "pipe.raw")
    assert len(jobs_of([raw.parent], tmp_path / "out")) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"delete_source": True},
        {"delete_source": True, "verify": True, "selection": Selection(start=1)},
        {"resume": True, "overwrite": True},
        {"grow": True, "drop_outside": True},
    ],
)
def test_options_that_exclude_each_other(said: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        Options(**said)


# ----------------------------------------------------------------------------- what it does


def test_a_receipt(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "a.evs"
    receipt = convert(raw, target, verify=True)
    assert (receipt.status, receipt.format, receipt.events) == ("done", "evt3", 3000)
    assert (receipt.bytes_in, receipt.bytes_out) == (raw.stat().st_size, target.stat().st_size)
    assert receipt.verified
    assert receipt.lossless
    assert receipt.to_json()["lossless"]
    assert read(target) == EVENTS
    with evstore.open(target) as rec:
        source = rec.metadata["source"]
        assert (source["name"], source["format"], source["size"]) == (
            "a.raw",
            "evt3",
            receipt.bytes_in,
        )
        assert source["header"].startswith("% evt 3.0")
        assert rec.metadata["converter"] == f"evstore {evstore.__version__}"
        assert rec.resolution == RESOLUTION
        assert [rec.root.hex()] == receipt.roots
    assert files_below(target.parent) == {"a.evs"}


def test_from_python(raw: Path, tmp_path: Path) -> None:
    one = evstore.convert(raw, tmp_path / "a.evs")
    assert isinstance(one, Receipt)
    for source in (raw.parent, str(raw.parent / "*.raw"), [raw]):
        several = evstore.convert(source, f"{tmp_path}/{type(source).__name__}/", jobs=1)
        assert isinstance(several, list)
        assert [receipt.events for receipt in several] == [3000]


def test_the_whole_way_round(raw: Path, tmp_path: Path) -> None:
    """EVT3 -> shard -> shard -> csv -> shard -> npz -> shard -> EVT3."""
    path = raw
    for k, name in enumerate(("a.evs", "b.evs", "c.csv", "d.evs", "e.npz", "f.evs", "g.raw")):
        receipt = convert(path, tmp_path / f"{k}{name}", verify=True, time_unit=None)
        assert receipt.verified
        assert receipt.lossless
        path = tmp_path / f"{k}{name}"
        assert read(path) == EVENTS
    with evstore.open(raw) as a, evstore.open(path) as b:
        assert digest(a)["sha256"] == digest(b)["sha256"]


def test_a_shard_of_many_with_all_that_is_in_it(tmp_path: Path) -> None:
    source, target = tmp_path / "a.evs", tmp_path / "b.evs"
    with create(source) as shard:
        for k in range(3):
            with shard.recording(f"r/{k}", resolution=RESOLUTION, label={"k": k}) as out:
                out.write(EVENTS[k * 10 :])
                out.trigger([1, 2], k, 1)
                out.label(k, [0], [10])
    receipt = convert(source, target, verify=True)
    assert (receipt.recordings, receipt.triggers, receipt.lossless) == (3, 6, True)
    one = convert(source, tmp_path / "one.evs", recording="r/1", verify=True)
    assert one.events == 2990
    assert not one.lossless  # two recordings are not there
    for a, b in zip(evstore.open_all(source), evstore.open_all(target), strict=True):
        with a, b:
            assert a[:] == b[:]
            assert (a.id, a.label, a.root) == (b.id, b.label, b.root)  # type: ignore[attr-defined]
    with pytest.raises(ArgumentError, match="3 recordings, npz takes one"):
        convert(source, tmp_path / "a.npz")
    flat = convert(f"{source}#r/2", tmp_path / "a.npz")
    assert flat.dropped == {"triggers": 2, "labels": 1, "label": 1}


def test_parts_of_a_recording_keep_their_place(tmp_path: Path) -> None:
    from evstore.shard.writer import ShardWriter

    with (
        ShardWriter(tmp_path / "a.evs", flush_s=None) as shard,
        shard.recording("r", part=2, first_event=1 << 20) as out,
    ):
        out.write(EVENTS)
    convert(tmp_path / "a.evs", tmp_path / "b.evs", verify=True)
    with evstore.open(tmp_path / "b.evs") as rec:
        assert (rec.info.part, rec.info.first_event) == (2, 1 << 20)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("selection", "first", "last"),
    [
        (Selection(start=3000, stop=9000), 3000, 9000),
        (Selection(start=0, stop=5000, relative=True), 0, 5000),
        (Selection(start=5000, relative=True), 5000, 1 << 60),
    ],
)
@pytest.mark.parametrize("kind", ["foreign", "shard"])
def test_a_selection_selects_triggers_too(
    edges: Path, tmp_path: Path, selection: Selection, first: int, last: int, kind: str
) -> None:
    source = edges
    whole = read(edges)
    if kind == "shard":
        source = tmp_path / "whole.evs"
        assert convert(edges, source, verify=True).triggers == 4
    if selection.relative:
        first, last = first + int(whole.t[0]), last + int(whole.t[0])
    receipt = convert(source, tmp_path / "a.evs", selection=selection)
    assert receipt.partial
    assert not receipt.lossless
    with evstore.open(tmp_path / "a.evs") as rec:
        assert rec[:] == whole[(whole.t >= first) & (whole.t < last)]
        times = [t for t in (5, 4000, 4000, 40_000) if first <= t < last]
        assert (rec.triggers["t"].tolist() if rec.triggers else []) == times
        assert receipt.triggers == len(times)


def test_labels_of_a_region_and_of_some_times(tmp_path: Path) -> None:
    from evstore.shard.writer import ShardWriter

    with (
        ShardWriter(tmp_path / "a.evs") as shard,
        shard.recording("r", resolution=EVENTS.resolution) as out,
    ):
        out.write(EVENTS)
        out.trigger([5, 6])
        out.label(3, [0], [10])
    for selection, triggers, labels in (
        (Selection(roi=(0, 0, 9, 9)), 2, 1),
        (Selection(start=6), 1, 1),
        (Selection(start=10), 0, 0),
    ):
        convert(tmp_path / "a.evs", tmp_path / "b.evs", selection=selection, overwrite=True)
        with evstore.open(tmp_path / "b.evs") as rec:
            rows = {"triggers": triggers, "labels": labels}
            assert rec.side_rows == {name: n for name, n in rows.items() if n}


@pytest.mark.parametrize("kind", ["foreign", "shard"])
def test_triggers_to_another_format(edges: Path, tmp_path: Path, kind: str) -> None:
    source = edges
    if kind == "shard":
        source = tmp_path / "whole.evs"
        convert(edges, source)
    receipt = convert(source, tmp_path / "again.raw", verify=True)
    assert (receipt.triggers, receipt.lossless) == (4, True)
    with evstore.open(edges) as a, evstore.open(tmp_path / "again.raw") as b:
        assert a[:] == b[:]
        assert a.triggers is not None
        assert b.triggers is not None
        assert {n: v.tolist() for n, v in a.triggers.items()} == {
            n: v.tolist() for n, v in b.triggers.items()
        }
    receipt = convert(source, tmp_path / "a.csv", verify=True)
    assert receipt.dropped == {"triggers": 4}
    assert not receipt.lossless


def test_rebase(edges: Path, tmp_path: Path) -> None:
    path = tmp_path / "late.evs"
    late = Events(EVENTS.t - (1 << 40), EVENTS.x, EVENTS.y, EVENTS.p, RESOLUTION)
    save(path, late)
    with pytest.raises(UnsupportedError, match="--rebase"):
        convert(path, tmp_path / "a.raw")
    assert not (tmp_path / "a.raw.part").exists()
    assert convert(path, tmp_path / "a.raw", rebase=True, verify=True).verified
    assert read(tmp_path / "a.raw").t.tolist() == (EVENTS.t - EVENTS.t[0]).tolist()
    # A trigger before the first event becomes 0.
    assert convert(edges, tmp_path / "b.raw", rebase=True, verify=True).verified
    assert read(tmp_path / "b.raw").t[0] == read(edges).t[0] - 5
    for target in ("c.csv", "c.evs"):
        if target == "c.csv":
            with pytest.raises(ArgumentError, match="holds any time as it is"):
                convert(path, tmp_path / target, rebase=True)


def test_geometry(raw: Path, tmp_path: Path) -> None:
    outside = int(np.count_nonzero((EVENTS.x >= 50) | (EVENTS.y >= 40)))
    with pytest.raises(CorruptError, match=f"{outside:,} events lie outside"):
        convert(raw, tmp_path / "a.evs", resolution=(50, 40))
    assert files_below(tmp_path) == {"in/a.raw"}
    dropped = convert(raw, tmp_path / "a.evs", resolution=(50, 40), drop_outside=True, verify=True)
    assert dropped.dropped == {"events_outside_resolution": outside}
    assert not dropped.lossless
    with evstore.open(tmp_path / "a.evs") as rec:
        assert (len(rec), rec.resolution, rec.dropped) == (
            3000 - outside,
            (50, 40),
            dropped.dropped,
        )
        assert not rec.geometry_inferred
    for resolution in ((50, 40), (900, 40), (900, 800)):
        target = tmp_path / f"{resolution[0]}_{resolution[1]}.evs"
        receipt = convert(raw, target, resolution=resolution, grow=True, verify=True)
        assert receipt.lossless
        with evstore.open(target) as rec:
            assert rec.resolution == (max(resolution[0], 64), max(resolution[1], 48))
            assert rec.metadata["resolution_from"] == "events, grown"
    np.save(tmp_path / "a.npy", EVENTS.to_structured())
    for options in ({}, {"grow": True}):
        target = tmp_path / f"silent{len(options)}.evs"
        convert(tmp_path / "a.npy", target, time_unit="us", verify=True, **options)
        with evstore.open(target) as rec:
            assert rec.resolution == RESOLUTION
            assert rec.geometry_inferred
    with pytest.raises(ArgumentError, match="states its resolution"):
        convert(tmp_path / "a.evs", tmp_path / "b.evs", resolution=(5, 5))


# ------------------------------------------------------------------ existing targets, resuming


def test_an_existing_target_stays(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.evs"
    for content in (b"mine", b""):
        target.write_bytes(content)
        for options in ({}, {"resume": True}):
            with pytest.raises(ArgumentError, match="exists already"):
                convert(raw, target, **options)
            assert target.read_bytes() == content
    assert convert(raw, target, overwrite=True).events == 3000
    save(tmp_path / "other.evs", EVENTS[:7])
    with pytest.raises(ArgumentError, match="exists already"):
        convert(raw, tmp_path / "other.evs", resume=True)
    with pytest.raises(ArgumentError, match="is a folder"):
        convert(raw, raw.parent, overwrite=True)


def test_resume_leaves_what_is_finished(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.evs"
    convert(raw, target)
    before = target.stat()
    again = convert(raw, target, resume=True, verify=True)
    assert (again.status, again.events, again.verified) == ("skipped", 3000, True)
    assert not again.lossless
    assert target.stat() == before
    os.utime(raw, ns=(1, 1))  # another time, the same content
    assert convert(raw, target, resume=True).status == "skipped"
    write_raw(raw, some_events(seed=2))
    assert convert(raw, target, resume=True).status == "done"
    assert read(target) == some_events(seed=2)


def test_resume_does_not_take_a_part_for_the_whole(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.evs"
    part = Selection(start=3000, stop=4000)
    convert(raw, target, selection=part)
    assert convert(raw, target, selection=part, resume=True).status == "skipped"
    whole = convert(raw, target, resume=True)
    assert (whole.status, whole.events) == ("done", 3000)
    assert convert(raw, target, resume=True).status == "skipped"
    assert convert(raw, target, resume=True, resolution=(99, 99)).status == "done"
    assert convert(raw, target, resume=True, resolution=(99, 99)).status == "skipped"


def test_resume_does_not_trust_a_damaged_target(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.evs"
    convert(raw, target)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    with pytest.raises(ArgumentError, match="exists already"):
        convert(raw, target, resume=True, verify=True)


@pytest.mark.parametrize("suffix", [".evs", ".csv", ".npz", ".raw"])
def test_resume_of_a_shard_and_of_other_formats(raw: Path, tmp_path: Path, suffix: str) -> None:
    shard, target = tmp_path / "s.evs", tmp_path / f"t{suffix}"
    convert(raw, shard)
    convert(shard, target)
    assert convert(shard, target, resume=True).status == "skipped"
    convert(raw, shard, selection=Selection(stop=9000), overwrite=True)
    if suffix == ".evs":
        return  # known as made of a file called a.raw, not of s.evs
    with pytest.raises(ArgumentError, match="exists already"):
        convert(shard, target, resume=True)


# ----------------------------------------------------------------------- sources and failures


def test_a_source_is_deleted_only_when_all_of_it_is_proved(raw: Path, tmp_path: Path) -> None:
    proved = {"verify": True, "delete_source": True}
    assert not convert(
        raw, tmp_path / "a.evs", resolution=(50, 40), drop_outside=True, **proved
    ).deleted_source
    assert raw.exists()
    assert convert(raw, tmp_path / "b.evs", **proved).deleted_source
    assert not raw.exists()
    many = tmp_path / "many.evs"
    with create(many) as shard:
        for id in ("a", "b"):
            with shard.recording(id) as out:
                out.write(EVENTS)
    assert not convert(f"{many}#a", tmp_path / "c.evs", **proved).deleted_source
    assert not convert(many, tmp_path / "d.evs", recording="b", **proved).deleted_source
    assert many.exists()
    assert convert(many, tmp_path / "e.evs", **proved).deleted_source
    with pytest.raises(ArgumentError, match="pipe"):
        convert("-", tmp_path / "f.evs", **proved)


def test_a_source_that_grows_is_kept(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evstore.conversion import one

    def grow(path: str) -> Any:
        with raw.open("ab") as stream:
            stream.write(b"\0\0")
        return verify_shard(path)

    monkeypatch.setattr(one, "verify_shard", grow)
    receipt = convert(raw, tmp_path / "a.evs", verify=True, delete_source=True)
    assert receipt.verified
    assert not receipt.deleted_source
    assert raw.exists()


def test_a_file_is_not_converted_to_itself(raw: Path, tmp_path: Path) -> None:
    shard = tmp_path / "a.evs"
    convert(raw, shard)
    link = tmp_path / "link.evs"
    os.link(shard, link)
    for target in (shard, link, tmp_path / "in" / ".." / "a.evs"):
        with pytest.raises(ArgumentError, match="to itself"):
            convert(shard, target, overwrite=True, verify=True, delete_source=True)
    part = tmp_path / "b.evs.part"
    os.rename(shard, part)
    with pytest.raises(ArgumentError, match="to itself"):
        convert(part, tmp_path / "b.evs", overwrite=True)
    assert read(part) == EVENTS


def test_what_does_not_verify_does_not_stay(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evstore.conversion import one

    def flip(path: str) -> Any:
        data = bytearray(Path(path).read_bytes())
        data[len(data) // 2] ^= 4
        Path(path).write_bytes(data)
        return verify_shard(path)

    monkeypatch.setattr(one, "verify_shard", flip)
    with pytest.raises(VerificationError):
        convert(raw, tmp_path / "a.evs", verify=True, delete_source=True)
    monkeypatch.setattr(one, "digest", lambda recording: {"sha256": {}})
    with pytest.raises(VerificationError, match="does not hold"):
        convert(raw, tmp_path / "a.npz", verify=True)
    assert files_below(tmp_path) == {"in/a.raw"}


@pytest.mark.parametrize("suffix", [".evs", ".csv", ".npz", ".raw"])
def test_a_cut_file_leaves_nothing(raw: Path, tmp_path: Path, suffix: str) -> None:
    raw.write_bytes(raw.read_bytes()[:-1])
    with pytest.raises(TruncatedError, match="2,999 events are safe"):
        convert(raw, tmp_path / f"a{suffix}")
    assert files_below(tmp_path) == {"in/a.raw"}
    (receipt,) = run([Job(str(raw), str(tmp_path / f"a{suffix}"))], Options())
    assert (receipt.status, receipt.error_kind) == ("failed", "TruncatedError")
    assert receipt.error is not None
    assert str(raw) in receipt.error


@pytest.mark.parametrize("suffix", [".evs", ".csv", ".npz", ".raw"])
def test_an_interrupt_leaves_nothing(raw: Path, tmp_path: Path, suffix: str) -> None:
    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        convert_one(Job(str(raw), str(tmp_path / f"a{suffix}")), Options(), interrupt)
    assert files_below(tmp_path) == {"in/a.raw"}
    assert threading.active_count() == before


def test_after_a_failure_stop_or_go_on(raw: Path, tmp_path: Path) -> None:
    cut = raw.parent / "0cut.raw"
    cut.write_bytes(raw.read_bytes()[:-1])
    todo = plan([str(raw.parent)], str(tmp_path / "out"), Options())
    seen: list[Receipt] = []
    assert [r.status for r in run(todo, Options(), on_receipt=seen.append)] == ["failed"]
    assert len(seen) == 1
    skipped = run(todo, Options(), on_error="skip")
    assert [r.status for r in skipped] == ["failed", "done"]
    for said in ({"on_error": "ask"}, {"n_processes": 0}):
        with pytest.raises(ArgumentError):
            run(todo, Options(), **said)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------- pipes


def stdin_of(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("name", ["a.evs", "a.raw", "a.csv", "a.npz"])
def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    stdin_of(monkeypatch, raw_bytes(EVENTS))
    receipt = convert("-", tmp_path / name, verify=True)
    assert (receipt.events, receipt.verified, receipt.bytes_in) == (3000, True, 0)
    assert read(tmp_path / name) == EVENTS
    assert files_below(tmp_path) == {name}


def test_standard_input_without_a_resolution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "t,x,y,p\n1,2,3,1\n"
    stdin_of(monkeypatch, text.encode())
    with pytest.raises(ArgumentError, match="--resolution"):
        convert("-", tmp_path / "a.npz", time_unit="us", input_format="csv")
    stdin_of(monkeypatch, text.encode())
    said: dict[str, Any] = {"time_unit": "us", "input_format": "csv"}
    convert("-", tmp_path / "a.npz", resolution=(9, 9), **said)
    stdin_of(monkeypatch, text.encode())
    convert("-", tmp_path / "a.evs", **said)
    assert read(tmp_path / "a.npz") == read(tmp_path / "a.evs")


@pytest.mark.parametrize("name", ["a.evs", "a.raw"])
def test_what_was_read_of_a_cut_pipe_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    content = raw_bytes(EVENTS)[:-1]
    stdin_of(monkeypatch, content)
    (receipt,) = run([Job("-", str(tmp_path / name))], Options(), n_processes=2)
    part = str(tmp_path / f"{name}.part")
    assert (receipt.status, receipt.kept_part) == ("failed", part)
    assert part in (receipt.error or "")
    assert files_below(tmp_path) == {f"{name}.part"}
    stdin_of(monkeypatch, content)
    with pytest.raises(ArgumentError, match=r"part"):  # the only copy is not overwritten unasked
        convert("-", tmp_path / name)
    report = evstore.recover(part, tmp_path / "saved.evs")
    assert report.events >= 2999 if name == "a.evs" else report.events > 0
    assert read(tmp_path / "saved.evs") == EVENTS[: report.events]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.raw"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=pipe.write_bytes, args=(raw_bytes(EVENTS),))
    feeder.start()
    told: list[int] = []
    convert_one(
        Job(str(pipe), str(tmp_path / "a.evs")), Options(), lambda done, events: told.append(done)
    )
    feeder.join()
    assert read(tmp_path / "a.evs") == EVENTS
    with evstore.open(tmp_path / "a.evs") as rec:
        assert "size" not in rec.metadata["source"]


def test_text_keeps_what_is_learnt_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,x,y,p\n1,2,3,1\n\n2,3,4,0")
    convert(tmp_path / "a.csv", tmp_path / "a.evs", time_unit="us", verify=True)
    with evstore.open(tmp_path / "a.evs") as rec:
        assert rec.metadata["final_newline"] is False
