"""Packing: what is in, what is left out, what is kept, and what a kill leaves."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

import evstore
from command_line import raw_bytes, run, some_events, start
from evstore.datasets.indexing import index
from evstore.datasets.manifest import NAME, read_manifest
from evstore.datasets.packing import one
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.job import PackReport
from evstore.datasets.packing.pack import pack
from evstore.errors import ArgumentError
from evstore.shard.layout import HEADER, HEADER_SIZE, MAGIC
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from packs import CLASSES, contents, equal, events_of, ids_of, items, packed, rows, sources

SHARD = 2000  # bytes: a few recordings


def statuses(report: PackReport) -> list[str]:
    return [receipt.status for receipt in report.receipts]


def test_what_is_in(tmp_path: Path) -> None:
    paths = sources(tmp_path / "in", 12)
    report = pack(Found(items(paths), CLASSES), tmp_path / "out", shard_bytes=SHARD, verify=True)
    assert len(report.receipts) > 3
    assert set(statuses(report)) == {"done"}
    assert (report.total("recordings"), report.total("events")) == (12, 6000)
    assert report.total("bytes_in") == sum(path.stat().st_size for path in paths)
    assert report.total("bytes_out") == sum(
        p.stat().st_size for p in (tmp_path / "out").glob("*.evs")
    )
    manifest = read_manifest(tmp_path / "out")
    assert manifest.classes == CLASSES
    found = rows(manifest)
    for k, path in enumerate(paths):
        row = found[f"r/{k}"]
        assert (row["split"], row["label"], row["user"]) == (
            "test" if k % 4 == 3 else "train", k % 3, f"u{k % 5}",
        )  # fmt: skip
        assert row["source"] == path.name
        assert row["shard"].startswith(row["split"])
        with evstore.open(path) as recording:
            assert events_of(tmp_path / "out", row) == recording[:]


def test_manifest_is_that_of_the_shards_and_written_last(tmp_path: Path) -> None:
    folder = packed(tmp_path, "set")
    newest = max(path.stat().st_mtime_ns for path in folder.glob("*.evs"))
    assert (folder / NAME).stat().st_mtime_ns >= newest
    before = read_manifest(folder)
    (folder / NAME).unlink()
    made, lost = index(folder)
    assert lost is None
    assert equal(made, before)
    assert equal(folder, before)


def test_a_rerun_skips_all(tmp_path: Path) -> None:
    paths = sources(tmp_path / "in", 12)
    found = Found(items(paths), CLASSES)
    first = pack(found, tmp_path / "out", shard_bytes=SHARD)
    before = contents(tmp_path / "out")
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.evs")}
    again = pack(found, tmp_path / "out", shard_bytes=SHARD)
    assert set(statuses(again)) == {"skipped"}
    assert contents(tmp_path / "out") == before
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.evs")}
    assert again.total("events") == first.total("events")
    os.utime(paths[0], ns=(1, 1))  # only touched: the SHA-256 tells that it is as it was
    assert set(statuses(pack(found, tmp_path / "out", shard_bytes=SHARD))) == {"skipped"}


def changed(how: str, paths: list[Path], tables: Path) -> tuple[Found, dict[str, Any]]:
    """The same dataset, in which one thing of r/5 (or of all) is another."""
    found = items(paths)
    options: dict[str, Any] = {}
    if how == "events":
        paths[5].write_bytes(raw_bytes(some_events(500, 77)))
    elif how == "preset":
        options["preset"] = "fast"
    elif how == "classes":
        return Found(found, ["a", "b", "c"]), options
    else:
        others: dict[str, dict[str, Any]] = {
            "label": {"label": 0}, "no label": {"label": None}, "group": {"group": "g"},
            "columns": {"columns": {"user": "other"}}, "resolution": {"reading": {"sensor": "x"}},
            "cut": {"start": 1000}, "intervals": {"intervals": str(tables)},
        }  # fmt: skip
        found[5] = replace(found[5], **others[how])
    return Found(found, CLASSES), options


@pytest.mark.parametrize(
    "how",
    [
        *("events", "preset", "classes", "label", "no label", "group", "columns", "resolution"),
        *("cut", "intervals"),
    ],
)
def test_what_is_another_is_packed_again(tmp_path: Path, how: str) -> None:
    paths = sources(tmp_path / "in", 8)
    tables = tmp_path / "labels.csv"
    tables.write_text("class,startTime_usec,endTime_usec\n1,100,2000\n")
    whole = 1 << 30  # one shard a split: what goes where does not change
    pack(Found(items(paths), CLASSES), tmp_path / "out", shard_bytes=whole)
    found, options = changed(how, paths, tables)
    again = pack(found, tmp_path / "out", shard_bytes=whole, **options)
    assert again.manifest is not None, again.failed
    of_all = how in ("preset", "classes")
    assert sorted(statuses(again)) == (["done", "done"] if of_all else ["done", "skipped"])
    fresh = pack(found, tmp_path / "fresh", shard_bytes=whole, **options)
    assert fresh.manifest is not None
    assert equal(tmp_path / "out", tmp_path / "fresh")
    third = pack(found, tmp_path / "out", shard_bytes=whole, **options)
    assert set(statuses(third)) == {"skipped"}


def test_a_changed_table_of_labels(tmp_path: Path) -> None:
    (path,) = sources(tmp_path / "in", 1)
    tables = tmp_path / "labels.csv"
    found = Found([Item(str(path), "a", intervals=str(tables))], CLASSES, first_class=1)
    for last in (2000, 2500):
        tables.write_text(f"class,startTime_usec,endTime_usec\n1,100,{last}\n")
        assert statuses(pack(found, tmp_path / "out")) == ["done"]
        (row,) = rows(tmp_path / "out").values()
        assert row["intervals"] == [{"t_start": 100, "t_stop": last, "class_id": 0}]
    assert statuses(pack(found, tmp_path / "out")) == ["skipped"]


# --------------------------------------------------------------------------- what fails


@pytest.fixture(params=["ahead", "on the way"])
def ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are read whole before they are written, and such that are not."""
    if request.param == "on the way":
        monkeypatch.setattr(one, "AHEAD_BYTES", 0)


