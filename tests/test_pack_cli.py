"""evstore pack and evstore dataset: arguments, what is printed, exit codes."""

from __future__ import annotations

import csv
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import files_below, raw_bytes, run, some_events, start
from evstore.cli.printing import parse_size
from evstore.cli.progress import ShardProgress
from evstore.datasets.manifest import NAME, read_manifest
from evstore.datasets.packing.job import PackReceipt
from evstore.datasets.packing.layouts import LAYOUTS
from evstore.errors import ArgumentError
from packs import contents, ids_of, packed, rows, sources


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """train/cat, train/dog, test/cat, test/dog, and a note."""
    for n, split in enumerate(("train", "test")):
        for k, name in enumerate(("cat", "dog")):
            sources(tmp_path / "in" / split / name, 3 - n, seed=10 * n + k)
    (tmp_path / "in" / "notes.txt").write_text("no events")
    return tmp_path / "in"


def test_a_tree(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = run("pack", tree, out, "--verify")
    assert (ran.code, ran.err) == (0, "")
    words = ["10", "5,000", "test 4, train 6", "2: cat, dog", "2 written, verified", "notes.txt"]
    assert all(word in ran.out for word in words), ran.out
    assert "1 file left out" in ran.out
    assert files_below(out) == {NAME, "train-00000.evs", "test-00000.evs"}
    again = run("pack", tree, out)
    assert again.code == 0
    assert "0 written, 2 were there already" in again.out


def test_json_and_orphans(tree: Path, tmp_path: Path) -> None:
    listed = tmp_path / "orphans.csv"
    ran = run("pack", tree, tmp_path / "out", "--json", "--orphans", listed, "--jobs", 2)
    found = ran.json
    assert (found["recordings"], found["splits"]) == (10, {"test": 4, "train": 6})
    assert found["classes"] == ["cat", "dog"]
    assert [Path(path).name for path, _ in found["orphans"]] == ["notes.txt"]
    with listed.open() as file:
        assert [Path(row["path"]).name for row in csv.DictReader(file)] == ["notes.txt"]


def test_dry_run(tree: Path, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    ran = run("pack", tree, tmp_path / "out", "--dry-run", "--shard-size", "1kB")
    assert (ran.code, ran.err) == (0, "")
    assert all(word in ran.out for word in ("10", "train 6", "cat, dog", "notes.txt")), ran.out
    found = run("pack", tree, tmp_path / "out", "--dry-run", "--json").json
    assert sorted(len(shard["items"]) for shard in found["shards"]) == [4, 6]
    assert files_below(tmp_path) == before


def test_a_list(tmp_path: Path) -> None:
    paths = sources(tmp_path / "in", 2)
    listed = tmp_path / "list.csv"
    lines = [f"{p.relative_to(tmp_path)},r{k},{'ab'[k]}" for k, p in enumerate(paths)]
    listed.write_text("\n".join(["path,id,label", *lines]) + "\n")
    assert run("pack", listed, tmp_path / "out").code == 0
    assert [(id, row["label"]) for id, row in rows(tmp_path / "out").items()] == [
        ("r0", 0), ("r1", 1),
    ]  # fmt: skip
    listed.write_text(listed.read_text() + "in/gone.raw,r2,a\n")
    ran = run("pack", listed, tmp_path / "more")
    assert ran.code == 3  # a recording that the list names is not there
    assert "gone.raw" in ran.out


def test_what_fails(tree: Path, tmp_path: Path) -> None:
    bad = tree / "train" / "cat" / "bad.raw"
    bad.write_bytes(raw_bytes(some_events())[:-1])
    stopped = run("pack", tree, tmp_path / "out")
    assert stopped.code == 1
    assert str(bad) in stopped.error
    assert "not a dataset yet" in stopped.out
    assert not (tmp_path / "out" / NAME).exists()
    skipped = run("pack", tree, tmp_path / "out", "--on-error", "skip")
    assert skipped.code == 3
    assert str(bad) in skipped.error
    assert "1 failed" in skipped.out
    assert len(ids_of(tmp_path / "out")) == 10


def test_what_is_dropped(tree: Path, tmp_path: Path) -> None:
    flags = ["--resolution", "64x40", "--drop-outside"]
    ran = run("pack", tree, tmp_path / "out", *flags)
    assert ran.code == 3
    assert "not kept" in ran.out
    assert run("pack", tree, tmp_path / "grown", "--resolution", "64x40", "--grow").code == 0


def test_layouts(tmp_path: Path, data_dir: Path) -> None:
    shown = run("pack", "--help")
    assert all(name in shown.out.replace("\n", "") for name in ("nmnist", "dsec"))
    digits = data_dir / "nmnist_small"
    ran = run("pack", digits, tmp_path / "out", "--layout", "nmnist", "--json")
    assert ran.code == 0
    assert ran.json["splits"] == {"test": 100, "train": 1000}
    assert read_manifest(tmp_path / "out").about["layout"] == "nmnist"
    assert "nmnist" in LAYOUTS
    assert run("pack", digits, tmp_path / "x", "--layout", "dsec").code == 2


def test_wrong_arguments(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for flags in (
        ["--layout", "imagenet"],
        ["--shard-size", "many"],
        ["--shard-size", "0"],
        ["--jobs", "0"],
        ["--grow", "--drop-outside"],
    ):
        ran = run("pack", tree, out, *flags)
        assert ran.code == 2, flags
        assert ran.error
    assert run("pack", tmp_path / "no", out).code == 2
    assert run("pack", tree, tree).code == 2
    assert not out.exists()


def test_another_dataset_is_there(tree: Path, tmp_path: Path) -> None:
    folder = packed(tmp_path, "old", 3)
    before = contents(folder)
    ran = run("pack", tree, folder)
    assert ran.code == 2
    assert "--overwrite" in ran.error
    assert contents(folder) == before
    assert run("pack", tree, folder, "--overwrite").code == 0
    assert len(ids_of(folder)) == 10


def test_sizes() -> None:
    assert parse_size("1GiB") == 1 << 30
    assert parse_size("10 kb") == 10_000
    for text in ("", "MB", "1XB", "-1", "0", "1iB", "1e9"):
        with pytest.raises(ArgumentError):
            parse_size(text)


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", stream)
    progress = ShardProgress()
    for k in range(3):
        progress.receipt(PackReceipt(f"{k}.evs", events=1000), 3)
    assert "2/3 shards" in stream.text
    assert "ev/s" in stream.text
    progress.clear()
    assert stream.text.endswith("\r\x1b[K")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupt(tmp_path: Path, jobs: int) -> None:
    first, *_ = sources(tmp_path / "in it", 1, 100_000)
    for k in range(1, 60):
        os.link(first, first.with_name(f"{k}.raw"))
    out = tmp_path / "out"
    arguments = ["pack", str(tmp_path / "in it"), str(out), "--jobs", str(jobs)]
    process = start(*arguments, "--shard-size", "200kB", start_new_session=True)
    while process.poll() is None and not (out.exists() and any(out.glob("*.evs"))):
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert all(name.endswith(".evs") for name in files_below(out))
    lines = err.decode().splitlines()
    assert lines[0].startswith("evstore: error: interrupted: ")
    typed = shlex.split(lines[-1])
    assert typed[0] == "evstore"
    assert run(*typed[1:]).code == 0
    assert len(set(ids_of(out))) == len(ids_of(out)) == 60


# ------------------------------------------------------------------------ evstore dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return packed(tmp_path, "set", 12)


def test_ls(folder: Path) -> None:
    ran = run("dataset", "ls", folder)
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 13
    assert len(run("dataset", "ls", folder, "--split", "test").out.splitlines()) == 4
    by_name = run("dataset", "ls", folder, "--label", "dog", "--json").json
    assert by_name == run("dataset", "ls", folder, "--label", "1", "--json").json
    assert {one["class"] for one in by_name} == {"dog"}
    assert by_name[0]["user"].startswith("u")
    assert len(by_name[0]["root"]) == 64
    assert "and 10 more" in run("dataset", "ls", folder, "--limit", 2).out
    assert "dataset index" in run("dataset", "ls", folder.parent).error


def test_split_stats_index(folder: Path) -> None:
    ran = run("dataset", "split", folder, "--fractions", "train=0.5,val=0.5", "--json")
    assert ran.json["splits"] == {"train": 6, "val": 6}
    assert ran.json["rule"]["stratify"] == "label"
    table = run("dataset", "stats", folder)
    assert table.code == 0
    assert all(word in table.out for word in ("cat", "val", "64x48", "kev/s"))
    assert run("dataset", "stats", folder, "--json").json["total"]["recordings"] == 12
    indexed = run("dataset", "index", folder)
    assert indexed.code == 0
    assert "split as before" in indexed.out
    (folder / NAME).write_bytes(b"garbage")
    damaged = run("dataset", "index", folder)
    assert damaged.code == 0
    assert "splits are those of the shards" in damaged.err
    assert run("dataset", "split", folder, "--by", "user").out.startswith("u0  3 recordings")
    assert run("dataset", "split", folder, "--as-packed", "--json").json == {
        "splits": {"test": 3, "train": 9},
        "rule": None,
    }


@pytest.mark.parametrize(
    "flags",
    [
        [], ["--by", "user", "--as-packed"], ["--by", "nobody"], ["--fractions", "train"],
        ["--fractions", "a=0.5,a=0.5"], ["--fractions", "a=0.5,b=0.2"], ["--fractions", "a=x"],
        ["--fractions", "a=1", "--stratify", "nothing"],
    ],
)  # fmt: skip
def test_split_with_wrong_arguments(folder: Path, flags: list[str]) -> None:
    before = contents(folder)
    ran = run("dataset", "split", folder, *flags)
    assert ran.code == 2
    assert ran.error
    assert contents(folder) == before


def test_merge(folder: Path, tmp_path: Path) -> None:
    other = packed(tmp_path, "other", 3)
    ran = run("dataset", "merge", folder, other, tmp_path / "both")
    assert ran.code == 0
    assert "15 recordings" in ran.out
    assert run("dataset", "merge", folder, other, tmp_path / "both", "--json").json["kept"] > 0
    copies = run("dataset", "merge", folder, other, tmp_path / "copies", "--copy", "--json").json
    assert copies["linked"] == 0
    assert contents(tmp_path / "copies") == contents(tmp_path / "both")
    assert run("dataset", "merge", folder, folder, tmp_path / "x").code == 2
    assert run("verify", tmp_path / "both").code == 0


def test_info_and_verify_of_a_folder(folder: Path) -> None:
    shown = run("info", folder)
    assert (shown.code, shown.err) == (0, "")
    assert "a dataset of 12 recordings, 3 classes, split into test, train" in shown.out
    assert len(run("info", folder, "--json").json) == len(list(folder.glob("*.evs")))
    ran = run("verify", folder)
    assert ran.code == 0
    assert f"{NAME}: ok, 12 recordings" in ran.out
    assert run("verify", folder / NAME).code == 0
    shards = sorted(folder.glob("*.evs"))
    manifest = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(manifest[:-10])
    assert run("info", folder).code == 3
    assert run("verify", folder).code == 4
    (folder / NAME).write_bytes(manifest)
    shards[0].unlink()
    ran = run("verify", folder)
    assert ran.code == 4
    assert shards[0].name in ran.error
    for path in shards[1:]:
        path.unlink()
    assert run("verify", folder).code == 4


def test_help_of_every_verb_below() -> None:
    for verb in ("ls", "merge", "split", "stats", "index"):
        shown = run("dataset", verb, "--help")
        assert (shown.code, shown.err) == (0, "")


def test_without_a_terminal_nothing_is_drawn(tree: Path, tmp_path: Path) -> None:
    process = start("pack", tree, tmp_path / "out", stdout=subprocess.DEVNULL)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
