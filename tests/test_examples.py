"""The examples run as they are, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import evstore
from conftest import ROOT
from evstore.formats import evt3


def example(name: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def camera_file(path: Path, seed: int) -> evstore.Events:
    """An EVT3 file of simulated events."""
    batches = evstore.simulate((34, 34), 50_000, events_per_s=200_000, seed=seed)
    events = evstore.Events.concatenate(batches)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        writer = evt3.writer(file, (34, 34), {})
        writer.write(events.t, events.x, events.y, events.p)
        writer.close()
    return events


def test_read_windows(tmp_path: Path) -> None:
    events = camera_file(tmp_path / "a.raw", 1)
    printed = example("read_windows.py", tmp_path / "a.raw")
    assert f"{len(events):,} events" in printed
    inside = (events.x < 17) & (events.y < 17) & (events.p == 1)
    half = (int(events.t[0]) + int(events.t[-1]) + 1) // 2
    assert f"{(inside & (events.t < half)).sum():,} ON events" in printed


def test_write_live(tmp_path: Path) -> None:
    path = tmp_path / "live.evs"
    printed = example("write_live.py", path)
    with evstore.open(path) as rec:
        assert f"followed to event {len(rec):,}" in printed
        assert rec.metadata["place"] == "roof"
        assert rec.triggers is not None
        assert len(rec.triggers["t"]) == 1


def test_convert_folder(tmp_path: Path) -> None:
    events = [camera_file(tmp_path / "in" / name, 2) for name in ("a.raw", "deep/b.raw")]
    first = example("convert_folder.py", tmp_path / "in", tmp_path / "out")
    assert first.count(f"{len(events[0]):,} events") == 2
    with evstore.open(tmp_path / "out" / "deep" / "b.evs") as rec:
        assert rec[:] == events[1]
    again = example("convert_folder.py", tmp_path / "in", tmp_path / "out")
    assert again.count("done before") == 2