@pytest.mark.usefixtures("ahead")
@pytest.mark.parametrize("events", [500, 300_000])
def test_a_source_that_ends_early(tmp_path: Path, events: int) -> None:
    paths = sources(tmp_path / "in", 4)
    bad = tmp_path / "in" / "bad.raw"
    bad.write_bytes(raw_bytes(some_events(events))[:-1])
    found = Found([*items(paths), Item(str(bad), "bad", "train", 1)], CLASSES)
    stopped = pack(found, tmp_path / "out", shard_bytes=1 << 30)
    assert stopped.manifest is None
    assert [source for source, _ in stopped.failed] == [str(bad)]
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / "out" / NAME).exists()
    skipped = pack(found, tmp_path / "out", shard_bytes=1 << 30, on_error="skip", verify=True)
    assert skipped.manifest is not None
    assert [source for source, _ in skipped.failed] == [str(bad)]
    assert skipped.total("bytes_in") == sum(path.stat().st_size for path in paths)
    assert list(rows(tmp_path / "out")) == [f"r/{k}" for k in range(4)]
    bad.write_bytes(raw_bytes(some_events(events)))
    whole = pack(found, tmp_path / "out", shard_bytes=1 << 30)
    assert whole.manifest is not None
    assert not whole.failed
    assert len(rows(tmp_path / "out")) == 5


def test_where_all_fail(tmp_path: Path) -> None:
    paths = sources(tmp_path / "in", 3)
    found = Found(items(paths), CLASSES)
    pack(found, tmp_path / "out")
    for path in paths:
        path.write_bytes(path.read_bytes()[:-1])
    report = pack(found, tmp_path / "new", on_error="skip")
    assert report.manifest is None
    assert len(report.failed) == 3
    assert not list((tmp_path / "new").iterdir())
    before = contents(tmp_path / "out")
    report = pack(found, tmp_path / "out", on_error="skip")
    assert report.manifest is None
    assert "earlier" in report.failed[-1][1]
    assert contents(tmp_path / "out") == before


