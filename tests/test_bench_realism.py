"""What bench realism measures, and that kinds of sensors are like real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import evstore
from conftest import ROOT
from evstore import Events

sys.path.insert(0, str(ROOT))  # bench is not installed
from bench import realism
from bench import realism_stats as stats


def events(rows: list[tuple[int, int, int, int]]) -> Events:
    t, x, y, p = (np.array(column) for column in zip(*rows, strict=True))
    return Events(
        t.astype(np.int64), x.astype(np.uint16), y.astype(np.uint16), p.astype(np.uint8), (8, 8)
    )


def test_samples_of_a_few_events() -> None:
    few = events(
        [(0, 1, 2, 1), (0, 4, 2, 1), (0, 1, 3, 0), (7, 1, 2, 0), (7, 2, 2, 1), (9, 1, 2, 1)]
    )
    found = {name: values.tolist() for name, values in stats.samples(few).items()}
    assert found == {
        stats.SAME_TIME: [3, 2, 1],
        stats.SAME_ROW: [2, 1, 3],
        stats.BETWEEN: [0, 0, 7, 0, 2],
        stats.OF_PIXEL: [7, 2],
        stats.STEP_X: [3, 1],
        stats.STEP_Y: [1, -1, 0],
        stats.POLARITY: [2, 2, 2],
    }
    said = stats.numbers(few, stats.samples(few))
    assert said["ON"] == pytest.approx(4 / 6)
    assert said[f"{stats.SAME_TIME}: mean"] == 2
    assert said[f"{stats.SAME_ROW}: share"] == 0.5
    assert said[f"{stats.BETWEEN}: 0"] == pytest.approx(0.6)
    assert said[f"{stats.BETWEEN}: 2-10"] == pytest.approx(0.4)


def test_distance_is_scipys(seed: int) -> None:
    scipy = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(seed)
    a, b = random.integers(0, 20, 300), random.integers(3, 40, 500)
    assert stats.distance(a, b) == pytest.approx(scipy.ks_2samp(a, b).statistic)
    assert stats.distance(a, a) == 0
    assert stats.distance(a, a + 1000) == 1
    assert stats.distance(a[:10], b) is None


def test_how_much_of_the_sensor_moves(seed: int) -> None:
    random = np.random.default_rng(seed)

    def of(count: int, side: int) -> float:
        x, y = (random.integers(0, side, count).astype(np.uint16) for _ in range(2))
        p = np.zeros(count, np.uint8)
        return realism.share_that_moves(Events(np.arange(count), x, y, p, (100, 100)))

    assert of(100_000, 30) == pytest.approx(0.09, rel=0.15)
    assert of(3_000, 60) == pytest.approx(0.36, rel=0.2)  # most pixels have fired once or never


def test_tables_of_simulated_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = evstore.simulate((64, 48), 50_000, events_per_s=200_000, seed=3)
    monkeypatch.setattr(realism, "real", lambda path: Events.concatenate(batches))
    found = realism.trio("none", "davis")
    bar = realism.compared("some", found)
    rows = realism.numbers_table([bar]).splitlines()
    assert [row.split(" | ")[1].strip(" |") for row in rows[2:]] == ["real", "before", "now"]
    distances = realism.distances_table([bar]).splitlines()
    assert [row.split(" | ")[0] for row in distances[2:]] == ["| some", "| median"]


@pytest.mark.parametrize(
    ("name", "statistic", "most"),
    [
        ("gen41_hd_burst", stats.SAME_TIME, 0.25),
        ("gen41_hd_burst", stats.SAME_ROW, 0.2),
        ("dvxplorer", stats.SAME_TIME, 0.15),
        ("dvxplorer", stats.BETWEEN, 0.15),
        ("evt3_triggers", stats.SAME_TIME, 0.05),
        ("evt3_triggers", stats.BETWEEN, 0.1),
        ("davis346", stats.BETWEEN, 0.1),
    ],
)
def test_kinds_are_like_their_sensors(
    name: str, statistic: str, most: float, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realism, "data_folder", lambda: data_dir)
    monkeypatch.setattr(realism, "MOST_EVENTS", 100_000)
    found = realism.trio(*realism.RECORDINGS[name])
    real, now = stats.samples(found.real)[statistic], stats.samples(found.now)[statistic]
    distance = stats.distance(real, now)
    assert distance is not None
    assert distance < most
