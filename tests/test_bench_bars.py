"""bench/ itself: tiles that keep their order, a table that says what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import evstore
from conftest import ROOT
from evstore import Events
from evstore.formats import evt3

sys.path.insert(0, str(ROOT))  # bench is not installed
from bench import many, readme, recordings
from bench.bars import Bar, table
from bench.raw import tile_raw
from bench.timing import Spread


def simulated(seed: int) -> Events:
    batches = evstore.simulate((64, 48), 20_000, events_per_s=500_000, seed=seed)
    return Events.concatenate(batches)


def test_tiles_follow_one_another(seed: int) -> None:
    events = simulated(seed)
    tiled = recordings.tile(events, 3 * len(events) - 1)
    assert len(tiled) == 3 * len(events)
    assert tiled[: len(events)] == events
    assert (tiled.t[1:] >= tiled.t[:-1]).all()
    last = tiled[2 * len(events) :]
    assert (last.t - last.t[0] == events.t - events.t[0]).all()
    assert (last.x == events.x).all()


def test_a_raw_file_is_tiled_word_by_word(tmp_path: Path, seed: int) -> None:
    events = simulated(seed)
    with open(tmp_path / "a.raw", "wb") as file:
        writer = evt3.writer(file, (64, 48), {})
        writer.write(events.t, events.x, events.y, events.p)
        writer.close()
    tile_raw(tmp_path / "a.raw", tmp_path / "b.raw", 2 * len(events))
    with evstore.open(tmp_path / "b.raw") as rec:
        tiled = rec[:]
    assert tiled[: len(events)] == events
    assert (tiled.t[1:] >= tiled.t[:-1]).all()
    assert (tiled.x[len(events) :] == events.x).all()


def test_the_account_of_a_shard_leaves_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "RECORDINGS", 20)
    monkeypatch.setattr(many, "EVENTS", 500)
    path = tmp_path / "many.evs"
    many.write(path)
    parts = many.account(path)
    assert sum(parts.values()) == pytest.approx(path.stat().st_size / 20)
    assert all(value > 0 for value in parts.values())


@pytest.mark.parametrize(
    ("better", "value", "met"),
    [("more", 1.6, "aim"), ("more", 1.2, "must"), ("more", 1.1, "no"), ("less", 1.1, "aim"),
     ("less", 1.3, "no")],
)  # fmt: skip
def test_a_bar_is_met_or_not(better: str, value: float, met: str) -> None:
    must, aim = (1.2, 1.5) if better == "more" else (1.2, 1.1)
    bar = Bar("speed", "x", better, must, aim, Spread(value, value - 0.1, value + 0.1))
    assert bar.met == met
    assert f"| {met} |" in table([bar])
    assert Bar.from_json(json.loads(json.dumps(bar.to_json()))) == bar


def results() -> dict[str, object]:
    bar = Bar("speed", "x", "more", 1.2, 1.5, Spread(1.3, 1.1, 1.6), {"a": Spread(1.3, 1.1, 1.6)})
    about = {
        "machine": {"processor": "P", "cores": "2", "memory": "1 GiB", "system": "S"},
        "versions": {"python": "3.11"},
        "quick": False,
        "recordings": "real",
    }
    return {"decode": {**about, "bars": [bar.to_json()]}}


def test_marked_parts_of_the_readme_are_written_and_the_rest_is_left() -> None:
    text = "x\n<!-- bench:bars -->\nold\n<!-- /bench:bars -->\ny\n"
    once = readme.filled(text, results())
    assert "old" not in once
    assert "1.30x (1.10 to 1.60)" in once
    assert once.startswith("x\n")
    assert once.endswith("-->\ny\n")
    assert readme.filled(once, results()) == once
    with pytest.raises(SystemExit, match="nothing-such"):
        readme.filled(text.replace("bench:bars", "bench:nothing-such"), results())


LARGE_PARENT = """
import subprocess, sys
held = bytearray(400 << 20)  # which a process that is begun by this one inherits as its ru_maxrss
held[::4096] = b"x" * (len(held) // 4096)
code = "from bench.dataset_scale import _order; print(_order(2_000_000)[1])"
subprocess.run([sys.executable, "-c", code], check=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak cannot be begun anew")
def test_memory_of_an_order_is_what_it_takes() -> None:
    pytest.importorskip("pyarrow")
    done = subprocess.run(
        [sys.executable, "-c", LARGE_PARENT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 16 <= float(done.stdout) < 40  # MB: 8 bytes a sample, and pieces