def test_a_full_disk_is_no_fault_of_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    found = Found(items(sources(tmp_path / "in", 3)), CLASSES)
    monkeypatch.setattr(one, "copy_foreign", full)
    report = pack(found, tmp_path / "out", on_error="skip")
    assert report.manifest is None
    assert [(Path(place).name, why) for place, why in report.failed] == [
        ("train-00000.evs", os.strerror(errno.ENOSPC))
    ]
    assert not list((tmp_path / "out").iterdir())


def test_two_of_one_name(tmp_path: Path) -> None:
    a, b = sources(tmp_path / "in", 2)
    with pytest.raises(ArgumentError, match="'same'"):
        pack(Found([Item(str(a), "same"), Item(str(b), "same")]), tmp_path / "out")


# ----------------------------------------------------------------- what is there already


def test_shards_of_another_dataset(tmp_path: Path) -> None:
    folder = packed(tmp_path, "old", 12)
    new = Found(items(sources(tmp_path / "in", 3, seed=9), "new"), CLASSES)
    before = contents(folder)
    with pytest.raises(ArgumentError, match="--overwrite"):
        pack(new, folder)
    assert contents(folder) == before
    assert pack(new, folder, overwrite=True).manifest is not None
    assert ids_of(folder) == ["new/0", "new/1", "new/2"]
    assert set(contents(folder)) == {NAME, "train-00000.evs"}


def test_the_same_names_of_shards(tmp_path: Path) -> None:
    """`train-00000.evs` of another dataset is not overwritten because it is called so."""
    folder = packed(tmp_path, "old", 3, shard_bytes=1 << 30)
    new = Found(items(sources(tmp_path / "in", 3, seed=9), "new"), CLASSES)
    with pytest.raises(ArgumentError, match="not of this dataset"):
        pack(new, folder)
    assert pack(new, folder, overwrite=True).manifest is not None
    assert ids_of(folder) == ["new/0", "new/1", "new/2"]


def test_a_damaged_shard_is_made_again(tmp_path: Path) -> None:
    paths = sources(tmp_path / "in", 12)
    found = Found(items(paths), CLASSES)
    pack(found, tmp_path / "out", shard_bytes=SHARD)
    before = contents(tmp_path / "out")
    victim = tmp_path / "out" / "train-00001.evs"
    victim.write_bytes(victim.read_bytes()[:-9])
    again = pack(found, tmp_path / "out", shard_bytes=SHARD)
    assert statuses(again).count("done") == 1
    assert contents(tmp_path / "out") == before


