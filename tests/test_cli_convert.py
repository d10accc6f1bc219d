"""evstore convert: plans, receipts, what is left behind."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import evstore
from command_line import environment, files_below, raw_bytes, run, some_events, start, write_raw
from evstore.cli.progress import Progress
from evstore.conversion import Job, Receipt

EVENTS = some_events()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "drive.raw", EVENTS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    write_raw(folder / "a.raw", EVENTS[:1000])
    write_raw(folder / "deep" / "b.raw", EVENTS[1000:])
    (folder / "note.txt").write_text("not a recording")
    return folder


def read(path: Path) -> evstore.Events:
    with evstore.open(path) as recording:
        return recording[:]


def test_a_file(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "drive.evs"
    ran = run("convert", raw, target, "--verify")
    assert (ran.code, ran.err) == (0, "")
    assert "3,000 events" in ran.out
    assert "verified" in ran.out
    assert read(target) == EVENTS


def test_json(raw: Path, tmp_path: Path) -> None:
    found = run("convert", raw, tmp_path / "drive.evs", "--json").json
    assert (found["done"], found["failed"], found["events"]) == (1, 0, 3000)
    assert found["receipts"][0]["lossless"]


def test_existing_target(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "drive.evs"
    target.write_bytes(b"mine")
    ran = run("convert", raw, target)
    assert ran.code == 2
    assert "--overwrite" in ran.error
    assert target.read_bytes() == b"mine"
    assert run("convert", raw, target, "--overwrite").code == 0
    assert read(target) == EVENTS
    again = run("convert", raw, target, "--resume")
    assert again.code == 0
    assert "done already" in again.out


def test_folder_is_mirrored(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = run("convert", tree, out)
    assert ran.code == 0
    assert files_below(out) == {"a.evs", "deep/b.evs"}
    assert read(out / "deep" / "b.evs") == EVENTS[1000:]
    assert "2 done: 3,000 events" in ran.out


def test_several_processes(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = run("convert", tree, out, "--jobs", 2, "--json")
    assert ran.code == 0
    assert ran.json["done"] == 2
    assert files_below(out) == {"a.evs", "deep/b.evs"}


def test_dry_run(tree: Path, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    ran = run("convert", tree, tmp_path / "out", "--dry-run")
    assert (ran.code, ran.out.count(" -> ")) == (0, 2)
    assert len(run("convert", tree, tmp_path / "out", "--dry-run", "--json").json) == 2
    assert files_below(tmp_path) == before


def test_some_inputs_fail(tree: Path, tmp_path: Path) -> None:
    bad = tree / "a_cut.raw"
    bad.write_bytes((tree / "a.raw").read_bytes()[:-1])
    stopped = run("convert", tree, tmp_path / "stopped", "--json")
    assert stopped.code == 3
    assert (stopped.json["failed"], stopped.json["not_tried"]) == (1, 1)
    skipped = run("convert", tree, tmp_path / "skipped", "--on-error", "skip")
    assert skipped.code == 3
    assert str(bad) in skipped.error
    assert "2 done, 1 failed" in skipped.out
    assert files_below(tmp_path / "skipped") == {"a.evs", "deep/b.evs"}
    assert run("convert", bad, tmp_path / "x.evs").code == 1
    assert not (tmp_path / "x.evs").exists()


@pytest.mark.parametrize("content", [b"no recording at all\n" * 9, b""])
def test_no_recording_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "note.raw").write_bytes(content)
    ran = run("convert", tmp_path / "note.raw", tmp_path / "note.evs")
    assert ran.code == 1
    assert "note.raw" in ran.error
    assert files_below(tmp_path) == {"note.raw"}


def test_wrong_arguments(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.evs"
    assert "missing argument" in run("convert").error.lower()
    for flags in (
        ["--delete-source"],
        ["--resume", "--overwrite"],
        ["--jobs", "0"],
        ["--preset", "tiny"],
        ["--output-format", "gif"],
    ):
        ran = run("convert", raw, target, *flags)
        assert ran.code == 2, flags
        assert ran.error
    assert run("convert", tmp_path / "no*.raw", tmp_path).code == 2
    assert run("convert", tmp_path / "no.raw", target).code in (1, 2)
    assert run("convert", raw, raw, target).code == 2
    assert files_below(tmp_path) == {"drive.raw"}


def test_target_that_cannot_be_made(raw: Path) -> None:
    ran = run("convert", raw, raw / "x.evs")
    assert ran.code == 1
    assert "drive.raw" in ran.error


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode:
        pytest.skip(f"may not make a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(small_disk: Path, tmp_path: Path) -> None:
    source = write_raw(tmp_path / "long.raw", some_events(100_000))
    for verb in (
        ["convert", source, small_disk / "x.evs"],
        ["cat", source, "-o", small_disk / "x"],
    ):
        ran = run(*verb)
        assert ran.code == 1
        assert "no space left on device" in ran.error.lower()
        assert list(small_disk.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write there")
def test_folder_without_permission(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    ran = run("convert", raw, folder / "x.evs")
    assert ran.code == 1
    assert "permission denied" in ran.error.lower()


def test_delete_source(raw: Path, tmp_path: Path) -> None:
    ran = run("convert", raw, tmp_path / "drive.evs", "--verify", "--delete-source")
    assert ran.code == 0
    assert "source deleted" in ran.out
    assert files_below(tmp_path) == {"drive.evs"}


def test_source_is_kept_where_something_was_dropped(raw: Path, tmp_path: Path) -> None:
    flags = ["--resolution", "64x40", "--drop-outside", "--verify", "--delete-source"]
    ran = run("convert", raw, tmp_path / "drive.evs", *flags)
    assert ran.code == 0
    assert "not kept: " in ran.out
    assert "source not deleted" in ran.out
    assert raw.exists()


@pytest.mark.parametrize("suffix", [".raw", ".csv", ".npz"])
def test_other_formats(raw: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    assert run("convert", raw, target, "--verify").code == 0
    assert run("diff", raw, target).code == 0


def test_standard_input(tmp_path: Path) -> None:
    target = tmp_path / "piped.evs"
    process = start("convert", "-", target, stdin=subprocess.PIPE)
    out, err = process.communicate(raw_bytes(EVENTS))
    assert (process.returncode, err) == (0, b"")
    assert b"3,000 events" in out
    assert read(target) == EVENTS


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupt_and_resume(tmp_path: Path, jobs: int) -> None:
    folder = tmp_path / "in it"
    first = write_raw(folder / "0.raw", some_events(100_000))
    for i in range(1, 80):
        os.link(first, folder / f"{i}.raw")
    arguments = ["convert", str(folder), str(tmp_path / "out"), "--jobs", str(jobs)]
    process = start(*arguments, start_new_session=True)
    assert process.stdout is not None
    assert b" -> " in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    made = files_below(tmp_path / "out")
    assert 0 < len(made) < 80
    assert all(name.endswith(".evs") for name in made)
    lines = err.decode().splitlines()
    assert lines[0].startswith("evstore: error: interrupted: ")
    typed = shlex.split(lines[-1])
    assert typed == ["evstore", *arguments, "--resume"]
    again = subprocess.run(
        [sys.executable, "-m", *typed], capture_output=True, env=environment(), text=True
    )
    assert again.returncode == 0, again.stderr
    assert len(files_below(tmp_path / "out")) == 80
    assert again.stdout.count("done already") >= len(made)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(str(raw), "x.evs")
    size = raw.stat().st_size
    monkeypatch.setenv("TERM", "xterm")
    for stream, wanted in ((io.StringIO(), ""), (Terminal(), "50%")):
        monkeypatch.setattr("sys.stderr", stream)
        progress = Progress([job])
        progress.tell(job, size // 2, 1500)
        assert wanted in stream.getvalue()
        assert bool(wanted) == bool(stream.getvalue())
        progress.finish(Receipt(job.source, job.target, events=3000))
        progress.clear()
    assert "left" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_progress_where_the_reader_cannot_say(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", stream)
    progress = Progress([Job("-", "x.evs"), Job(str(raw), "y.evs")])
    progress.tell(Job("-", "x.evs"), -1, 1500)
    assert "1,500 events" in stream.getvalue()
    assert "0/2 files" in stream.getvalue()


def test_files_of_no_format_are_left_out_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "events.csv").write_text("t,x,y,p\n1,2,3,1\n")
    (folder / "notes.raw").write_text("not events")
    done = run("convert", str(folder), str(tmp_path / "out"))
    assert done.code == 0
    assert "1 file left out" in done.err
    assert "notes.raw" in done.err
    assert (tmp_path / "out" / "events.evs").exists()
