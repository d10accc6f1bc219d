"""evstore demo, small."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import run, some_events, write_raw
from evstore.demo import CONTENDERS


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what the demo makes: it must be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the processes that read for the first time costs a second."""
    for contender in CONTENDERS:
        monkeypatch.setattr(contender, "first_reads", 1)


def test_simulated(temporary: Path) -> None:
    ran = run("demo", "--duration", "30ms")
    assert (ran.code, ran.err) == (0, "")
    for words in ("simulated", "converted", "verified", "random windows", "evstore, fast", "EVT3"):
        assert words in ran.out
    assert list(temporary.iterdir()) == []


def test_json_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run("demo", "--duration", "30ms", "--seed", 5, "--json").json
    assert found["seed"] == 5
    assert found["simulated"]["events"] == found["converted"]["events"]
    assert found["verified"]["events"] == found["compared"]["events"]
    assert all(one["status"] == "ok" for one in found["compared"]["rows"])
    monkeypatch.setattr("evstore.demo._compare", lambda shard, seed: {})  # takes most of the time
    again = run("demo", "--duration", "30ms", "--seed", 5, "--json").json
    assert again["simulated"]["bytes"] == found["simulated"]["bytes"]


def test_own_recording(tmp_path: Path, temporary: Path) -> None:
    path = write_raw(tmp_path / "drive.raw", some_events())
    before = path.read_bytes()
    ran = run("demo", path)
    assert ran.code == 0
    assert "3,000 events" in ran.out
    assert "simulated" not in ran.out
    assert path.read_bytes() == before
    assert list(temporary.iterdir()) == []


def test_recording_without_events(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    path.write_text("t,x,y,p\n")
    ran = run("demo", path, "--resolution", "4x4")
    assert ran.code == 0
    assert "0 events" in ran.out


def test_wrong_flags(tmp_path: Path) -> None:
    assert run("demo", "--resolution", "4x4").code == 2
    assert run("demo", tmp_path / "x.raw", "--duration", "1s").code == 2


def test_damaged_recording_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    path = write_raw(tmp_path / "drive.raw", some_events())
    path.write_bytes(path.read_bytes()[:-1])
    assert run("demo", path).code == 1
    assert list(temporary.iterdir()) == []