def harmed(content: bytes, how: str) -> bytes:
    if how == "its end":
        return content[: len(content) // 2]
    if how == "its header":
        return bytes(16) + content[16:]
    if how == "a newer version":
        head = HEADER.pack(MAGIC, 99, 0, 0)
        check = xxhash.xxh3_64_intdigest(head).to_bytes(8, "little")[:4]
        return head + check + content[HEADER_SIZE:]
    return bytes(len(content)) if how == "zeros" else b"notes of mine\n" * 100


@pytest.mark.parametrize("whose", ["ours", "another's"])
@pytest.mark.parametrize("how", ["its end", "its header", "a newer version", "zeros", "no shard"])
def test_damaged_shards_that_are_ours_or_may_be_anyones(
    tmp_path: Path, whose: str, how: str
) -> None:
    found = Found(items(sources(tmp_path / "in", 4)), CLASSES)
    folder = tmp_path / "out"
    others = packed(tmp_path, "old", 4, shard_bytes=1 << 30)
    pack(found, folder, shard_bytes=1 << 30)
    victim = folder / "train-00000.evs"
    whole = victim.read_bytes()
    from_ = victim if whose == "ours" else others / victim.name
    victim.write_bytes(harmed(from_.read_bytes(), how))
    before = contents(folder)
    if whose == "ours" and how in ("its end", "its header"):  # it can be seen that it is
        pack(found, folder, shard_bytes=1 << 30)
    else:
        with pytest.raises(ArgumentError, match=r"not of this dataset.*train-00000\.evs"):
            pack(found, folder, shard_bytes=1 << 30)
        assert contents(folder) == before
        assert pack(found, folder, shard_bytes=1 << 30, overwrite=True).manifest is not None
    assert victim.read_bytes() == whole


def test_sources_among_shards(tmp_path: Path) -> None:
    paths = sources(tmp_path / "in", 3)
    for out in (tmp_path / "in", tmp_path / "in" / "out", tmp_path):
        with pytest.raises(ArgumentError, match="apart"):
            pack(tmp_path / "in", out, overwrite=True)
    assert all(path.exists() for path in paths)


# ------------------------------------------------------------------------ kinds of sources


def test_shards_as_sources(tmp_path: Path) -> None:
    folder = packed(tmp_path, "set")
    report = pack(folder, tmp_path / "again", shard_bytes=1 << 30, verify=True)
    assert report.manifest is not None
    assert report.total("bytes_in") == sum(p.stat().st_size for p in folder.glob("*.evs"))
    a, b = rows(folder), rows(tmp_path / "again")
    same = ("split", "label", "root", "user", "source", "events")
    assert {id: [row[k] for k in same] for id, row in a.items()} == {
        id: [row[k] for k in same] for id, row in b.items()
    }
    assert read_manifest(tmp_path / "again").classes == CLASSES
    again = pack(folder, tmp_path / "again", shard_bytes=1 << 30)
    assert set(statuses(again)) == {"skipped"}


def test_streams_of_a_file_are_a_group(tmp_path: Path) -> None:
    """Two recordings in one file, of which one item is made."""
    path = tmp_path / "stereo.evs"
    with evstore.create(path) as out:
        left = out.recording("left", resolution=(64, 48))
        right = out.recording("right", resolution=(64, 48))
        right.write(some_events(50, 2))
        left.write(some_events(40, 1))
        right.close()  # ended in another order than begun
        left.close()
    report = pack(Found([Item(str(path), "drive", label=1)]), tmp_path / "out", verify=True)
    assert report.manifest is not None, report.failed
    found = rows(tmp_path / "out")
    assert {id: (row["group"], row["label"], row["events"]) for id, row in found.items()} == {
        "drive/left": ("drive", 1, 40), "drive/right": ("drive", 1, 50),
    }  # fmt: skip
    assert statuses(pack(Found([Item(str(path), "drive", label=1)]), tmp_path / "out")) == [
        "skipped"
    ]


def test_cuts_of_a_file(tmp_path: Path) -> None:
    """Several recordings of one file, which is hashed once, and counted once."""
    (path,) = sources(tmp_path / "in", 1)
    found = Found([Item(str(path), f"{k}", start=1000 * k, stop=1000 * k + 1000) for k in range(5)])
    report = pack(found, tmp_path / "out", verify=True)
    assert report.total("bytes_in") == path.stat().st_size
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with evstore.open(path) as recording:
        for k, row in rows(tmp_path / "out").items():
            start = 1000 * int(k)
            assert events_of(tmp_path / "out", row) == recording.between(start, start + 1000)
    with Shard(tmp_path / "out" / "data-00000.evs") as shard:
        assert {info.metadata["source_sha256"] for info in shard.recordings} == {sha256}
    os.utime(path, ns=(1, 1))
    assert statuses(pack(found, tmp_path / "out")) == ["skipped"]


def test_positions_are_those_of_the_directory(tmp_path: Path) -> None:
    """Recordings that end in another order than they began."""
    path = tmp_path / "set" / "a.evs"
    path.parent.mkdir()
    with evstore.create(path) as out:
        first = out.recording("first", resolution=(64, 48))
        second = out.recording("second", resolution=(64, 48))
        for writer, count in ((second, 50), (first, 40)):
            writer.write(some_events(count))
            writer.close()
    made, _ = index(path.parent)
    with Shard(path) as shard:
        for id, row in rows(made).items():
            info = shard.recordings[row["position"]]
            assert (info.id, info.root) == (id, row["root"])


def test_ids_that_begin_alike(tmp_path: Path) -> None:
    a, b = sources(tmp_path / "in", 2)
    found = Found([Item(str(a), "a"), Item(str(b), "a/b")])
    pack(found, tmp_path / "out")
    assert statuses(pack(found, tmp_path / "out")) == ["skipped"]


def test_real_digits(data_dir: Path, tmp_path: Path) -> None:
    """Every event of N-MNIST, in at most half of the bytes."""
    source = data_dir / "nmnist_small"
    report = pack(source, tmp_path / "out", resolution=(34, 34))
    assert report.manifest is not None
    assert not report.orphans
    files = sorted(source.rglob("*.bin"))
    size = sum(path.stat().st_size for path in files)
    whole = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert report.total("bytes_in") == size
    assert whole <= size / 2
    found = rows(tmp_path / "out")
    assert len(found) == len(files)
    for path in files[::25]:
        row = found[path.relative_to(source).with_suffix("").as_posix()]
        packed_at = f"{tmp_path / 'out' / row['shard']}#{row['id']}"
        with evstore.open(packed_at) as ours, evstore.open(path, resolution=(34, 34)) as theirs:
            assert evstore.digest(ours) == evstore.digest(theirs)
        assert row["label"] == int(path.parent.name)


# ------------------------------------------------------------------------------- killed


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send")
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    """Packing of 40 files, killed again and again with one and two processes, then completed."""
    random = np.random.default_rng(seed)
    paths = sources(tmp_path / "in", 4, 60_000)
    for k in range(4, 40):
        os.link(paths[k % 4], tmp_path / "in" / f"{k:03}.raw")
    whole = tmp_path / "whole"
    arguments = ["--shard-size", "300kB", "--jobs"]
    assert run("pack", tmp_path / "in", whole, *arguments, 1).code == 0
    out = tmp_path / "out"
    for k in range(4):
        process = start(
            "pack", tmp_path / "in", out, *arguments, 1 + k % 2, stdout=subprocess.DEVNULL
        )
        have = len(list(out.glob("*"))) if out.exists() else 0
        while process.poll() is None and (len(list(out.glob("*"))) if out.exists() else 0) == have:
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.3))
        process.kill()
        process.communicate()
        for path in out.glob("*.evs"):
            verify_shard(path)
        made = ids_of(out)
        assert len(set(made)) == len(made)
        if len(made) < 40:
            assert not (out / NAME).exists()
    assert run("pack", tmp_path / "in", out, *arguments, 2, "--verify").code == 0
    assert contents(out) == contents(whole)
    assert len(ids_of(out)) == 40


