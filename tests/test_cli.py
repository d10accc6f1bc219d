"""The command line: verbs, exit codes, one line an error, JSON that parses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import evstore
from command_line import environment, files_below, run, some_events, start, write_raw
from evstore.cli import command
from evstore.cli.group import VERBS
from evstore.events import Events

EVENTS = some_events()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "drive.raw", EVENTS)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "drive.evs"
    evstore.save(path, EVENTS)
    return path


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.evs"
    with evstore.create(path) as out:
        for i in range(3):
            with out.recording(f"train/{i}", resolution=EVENTS.resolution, label=i) as recording:
                recording.write(EVENTS[i * 100 : 500 + i * 100])
    return path


def flipped(path: Path, at: int) -> Path:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    return path


def csv_events(text: str) -> Events:
    rows = [[int(field) for field in line.split(",")] for line in text.splitlines()[1:]]
    return Events(*np.array(rows, np.int64).reshape(-1, 4).T)


def test_help_and_version() -> None:
    shown = run("--help")
    assert shown.code == 0
    assert all(verb in shown.out and line in shown.out for verb, line in VERBS.items())
    assert run("--version").out == f"evstore {evstore.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str) -> None:
    shown = run(verb, "--help")
    assert shown.code == 0
    assert shown.err == ""
    found = command.get_command(None, verb)  # type: ignore[arg-type]
    assert found is not None
    assert found.help is not None
    assert found.help.splitlines()[0] == VERBS[verb]


def test_no_verb_shows_the_help() -> None:
    shown = run()
    assert shown.code == 2
    assert "Verbs:" in shown.err


@pytest.mark.parametrize(
    ("typed", "meant"), [("convrt", "convert"), ("inof", "info"), ("recovr", "recover")]
)
def test_unknown_verb_names_the_nearest(typed: str, meant: str) -> None:
    ran = run(typed, "x")
    assert ran.code == 2
    assert f"did you mean {meant!r}?" in ran.error


def test_verb_like_no_other_lists_them() -> None:
    assert "convert, info, verify" in run("xyzzy").error


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--start", "3q"], "us, ms, s, min or h"),
        (["--start", "0.1us"], "finer than a microsecond"),
        (["--start", "2s", "--end", "1s"], "after stop"),
        (["--roi", "1,2,3"], "x0,y0,x1,y1"),
        (["--roi", "5,0,5,9"], "x0 < x1"),
        (["--polarity", "up"], "on, off or both"),
        (["--resolution", "640"], "WIDTHxHEIGHT"),
        (["--resolution", "0x480"], "1 to 65536"),
        (["--time-unit", "weeks"], "time-unit"),
        (["--input-format", "evt9"], "evt3"),
        (["--grow", "--drop-outside"], "exclude each other"),
        (["--recording", "left"], "left"),
        (["--no-such-flag"], "--no-such-flag"),
    ],
)
def test_wrong_flags(raw: Path, flags: list[str], words: str) -> None:
    ran = run("digest", raw, *flags)
    assert ran.code == 2
    assert words in ran.error
    assert ran.out == ""


@pytest.mark.parametrize("verb", ["info", "digest", "cat", "demo", "bench"])
@pytest.mark.parametrize(
    ("content", "words"), [(b"no recording at all\n" * 9, "format"), (b"", "empty")]
)
def test_no_recording(tmp_path: Path, verb: str, content: bytes, words: str) -> None:
    path = tmp_path / "note.raw"
    path.write_bytes(content)
    ran = run(verb, path)
    assert ran.code == 1
    assert words in ran.error
    assert str(path) in ran.error
    assert files_below(tmp_path) == {"note.raw"}


@pytest.mark.parametrize("verb", ["info", "digest", "cat", "verify", "demo", "bench"])
def test_no_such_file(tmp_path: Path, verb: str) -> None:
    ran = run(verb, tmp_path / "nothing.raw")
    assert ran.code in (1, 2)
    assert "nothing.raw: no such file" in ran.error


@pytest.mark.parametrize("verb", ["digest", "cat", "bench", "demo"])
def test_folder_instead_of_a_file(tmp_path: Path, verb: str) -> None:
    ran = run(verb, tmp_path)
    assert ran.code in (1, 2)
    assert str(tmp_path) in ran.error


def test_folder_without_recordings(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("nothing to see")
    assert "found no recordings" in run("info", tmp_path).error
    assert "found no shards" in run("verify", tmp_path).error


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read it")
def test_no_permission(raw: Path) -> None:
    raw.chmod(0)
    ran = run("digest", raw)
    assert ran.code == 1
    assert "drive.raw: permission denied" in ran.error


def test_path_that_cannot_be_made(raw: Path) -> None:
    ran = run("cat", raw, "-o", raw / "out.csv")
    assert ran.code == 1
    assert "drive.raw" in ran.error


def test_fault_of_evstore_is_a_line(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evstore.digests.digest", lambda *_: [][0])
    ran = run("digest", raw)
    assert ran.code == 1
    assert "IndexError" in ran.error
    monkeypatch.setenv("EVSTORE_TRACEBACK", "1")
    assert "Traceback" in run("digest", raw).err


def test_interrupt(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evstore.digests.digest", interrupted)
    ran = run("digest", raw)
    assert (ran.code, ran.error) == (130, "interrupted")


def test_verify(shard: Path, raw: Path, many: Path) -> None:
    assert "ok, 3,000 events" in run("verify", shard).out
    found = run("verify", shard, many, raw, "--json").json
    assert [one["ok"] for one in found] == [True] * 3
    assert [one["checksums"] for one in found] == [True, True, False]
    assert [one["recordings"] for one in found] == [1, 3, 1]


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_broken_shard(shard: Path, many: Path, part: float) -> None:
    flipped(shard, int(part * shard.stat().st_size))
    ran = run("verify", shard, many)
    assert ran.code == 4
    assert str(shard) in ran.err.splitlines()[0]
    assert "1 ok, 1 not" in ran.out
    assert run("digest", shard).code == 1


def test_cut_shard(shard: Path, tmp_path: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-20])
    ran = run("info", shard)
    assert ran.code == 1
    assert "3,000 events are safe" in ran.error
    assert run("verify", shard).code == 4
    out = tmp_path / "saved.evs"
    saved = run("recover", shard, out)
    assert saved.code in (0, 3)  # only the footer is gone
    assert "3,000 events saved" in saved.out
    assert run("verify", out).code == 0
    assert run("recover", shard, out).code == 2
    assert run("recover", shard, out, "--overwrite", "--json").json["events"] == 3000


def test_cut_foreign_file(raw: Path, tmp_path: Path) -> None:
    raw.write_bytes(raw.read_bytes()[:-1])
    ran = run("digest", raw)
    assert ran.code == 1
    assert "evstore recover" in ran.error
    saved = run("recover", raw, tmp_path / "saved.evs", "--json")
    assert saved.code == 3
    assert saved.json["events"] == 2999
    assert not saved.json["complete"]


def test_digest(raw: Path, shard: Path, many: Path) -> None:
    one, other = run("digest", raw, "--json").json, run("digest", shard, "--json").json
    assert one == other
    assert one["events"] == 3000
    assert one["sha256"]["t_i8"] in run("digest", raw).out
    found = run("digest", many, "--json").json
    assert [a["recording"] for a in found] == ["train/0", "train/1", "train/2"]
    assert run("digest", f"{many}#train/1", "--json").json["events"] == 500
    named = run("digest", many, "--recording", "train/1", "--json").json
    assert named == run("digest", f"{many}#train/1", "--json").json
    missing = run("digest", many, "--recording", "train/9")
    assert missing.code == 2
    assert "did you mean" in missing.error


def test_diff(raw: Path, shard: Path, many: Path, tmp_path: Path) -> None:
    assert run("diff", raw, shard).out == "equal: every event, in the same order\n"
    other = some_events()
    other.x[1234] ^= 1
    evstore.save(tmp_path / "other.evs", other)
    ran = run("diff", raw, tmp_path / "other.evs")
    assert ran.code == 1
    assert "event 1,234 differs" in ran.out
    found = run("diff", raw, tmp_path / "other.evs", "--json")
    assert (found.code, found.json["equal"]) == (1, False)
    assert found.json["differences"][0]["event"] == 1234
    assert run("diff", many, many).code == 0
    assert "not in" in run("diff", many, shard).out


SELECTIONS = [
    ([], np.ones(3000, bool)),
    (["--start", "10ms"], EVENTS.t >= 10_000),
    (["--end", "0.01s"], EVENTS.t < 10_000),
    (
        ["--start", "5ms", "--end", "6ms", "--relative"],
        (EVENTS.t >= EVENTS.t[0] + 5_000) & (EVENTS.t < EVENTS.t[0] + 6_000),
    ),
    (
        ["--roi", "8,4,40,30"],
        (EVENTS.x >= 8) & (EVENTS.x < 40) & (EVENTS.y >= 4) & (EVENTS.y < 30),
    ),
    (["--polarity", "on"], EVENTS.p == 1),
    (["--polarity", "OFF", "--start", "20ms"], (EVENTS.p == 0) & (EVENTS.t >= 20_000)),
    (["--start", "9s"], np.zeros(3000, bool)),
]


@pytest.mark.parametrize(
    ("flags", "mask"), SELECTIONS, ids=[" ".join(flags) or "all" for flags, _ in SELECTIONS]
)
def test_selection(raw: Path, shard: Path, tmp_path: Path, flags: list[str], mask: object) -> None:
    wanted = EVENTS[mask]  # type: ignore[index]
    for path in (raw, shard):
        assert run("digest", path, *flags, "--json").json["events"] == len(wanted)
        assert csv_events(run("cat", path, *flags).out) == wanted
        lines = run("cat", path, "--format", "ndjson", *flags).out.splitlines()
        assert [json.loads(line)["t"] for line in lines] == wanted.t.tolist()
        out = tmp_path / f"{path.suffix[1:]}.npz"
        assert run("cat", path, *flags, "-o", out).code == 0
        with np.load(out) as archive:
            assert Events(*(archive[name] for name in "txyp")) == wanted
    target = tmp_path / "part.evs"
    assert run("convert", raw, target, *flags).code == 0
    with evstore.open(target) as part:
        assert part[:] == wanted


def test_cat_to_a_file(shard: Path, tmp_path: Path) -> None:
    out = tmp_path / "events.csv"
    assert run("cat", shard, "-o", out).code == 0
    assert csv_events(out.read_text()) == EVENTS
    assert run("cat", shard, "-o", out).code == 2
    assert run("cat", shard, "-o", out, "--overwrite", "--polarity", "on").code == 0
    assert csv_events(out.read_text()) == EVENTS[EVENTS.p == 1]
    assert files_below(tmp_path) == {"drive.evs", "events.csv"}


def test_cat_of_a_damaged_file_leaves_nothing(shard: Path, tmp_path: Path) -> None:
    flipped(shard, shard.stat().st_size // 3)
    assert run("cat", shard, "-o", tmp_path / "events.csv").code == 1
    assert files_below(tmp_path) == {"drive.evs"}


def test_table_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("3,4,1,10\n5,6,0,20\n")
    assert "--columns" in run("digest", path).error
    flags = ["--columns", "x, y,p,t", "--time-unit", "us", "--resolution", "8x9"]
    found = run("digest", path, *flags, "--json").json
    assert (found["events"], found["t_last"], found["width"]) == (2, 20, 8)


def test_formats() -> None:
    found = run("formats", "--json").json
    names = [name for one in found for name in one["names"]]
    assert {"evs", "evt2", "evt3", "dat", "dat-v1", "bin40", "npz", "csv", "rpg"} <= set(names)
    shown = run("formats").out
    assert all(one["name"] in shown for one in found)


def test_module_runs_and_a_pipe_that_closes_is_quiet(shard: Path) -> None:
    process = start("cat", shard)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"t,x,y,p\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_no_space_for_the_output(shard: Path) -> None:
    with open("/dev/full", "wb") as full:
        process = start("cat", shard, stdout=full)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err == b"evstore: error: no space left on device\n"


def test_a_file_name_that_is_no_text(shard: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.evs"
    try:
        with open(name, "wb") as file:
            file.write(shard.read_bytes())
    except OSError:
        pytest.skip("this file system takes text only")
    ran = subprocess.run(
        [sys.executable, "-m", "evstore", "info", name], capture_output=True, env=environment()
    )
    assert ran.returncode == 0, ran.stderr
