"""What bench noise_flicker measures: shares of labelled events, put into a table."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bench import noise_flicker
from bench.bars import Bar, Settings
from evstore.events import Events


def test_quick_says_all() -> None:
    bars = noise_flicker.measure(Settings(1, 1, True, Path()))
    filters = 3 if find_spec("dv_processing") else 2
    assert len(bars) == filters * len(noise_flicker.WHAT)
    kept = [Bar.from_json(json.loads(json.dumps(bar.to_json()))) for bar in bars]
    rows = noise_flicker.shares_table(kept).splitlines()
    assert len(rows) == 2 + len(noise_flicker.SIZES)
    assert all(row.count("|") == 2 + len(bars) for row in rows)
    for bar in bars[: 2 * len(noise_flicker.WHAT)]:
        assert bar.met == ""
        if bar.name.endswith(noise_flicker.DROPPED):
            assert noise_flicker.NONE not in bar.parts
            for light in (noise_flicker.LAMP, noise_flicker.PWM, noise_flicker.OWN):
                assert bar.parts[light].low > 0.85
        elif bar.name.endswith(noise_flicker.KEPT):
            assert bar.parts[noise_flicker.LAMP].low > 0.9
            assert bar.parts[noise_flicker.NONE].low > 0.99


def test_shares() -> None:
    signal, flicker = noise_flicker.SIGNAL, noise_flicker.FLICKER
    before = np.array([signal, flicker, flicker, 2, signal, flicker, flicker], np.uint8)
    found = noise_flicker.shares(before, before[[0, 1, 3]], 1e-6)
    assert found == pytest.approx((0.75, 0.5, 7))
    still = noise_flicker.shares(before[[0, 3, 4]], before[[0, 3]], 1e-6)
    assert np.isnan(still.dropped)
    assert still.kept == pytest.approx(2 / 3)


def test_scenes_are_the_same_again() -> None:
    scene = noise_flicker.Scene(noise_flicker.OWN, 100.0, 3, (24, 16), 300_000)
    (first, labels), (second, _) = (noise_flicker.made(scene) for _ in range(2))
    assert first == second
    assert len(labels) == len(first)
    other, _ = noise_flicker.made(scene._replace(seed=4))
    assert other != first
    share = (labels == noise_flicker.FLICKER).sum() / (24 * 16 * 2 * 30)
    assert share == pytest.approx(1, abs=0.1)


@pytest.mark.skipif(not find_spec("dv_processing"), reason="dv_processing is not installed")
def test_theirs_drops_what_comes_once_a_cycle() -> None:
    t = np.arange(0, 1_000_000, 5000)
    events = Events(t, t * 0, t * 0, t // 5000 % 2, (32, 1))
    labels = np.full(t.size, noise_flicker.FLICKER, np.uint8)
    labels[0] = noise_flicker.SIGNAL
    scene = noise_flicker.Scene(noise_flicker.LAMP, 100.0, 0, (32, 1))
    assert noise_flicker.theirs(events, labels, scene).dropped > 0.98
    assert noise_flicker.theirs(events, labels, scene._replace(frequency_hz=1000)).dropped == 0
