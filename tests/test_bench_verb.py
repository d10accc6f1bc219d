"""evstore bench: a table or JSON of a user's own recording."""

from __future__ import annotations

from pathlib import Path

import pytest

import evstore
from command_line import run, some_events, write_raw
from evstore.bench.run import bench, first_events
from evstore.errors import ArgumentError
from evstore.events import Events

EVENTS = some_events()
FEW = ("--only", "npy", "--only", "evstore, fast", "--rounds", 1)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "drive.raw", EVENTS)


def test_json(raw: Path) -> None:
    found = run("bench", raw, "--json", "--events", 6000, *FEW).json
    assert (found["events"], found["timed_events"]) == (3000, 6000)
    assert [row["name"] for row in found["rows"]] == ["evstore, fast", ".npy columns"]
    for one in found["rows"]:
        assert one["status"] == "ok", one
        assert one["bits"] == 8 * one["bytes"] / 3000
        assert set(one["windows"]) == {"1000", "10000"}


def test_table(raw: Path) -> None:
    shown = run("bench", raw, "--events", 1000, *FEW, "--only", "as DSEC, bit")
    assert shown.code == 0
    assert "1,000 events" in shown.out
    assert "evstore, fast  " in shown.out
    if "HDF5 as DSEC, bitshuffle  " not in shown.out:
        assert "HDF5 as DSEC, bitshuffle: missing: pip install" in shown.out


def test_values_that_others_cannot_hold(tmp_path: Path) -> None:
    events = Events([-5, 1 << 40], [60_000, 1], [2, 3], [1, 0], (65_000, 4))
    evstore.save(tmp_path / "wide.evs", events)
    only = ("--only", "evt3, evstore", "--only", "records", "--events", 2)
    found = run("bench", tmp_path / "wide.evs", "--json", *only).json
    assert {row["name"]: row["status"] for row in found["rows"]} == {
        "EVT3, evstore": "unable",
        "numpy records, 13 B": "ok",
    }


def test_no_events(tmp_path: Path) -> None:
    evstore.save(tmp_path / "none.evs", Events([], [], [], [], (4, 4)))
    assert run("bench", tmp_path / "none.evs").code == 2
    with evstore.open(tmp_path / "none.evs") as recording, pytest.raises(ArgumentError):
        bench(recording)


def test_nobody_of_that_name(raw: Path) -> None:
    assert "no contender is called 'nobody'" in run("bench", raw, "--only", "nobody").error


def test_first_events(tmp_path: Path) -> None:
    evstore.save(tmp_path / "one.evs", EVENTS)
    with evstore.open(tmp_path / "one.evs") as recording:
        assert first_events(recording, 7) == EVENTS[:7]
        assert first_events(recording, 99_999) == EVENTS