# -------------------------------------------------------------------------- dataset objects


class Digits:
    """A dataset object of tonic's shape."""

    sensor_size = (64, 48, 2)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return some_events(100, index).to_structured(), index % 3


def test_an_object_and_shards_of_others(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert pack(Digits(), out, split="train").manifest is not None
    assert len(rows(out)) == 6
    (out / NAME).unlink()  # as a run that was interrupted leaves it: begun again
    again = pack(Digits(), out, split="train")
    assert again.manifest is not None
    assert len(ids_of(out)) == 6
    mine = tmp_path / "mine" / "drive.evs"
    mine.parent.mkdir()
    evstore.save(mine, some_events(10))
    with pytest.raises(ArgumentError, match="not of this dataset"):
        pack(Digits(), mine.parent)
    assert mine.exists()
    assert pack(Digits(), mine.parent, overwrite=True).manifest is not None
    assert not mine.exists()


def test_an_object_and_what_others_have_not_finished(tmp_path: Path) -> None:
    drive, left = tmp_path / "drive.evs.part", tmp_path / "train-00007.evs.part"
    drive.write_bytes(b"is being written")
    left.write_bytes(b"of a run that was killed")
    assert pack(Digits(), tmp_path, split="train").manifest is not None
    assert drive.read_bytes() == b"is being written"
    assert not left.exists()
