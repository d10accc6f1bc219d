"""What is found of one contender: right, wrong, unable, missing, crashed or hanging."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import some_contenders as some
from command_line import some_events
from evstore.bench import damage, measure, own
from evstore.bench.contender import Contender
from evstore.bench.contenders import MODULES, chosen, contenders
from evstore.bench.frontier import beaten, edge
from evstore.bench.run import Task, row, task
from evstore.codec.presets import PRESETS
from evstore.errors import ArgumentError
from evstore.events import Events

EVENTS = some_events()


@pytest.fixture(scope="module")
def given() -> Iterator[Task]:
    with task(EVENTS, 10_000, rounds=2, timeout_s=60) as made:
        yield made


def test_a_right_one_has_all_its_figures(given: Task) -> None:
    found = row(some.Right, given, damaged=True)
    assert found["status"] == "ok", found
    assert found["bits"] == 8 * found["bytes"] / len(EVENTS)
    assert found["timed_events"] == 12_000
    assert found["tiled"]
    assert found["decode"]["times_records"] > 0
    assert found["decode"]["rounds"] == 2
    assert found["first_s"] > 0
    assert set(found["windows"]) == {"1000", "10000"}
    assert found["windows"]["1000"]["p95_s"] >= found["windows"]["1000"]["median_s"]
    assert found["open"]["median_s"] > 0
    assert set(found["damage"]) == set(damage.CASES)
    assert set(found["damage"].values()) <= {damage.SILENT, damage.DETECTED}


@pytest.mark.parametrize(
    ("contender", "status", "why"),
    [
        (some.Liar, "wrong", "x of 1 of 3,000 events, the first at 7"),
        (some.LiesIntoBuffers, "wrong", "into buffers: t of 1 of"),
        (some.Panics, "wrong", "BaseException: a panic"),
        (some.Crashes, "crash", "SIGABRT, read"),
        (some.Absent, "missing", "pip install no_such_package_here"),
        (some.Refuses, "unable", "ValueError: not these"),
        (some.NeverEnds, "unable", "OSError"),
    ],
    ids=lambda value: value.name if isinstance(value, type) else "",
)
def test_what_is_not_right_is_called_so(
    given: Task, contender: type[Contender], status: str, why: str
) -> None:
    found = row(contender, given)
    assert found["status"] == status
    assert why in found["why"]


def test_a_wrong_one_still_shows_size_and_speed(given: Task) -> None:
    found = row(some.Liar, given)
    assert found["bits"] == 104
    assert found["decode"]["median_s"] > 0


def test_a_hanging_one_is_stopped() -> None:
    with task(EVENTS, 0, timeout_s=2) as given:
        found = row(some.Hangs, given)
    assert (found["status"], found["why"]) == ("hang", "2 s and no end, read")
    assert found["bits"] == 104


def test_wrong_windows_leave_the_rest_right(given: Task) -> None:
    found = row(some.WrongWindows, given)
    assert found["status"] == "ok"
    assert "a window of 1000 us gives the first" in found["windows_why"]
    assert found["windows"] == {}


def test_a_damaged_shard_is_noticed_and_recovered() -> None:
    with task(EVENTS, 0, rounds=1) as given:
        found = row(own.CONTENDERS[0], given, damaged=True)["damage"]
    assert all(outcome.startswith("detected, recovers ") for outcome in found.values()), found


def test_every_preset_is_a_contender() -> None:
    names = [one.name for one in contenders()]
    assert len(names) == len(set(names))
    assert [f"evstore, {preset}" for preset in PRESETS] == names[: len(PRESETS)]
    assert all(one.__module__ in MODULES for one in contenders())


def test_contenders_are_chosen_by_a_part_of_their_names() -> None:
    assert {one.name for one in chosen(["DSEC"])} == {
        "HDF5 as DSEC, blosc zstd 5",
        "HDF5 as DSEC, bitshuffle",
    }
    assert chosen([]) == contenders()
    with pytest.raises(ArgumentError, match="no contender is called 'nobody'"):
        chosen(["nobody"])


HERE = [one for one in contenders() if one.missing() is None]
KNOWN_WRONG = {"EVT3, expelliarmus"}


@pytest.mark.parametrize("contender", HERE, ids=lambda one: one.name)
def test_gives_back_what_it_was_given(contender: type[Contender], tmp_path: Path) -> None:
    if contender.name in KNOWN_WRONG:
        pytest.skip("known to be wrong")
    one = contender(str(tmp_path))
    one.write(one.take(EVENTS))
    one.keep()
    assert one.events_of(one.read()) == EVENTS
    if one.has_reuse:
        one.buffers()
        assert one.events_of(one.reuse()) == EVENTS
    one.open()
    if one.has_windows:
        inside = (EVENTS.t >= 7_000) & (EVENTS.t < 17_000)
        assert one.events_of(one.window(7_000, 17_000)) == EVENTS[inside]
    one.close()


def test_times_beyond_32_bits(tmp_path: Path) -> None:
    t = np.array([-(1 << 40), 1 << 40, 5], np.int64)
    events = Events(t, [1, 2, 3], [4, 5, 6], [0, 1, 1], (9, 9))
    for place, contender in enumerate(HERE):
        if "planes" in contender.name or "columns" in contender.name:
            (tmp_path / str(place)).mkdir()
            one = contender(str(tmp_path / str(place)))
            one.write(events)
            assert one.events_of(one.read()) == events


def made(name: str, bits: float, times: float, **more: Any) -> dict[str, Any]:
    decode = {"times_pcodec": times, "times_records": 1.0}
    return {"name": name, "ours": False, "status": "ok", "bits": bits, "decode": decode, **more}


def test_who_is_smaller_and_faster_is_found() -> None:
    fast, small = made("fast", 20, 3, ours=True), made("small", 10, 1, ours=True)
    peers = [
        made("smaller only", 15, 2),
        made("wrong", 9, 9, status="wrong"),
        made("equal", 10, 1),
        made("unable", 1, 1, status="unable"),
    ]
    assert beaten([fast, small, *peers]) == []
    better = made("better", 9, 2), made("best", 9, 4)
    found = beaten([fast, small, *peers, *better])
    assert [(one.peer, one.over) for one in found] == [
        ("better", ["small"]),
        ("best", ["fast", "small"]),
    ]


def test_the_edge_of_points() -> None:
    assert edge([]) == []
    assert edge([(2, 2), (1, 1), (2, 3), (3, 3)]) == [1, 2]


def test_rounds_are_bounded_in_number_and_time() -> None:
    ran: list[str] = []
    rounds = measure.rounds_of(5, lambda: ran.append("a"), lambda: ran.append("b"))
    assert len(rounds) == 5
    assert ran == ["a", "b"] * 6
    assert len(measure.rounds_of(9, lambda: None, enough_s=0)) == measure.MIN_ROUNDS


def test_damage_is_the_same_each_time(tmp_path: Path) -> None:
    contents = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files = [tmp_path / folder / name for name in ("one", "two")]
        for file in files:
            file.write_bytes(bytes(100))
        damage.spoil([str(file) for file in files], "flip 1", seed=3)
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]
    assert sum(octet.bit_count() for octet in b"".join(contents[0])) == 1
    damage.spoil([str(file) for file in files], "cut", seed=3)
    assert sorted(file.stat().st_size for file in files) == [60, 100]
