"""What bench noise_calibration measures: errors are told, and put into a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bench import noise_calibration as calibration
from bench.bars import Bar, Settings
from evstore.events import Events
from evstore.noise import measure


def test_quick_meets_all() -> None:
    bars = calibration.measure(Settings(1, 1, True, Path()))
    assert len(bars) == 2 * len(calibration.WHAT)
    kept = [Bar.from_json(json.loads(json.dumps(bar.to_json()))) for bar in bars]
    rows = calibration.errors_table(kept).splitlines()
    assert len(rows) == 2 + 2 * (1 + len(calibration.LIGHTS))
    assert "not told" not in calibration.errors_table(kept)
    assert [bar.name for bar in bars if bar.met == "no"] == []


def test_errors() -> None:
    t = np.arange(0, 1_000_000, 5000)
    events = Events(t, t * 0 + 3, t * 0 + 5, t * 0 + 1, (16, 16))
    found = measure(events)
    truth = calibration.Truth({(3, 5), (7, 7)}, 100.0)
    errors = calibration.errors(found, {(3, 5), (1, 1)}, truth)
    assert (errors[calibration.RECALL], errors[calibration.PRECISION]) == (0.5, 1.0)
    assert (errors[calibration.QUICK_RECALL], errors[calibration.QUICK_PRECISION]) == (0.5, 0.5)
    assert errors[calibration.FREQUENCY] == calibration.UNTOLD
    assert calibration.FALSE not in errors
    errors = calibration.errors(found, set(), calibration.Truth({(3, 5)}, None))
    assert errors[calibration.FALSE] == 0
    scene = calibration.Scene("static", (16, 16), calibration.NONE, 0)
    bars = calibration.bars_of({scene: errors})
    assert [bar.met for bar in bars[:2]] == ["must", "must"]
    assert "| static, no flicker | 1, 1 | 1, 1 | 0, 0 |" in calibration.errors_table(bars)


def test_scenes_are_the_same_again() -> None:
    scene = calibration.Scene(calibration.MOVING, (32, 24), calibration.PWM, 1, 300_000)
    first, second = (Events.concatenate(calibration.made(scene)[0]) for _ in range(2))
    assert first == second
    assert len(first) > 1000
    assert int(first.t[-1]) < 300_000
    hot = calibration.made(scene)[1].hot
    assert len(hot) == 20
    other = calibration.made(scene._replace(seed=2))[1].hot
    assert hot != other
