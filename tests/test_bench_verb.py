"""evstore bench: every contender is checked, those that are wrong or missing are called so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import run, some_events, write_raw
from evstore.bench import arrays, bench, own
from evstore.bench.measure import seconds, summary
from evstore.bench.run import CONTENDERS, first_events
from evstore.errors import ArgumentError
from evstore.events import Events

EVENTS = some_events()
ALWAYS = {own.Shard.name, own.Evt3.name} | {
    c.name for c in (arrays.Records, arrays.Columns, arrays.Archive, arrays.ZstdColumns)
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "drive.raw", EVENTS)


def test_json(raw: Path) -> None:
    found = run("bench", raw, "--json").json
    assert found["events"] == 3000
    rows = {row["name"]: row for row in found["contenders"]}
    assert set(rows) == {contender.name for contender in CONTENDERS}
    for name in ALWAYS:
        assert rows[name]["status"] == "ok", rows[name]
        assert rows[name]["bits_per_event"] == 8 * rows[name]["bytes"] / 3000
        assert rows[name]["encode"]["median_s"] > 0
    assert {row["status"] for row in rows.values()} <= {"ok", "missing"}
    assert set(rows[own.Shard.name]["windows"]) == {"1000", "10000"}


def test_table(raw: Path) -> None:
    shown = run("bench", raw, "--events", 1000)
    assert shown.code == 0
    assert "1,000 events" in shown.out
    assert all(contender.name in shown.out for contender in CONTENDERS)


class Liar(arrays.Records):
    name = "liar"

    def read(self) -> Any:
        found = super().read()
        found["x"][7] ^= 1
        return found


class Breaks(arrays.Records):
    name = "breaks"

    def read(self) -> Any:
        raise BaseException("a panic of another runtime")


class Refuses(arrays.Records):
    name = "refuses"

    def write(self, events: Events) -> None:
        raise ValueError("not these")


class Absent(arrays.Records):
    name = "absent"
    package = "no_such_package_here"


class WrongWindows(arrays.Columns):
    name = "wrong windows"

    def window(self, start: int, stop: int) -> Any:
        return [column[:-1] for column in super().window(start, stop)]


def test_wrong_missing_and_unable_are_called_so(raw: Path) -> None:
    contenders = (Liar, Breaks, Refuses, Absent, WrongWindows)
    with evstore.open(raw) as recording:
        found = bench(recording, contenders=contenders)
    assert [row["status"] for row in found["contenders"]] == [
        "wrong",
        "wrong",
        "unable",
        "missing",
        "wrong",
    ]
    assert "decode" not in found["contenders"][0]
    assert "panic" in found["contenders"][1]["why"]
    assert "pip install" in found["contenders"][3]["why"]


def test_time_that_steps_back_makes_searching_wrong(tmp_path: Path) -> None:
    t = np.r_[np.arange(0, 40_000, 5), np.arange(10_000, 50_000, 5)]
    evstore.save(tmp_path / "back.evs", Events(t, t % 9, t % 7, t % 2, (9, 7)))
    with evstore.open(tmp_path / "back.evs") as recording:
        found = bench(recording, contenders=(own.Shard, arrays.Columns))
    assert [row["status"] for row in found["contenders"]] == ["ok", "wrong"]


def test_values_that_others_cannot_hold(tmp_path: Path) -> None:
    events = Events([-5, 1 << 40], [60_000, 1], [2, 3], [1, 0], (65_000, 4))
    evstore.save(tmp_path / "wide.evs", events)
    found = run("bench", tmp_path / "wide.evs", "--json").json
    rows = {row["name"]: row["status"] for row in found["contenders"]}
    assert rows.pop(own.Evt3.name) == "unable"
    assert rows[own.Shard.name] == rows[arrays.Records.name] == "ok"
    assert "wrong" not in rows.values()


def test_no_events(tmp_path: Path) -> None:
    evstore.save(tmp_path / "none.evs", Events([], [], [], [], (4, 4)))
    assert run("bench", tmp_path / "none.evs").code == 2
    with evstore.open(tmp_path / "none.evs") as recording, pytest.raises(ArgumentError):
        bench(recording)


def test_first_events(tmp_path: Path) -> None:
    evstore.save(tmp_path / "one.evs", EVENTS)
    with evstore.open(tmp_path / "one.evs") as recording:
        assert first_events(recording, 7) == EVENTS[:7]
        assert first_events(recording, 99_999) == EVENTS


def test_measuring() -> None:
    ran: list[int] = []
    times = seconds(lambda: ran.append(1), enough_s=0)
    assert len(ran) == len(times) + 1
    assert summary([3.0, 1.0, 2.0]) == {"median_s": 2.0, "min_s": 1.0, "max_s": 3.0}
