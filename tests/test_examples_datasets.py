"""The examples about datasets, and about coming from other packages, run as they are."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import evstore
from conftest import ROOT
from test_examples import example

pytest.importorskip("pyarrow")


def needs(*packages: str) -> None:
    """Skip without them; they are imported in the example's process only."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")


def module(name: str) -> ModuleType:
    """An example as a module: what stands in it may be called."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def expected(data_dir: Path, name: str) -> Any:
    return json.loads((data_dir / "EXPECTED.json").read_text())[name]


@pytest.mark.parametrize("name", ["gen3_vga_a_evt2.raw", "gen41_hd_burst_evt3.raw"])
def test_from_expelliarmus(data_dir: Path, name: str) -> None:
    needs("expelliarmus")
    printed = example("migrate_expelliarmus.py", data_dir / "prophesee" / name)
    said = expected(data_dir, f"prophesee/{name}")
    assert f"read: {said['events']:,} events; x, y and p are equal" in printed
    found = re.search(r"t differs in ([0-9,]+)", printed)
    assert found is not None
    assert (found[1] == "0") == ("evt2" in name)
    if "evt3" in name:
        assert f"the file's for {(said['t_last'] - said['t_first']) / 1e6:.3f} s" in printed


@pytest.mark.parametrize("name", ["gen3_vga_a_evt2.raw", "gen41_hd_burst_evt3.raw"])
def test_from_metavision(data_dir: Path, tmp_path: Path, name: str) -> None:
    printed = example("migrate_metavision.py", data_dir / "prophesee" / name, tmp_path / "made.evs")
    said = expected(data_dir, f"prophesee/{name}")
    windows = said["t_last"] // 10_000 + 1
    assert f"delta_t: {windows:,} windows and {said['events']:,} events are equal" in printed
    counts = -(-said["events"] // 20_000)
    assert f"n_events: {counts:,} windows and {said['events']:,} events are equal" in printed
    assert f"{said['events']:,} events are equal" in printed.partition("mixed: ")[2]
    assert printed.endswith("subtract where the window begins\n")


@pytest.mark.parametrize(
    ("how", "windows"),
    [
        ({"delta_t": 10}, [[], [], [21, 22, 29], [], [40]]),
        ({"delta_t": 10, "start_ts": 20, "relative_timestamps": True}, [[1, 2, 9], [], [0]]),
        ({"delta_t": 10, "start_ts": 20, "max_duration": 5}, [[21, 22]]),
        ({"mode": "n_events", "n_events": 3}, [[21, 22, 29], [40]]),
        ({"mode": "n_events", "n_events": 2}, [[21, 22], [29, 40]]),
        # The clock starts anew at 29, when two events had come before 30.
        ({"mode": "mixed", "delta_t": 10, "n_events": 2}, [[], [], [21, 22], [29], [40]]),
    ],
)
def test_the_stand_in_for_metavision(
    tmp_path: Path, how: dict[str, Any], windows: list[list[int]]
) -> None:
    """By its documentation: windows from 0 on, empty ones too, the first criterion that is met."""
    times = [21, 22, 29, 40]
    evstore.save(tmp_path / "a.evs", evstore.Events(times, [0] * 4, [0] * 4, [1] * 4, (4, 4)))
    found = module("migrate_metavision").EventsIterator(tmp_path / "a.evs", **how)
    assert [window["t"].tolist() for window in found] == windows


def test_from_dsec(data_dir: Path, tmp_path: Path) -> None:
    needs("h5py", "hdf5plugin")
    source = data_dir / "made" / "gen3_vga_b_dsec.h5"
    printed = example("migrate_dsec.py", source, tmp_path / "made.evs")
    said = expected(data_dir, "made/gen3_vga_b_dsec.h5")
    late = re.search(r"None before, ([0-9,]+) events now", printed)
    assert late is not None
    equal = said["events"] - int(late[1].replace(",", ""))
    assert f"10 windows: {equal:,} events are equal" in printed
    assert f"all {said['events']:,} events are in windows" in printed


def test_from_tonic(data_dir: Path, tmp_path: Path) -> None:
    needs("tonic", "torch")
    (tmp_path / "NMNIST").mkdir()
    (tmp_path / "NMNIST" / "Test").symlink_to(data_dir / "nmnist_small" / "Test")
    printed = example("migrate_tonic.py", tmp_path)
    assert "100 samples: events, dtype and labels are equal" in printed
    assert "6 batches of frames are equal: torch.float32 before, torch.int16 now" in printed
    assert "-25537 before, 32767 at most now" in printed
    assert re.search(r"least 0\.0 before, -[0-9.]+ now", printed)


def test_train_from_shards(data_dir: Path, tmp_path: Path) -> None:
    needs("torch")
    printed = example("train_from_shards.py", data_dir / "nmnist_small", tmp_path / "shards")
    assert re.search(r"packed 1100 recordings to [34][0-9]% of their bytes", printed)
    assert "50 batches an epoch\ngoing on in epoch 0 behind batch 25\n" in printed
    right = [int(share) for share in re.findall(r"epoch [12]: ([0-9]+)% right", printed)]
    assert len(right) == 2
    assert right[1] > 70


def test_train_with_noise(data_dir: Path, tmp_path: Path) -> None:
    needs("torch")
    printed = example("train_with_noise.py", data_dir / "nmnist_small", tmp_path / "shards")
    added = re.search(r"noise adds ([0-9]+)% to", printed)
    assert added is not None
    assert int(added[1]) > 20
    right = [list(map(int, found)) for found in re.findall(r"([0-9]+)%.*, ([0-9]+)%", printed)]
    (clean, confused), (_, sure) = right
    assert clean > 70
    assert sure > confused


def test_windows_and_boxes(tmp_path: Path) -> None:
    needs("torch")
    printed = example("windows_and_boxes.py", tmp_path)
    with evstore.open(tmp_path / "drives" / "drive0_left.evs") as rec:
        events = rec[:]
    boxes = np.load(tmp_path / "drives" / "drive0_left_bbox.npy")
    x0, y0, x1, y1 = 40, 20, 280, 220  # of the crop
    for start in range(int(events.t.min()), int(events.t.max()) - 50_000, 50_000):
        there = (events.t >= start) & (events.t < start + 50_000)
        kept = there & (events.x >= x0) & (events.x < x1) & (events.y >= y0) & (events.y < y1)
        objects = boxes[(boxes["t"] >= start) & (boxes["t"] < start + 50_000)]
        left = (objects["x"] < x1) & (objects["x"] + objects["w"] > x0)
        assert (
            f"drive0/left {start:>6} us: {there.sum():,} events and {len(objects)} boxes, "
            f"{kept.sum():,} and {left.sum()} in the crop\n"
        ) in printed
    assert printed.count("drive0/right") == printed.count("drive0/left") == 3
    # As many events lie in a box before and after both were moved.
    assert len(set(re.findall(r"; (\d+) events in it", printed))) == 1
    assert "batch (4, 5, 2, 100, 120), boxes [5, 5, 5, 5]" in printed
    assert "Group(drive1: left, right)" in printed
    assert printed.count("the car 8 pixels apart") == 6
