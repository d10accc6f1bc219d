"""python -m bench codecs: rows kept and resumed, the report, the chart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import environment, some_events, write_raw
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # bench is not installed
from bench import codecs, codecs_report, codecs_results, labels, readme
from bench.codecs_summary import all_beaten, paced, points

EVENTS = some_events()
ABOUT = {
    "machine": {"processor": "P", "cores": "2", "memory": "1 GiB", "system": "S"},
    "versions": {"python": "3.11", "pcodec": "1.1"},
    "events": 4000,
    "rounds": 2,
}


def a_row(recording: str, name: str, bits: float, speed: float, **more: Any) -> dict[str, Any]:
    times = {"median_s": 4000 / speed / 1e6, "times_pcodec": speed / 150, "times_records": 1.0}
    return {
        "recording": recording,
        "name": name,
        "family": "evstore" if name.startswith("evstore") else "pcodec",
        "ours": name.startswith("evstore"),
        "tiled": True,
        "status": "ok",
        "bits": bits,
        "timed_events": 4000,
        "decode": times,
        "first_s": times["median_s"],
        "first_times_pcodec": times["times_pcodec"],
        "windows": {"1000": {"median_s": 1e-4, "p95_s": 2e-4}},
        **more,
    }


def some_data() -> dict[str, Any]:
    """Two recordings; on the second a peer is smaller and faster than ours."""
    missing = {"name": "gone", "status": "missing", "why": "pip install gone", "family": "numpy"}
    missing |= {"ours": False, "tiled": True}
    rows = []
    for recording, bits in (("a", 20.0), ("b", 9.0)):
        rows += [
            a_row(recording, "evstore, fast", 18, 200),
            a_row(recording, "peer", bits, 300, damage={"cut": "detected"}, note="only reads"),
            a_row(recording, "liar", 5, 400, status="wrong", why="x of 1 of 3 events"),
            {"recording": recording, **missing},
        ]
    sensors = {"a": "Gen3", "b": "sensor of 5x5"}
    recordings = {name: {"sensor": sensor, "events": 3} for name, sensor in sensors.items()}
    return {"about": ABOUT, "recordings": recordings, "rows": rows}


def test_the_report_names_who_beats_ours_and_who_is_wrong() -> None:
    text = codecs_report.markdown(some_data())
    assert "| b | peer | 9 | 2 | evstore, fast | fresh arrays |" in text
    assert "| a | peer | 20" not in text
    assert "| liar | wrong | x of 1 of 3 events | all |" in text
    assert "| gone | missing | pip install gone | all |" in text
    assert "5 (wrong)" in text
    assert "* peer: only reads." in text
    assert "**evstore, fast**" in text
    assert "| a | peer |  |  |  | detected |" in text
    assert "2 recordings (Gen3, sensor of 5x5), tiled to 4,000 events" in text


def test_no_violation_is_said_to_be_none() -> None:
    data = some_data()
    data["rows"] = [row for row in data["rows"] if row["name"] != "peer"]
    assert all_beaten(data) == {}
    assert codecs_report.frontier(data) == "None, on any recording."


def test_medians_are_of_right_rows() -> None:
    found = {point["name"]: point for point in points(paced(some_data()))}
    assert found["peer"]["bits"] == 14.5
    assert not found["liar"]["right"]
    assert "gone" not in found


def test_parts_of_the_readme_come_from_it() -> None:
    text = "<!-- bench:frontier -->\nold\n<!-- /bench:frontier -->\n"
    assert readme.filled(text, {}) == text  # not measured yet
    assert "| b | peer |" in readme.filled(text, {}, some_data())
    chart = text.replace("frontier", "chart")
    assert "evstore, fast" in readme.filled(chart, {}, some_data())


def test_the_chart_is_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from bench.codecs_chart import draw

    for name in ("one.svg", "two.svg", "one.png"):
        draw(some_data(), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.png").read_bytes()[1:4] == b"PNG"


def test_labels_cover_nothing() -> None:
    frame = labels.Box(0, 0, 300, 200)
    wanted = [labels.Label(150 + i % 3, 100 + i // 3, 60, 10) for i in range(6)]
    marks = [labels.Box(one.x - 4, one.y - 4, one.x + 4, one.y + 4) for one in wanted]
    line = (0.0, 60.0, 300.0, 60.0)
    boxes = [box for box in labels.placed(wanted, frame, marks, [line]) if box is not None]
    assert len(boxes) == 6
    assert all(box.within(frame) for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in [*boxes[:i], *marks])
    assert not any(box.low < 60 < box.high for box in boxes)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rows are made up at once; who was measured."""
    measured: list[str] = []

    def row(contender: Any, given: Any, damaged: bool) -> dict[str, Any]:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(contender.name)
        return {**a_row("", contender.name, 10, 100), "damage": {} if damaged else None}

    monkeypatch.setattr(codecs, "row", row)
    return measured


def test_rows_that_are_there_are_not_measured_again(
    tmp_path: Path, measuring: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    raw = write_raw(tmp_path / "drive.raw", EVENTS)
    asked = [str(raw), "--quick", "--json", str(tmp_path / "r.json"), "--only", ".np"]
    assert codecs.main(asked) == 0
    assert measuring == [".npy columns", ".npz", ".npz, compressed"]
    assert codecs.main(asked) == 0
    assert len(measuring) == 3
    assert codecs.main([*asked, "--report-only"]) == 0
    assert "| .npz |" in capsys.readouterr().out
    assert codecs.main([*asked, "--again"]) == 130  # stopped at the fourth
    measuring.clear()
    assert codecs.main([*asked, "--rounds", "3"]) == 0
    assert len(measuring) == 3
    data = json.loads((tmp_path / "r.json").read_text())
    assert [row["recording"] for row in data["rows"]] == ["drive"] * 3


def test_what_was_measured_stays_when_it_is_stopped(tmp_path: Path, measuring: list[str]) -> None:
    raw = write_raw(tmp_path / "drive.raw", EVENTS)
    asked = [str(raw), "--quick", "--json", str(tmp_path / "r.json"), "--only", "numpy", ".np"]
    assert codecs.main(asked) == 130
    assert len(json.loads((tmp_path / "r.json").read_text())["rows"]) == 3
    measuring.clear()
    assert codecs.main(asked) == 0
    assert measuring == [".npz, compressed"]


def test_a_row_of_other_versions_is_measured_again(tmp_path: Path) -> None:
    results = codecs_results.Results(None, events=1)
    results.begin("a", "s", EVENTS)
    contender = codecs.chosen(["evstore, fast"])[0]
    results.add("a", contender, {"name": contender.name, "status": "ok"})
    assert results.has("a", contender)
    results.data["rows"][0]["made_with"]["versions"]["evstore"] = "another"
    assert not results.has("a", contender)


def test_as_a_command(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "drive.raw", EVENTS)
    asked = ["--quick", "--only", "npy", "records", "--events", "5000", "--rounds", "1"]
    files = ["--json", str(tmp_path / "r.json"), "--markdown", str(tmp_path / "r.md")]
    command = [sys.executable, "-m", "bench", "codecs", str(raw), *asked, *files]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "r.json").read_text())
    assert {row["name"]: row["status"] for row in data["rows"]} == {
        ".npy columns": "ok",
        "numpy records, 13 B": "ok",
    }
    assert "| .npy columns |" in (tmp_path / "r.md").read_text()
    assert "drive: 1 of 2: numpy records, 13 B 104.00 bits" in done.stderr
