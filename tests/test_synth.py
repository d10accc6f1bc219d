"""The simulated sensor does what its docstring says."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events
from evstore.synth import arbiter_kernels, bit_kernels, scene_kernels, simulate
from evstore.synth import retina_kernels as kernels


def recording(*args: Any, **options: Any) -> Events:
    return Events.concatenate(simulate(*args, **options))


def per_pixel_intervals(events: Events) -> np.ndarray:
    pixel = events.y.astype(np.int64) * 65_536 + events.x
    order = np.argsort(pixel, kind="stable")
    same = np.diff(pixel[order]) == 0
    return np.diff(events.t[order])[same]


def test_a_seed_gives_the_same_events_whatever_the_batches(seed: int) -> None:
    options = {"resolution": (128, 96), "duration_us": 50_000, "events_per_s": 1e6, "seed": seed}
    whole = recording(**options)
    for batch_events in (1, 777, 10_000):
        batches = list(simulate(**options, batch_events=batch_events))
        assert all(batch_events <= len(b) <= batch_events + 128 for b in batches[:-1])
        assert Events.concatenate(batches) == whole
    assert recording(**{**options, "seed": seed + 1}) != whole


# A change of the simulation changes this, and says so in its commit.
GOLDEN = (9963, "c2c338cb8496ff17")


def test_the_same_events_on_every_machine() -> None:
    events = recording((64, 48), 20_000, events_per_s=500_000, seed=1)
    digest = hashlib.sha256()
    for name in COLUMNS:
        column = getattr(events, name)
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    assert (len(events), digest.hexdigest()[:16]) == GOLDEN


@pytest.mark.parametrize(
    ("resolution", "duration_us", "rate"),
    [
        ((34, 34), 300_000, 20_000),
        ((346, 260), 200_000, 1e6),
        ((640, 480), 100_000, 10e6),
        ((640, 480), 1_000_000, 50_000),
        ((1280, 720), 50_000, 25e6),
    ],
)
def test_any_size_and_rate(resolution: tuple[int, int], duration_us: int, rate: float) -> None:
    events = recording(resolution, duration_us, events_per_s=rate, seed=5)
    assert len(events) == pytest.approx(rate * duration_us / 1e6, rel=0.05)
    assert (np.diff(events.t) >= 0).all()
    assert events.t[0] >= 0
    assert events.t[-1] < duration_us
    assert events.x.max() < resolution[0]
    assert events.y.max() < resolution[1]
    assert events.resolution == resolution
    assert 0 < events.p.mean() < 1


def test_both_polarities_in_runs() -> None:
    events = recording((640, 480), 200_000, events_per_s=10e6, noise_hz=0)
    assert 0.3 < events.p.mean() < 0.7
    assert len(events) / np.count_nonzero(np.diff(events.p.astype(int))) > 2.5


@pytest.mark.parametrize("resolution", [(1, 1), (1, 100), (100, 1), (65, 3), (64, 64), (63, 129)])
def test_odd_sizes(resolution: tuple[int, int]) -> None:
    pixels = resolution[0] * resolution[1]
    events = recording(resolution, 100_000, events_per_s=pixels * 300, seed=2)
    assert len(events) == pytest.approx(pixels * 30, rel=0.5, abs=20)
    assert (events.x < resolution[0]).all()
    assert (events.y < resolution[1]).all()


def test_nothing_in_no_time() -> None:
    assert list(simulate((34, 34), 0, events_per_s=1000)) == []


@pytest.mark.parametrize("refractory_us", [0, 1, 500, 5_000])
def test_refractory_time(refractory_us: int) -> None:
    events = recording(
        (64, 64), 100_000, events_per_s=80_000, refractory_us=refractory_us, noise_hz=5
    )
    assert per_pixel_intervals(events).min() >= max(refractory_us, 0)


def test_rows_are_read_one_at_a_time() -> None:
    events = recording((640, 480), 20_000, events_per_s=10e6, row_ns=200, noise_hz=0)
    starts = np.flatnonzero((np.diff(events.t) != 0) | (np.diff(events.y.astype(int)) != 0))
    in_row = np.diff(events.t) + np.abs(np.diff(events.y.astype(int))) == 0
    assert (np.diff(events.x.astype(int))[in_row] > 0).all()
    rows_a_us = np.bincount(events.t[1:][starts])
    assert rows_a_us.max() <= 5
    assert len(events) / starts.size > 1.5


def test_slow_rows_make_longer_ones() -> None:
    def mean_row(row_ns: int) -> float:
        events = recording((320, 240), 20_000, events_per_s=4e6, row_ns=row_ns)
        changed = (np.diff(events.t) != 0) | (np.diff(events.y.astype(int)) != 0)
        return len(events) / np.count_nonzero(changed)

    assert mean_row(20) < 1.3 < 2.0 < mean_row(800)


def test_noise_is_as_much_as_asked_for() -> None:
    with_noise = recording((100, 100), 1_000_000, events_per_s=30_000, noise_hz=2.5)
    assert len(with_noise) == pytest.approx(30_000, rel=0.05)
    found, expected = np.zeros(1000, np.int64), np.zeros((10, 10), int)
    count = kernels.add_noise(found, 0, 7, 0, 1000, 10, 10)
    assert count == 1000
    np.add.at(expected, ((found >> 17) & 0xFFFF, (found >> 1) & 0xFFFF), 1)
    assert expected.sum() == 1000
    assert expected.max() < 30
    assert 400 < (found & 1).sum() < 600


def scan_a_ramp(slope: int, move: float) -> tuple[np.ndarray, np.ndarray]:
    """The crossings of 8 x 2 pixels that look at a ramp, and their thresholds."""
    width, height = 8, 2
    stride = scene_kernels.TILE + width + 1
    ramp = (np.arange(stride) - 512) * slope
    tile = np.tile(ramp.astype(np.int16), scene_kernels.TILE)
    pixels = width * height
    on, off = np.full(pixels, 100, np.int16), np.full(pixels, 50, np.int16)
    seen = np.tile(ramp[512 : 512 + width], height).astype(np.int16)
    found = np.zeros(1000, np.int64)
    marks = np.zeros(8, np.uint8)
    count = kernels.scan(
        tile, stride, int((512 + move) * 65_536), 0, (width, 0, width, 0, height),
        seen + on, seen - off, on, off, seen, np.zeros(pixels, np.int16), np.zeros(width, np.int32),
        np.zeros(width + 1, np.int32), marks, marks.view(np.uint64), np.zeros(9, np.int64), found,
    )  # fmt: skip
    return found[:count], on


def test_more_light_is_on_less_is_off() -> None:
    brighter, _ = scan_a_ramp(slope=40, move=5.0)  # by 200: two thresholds of 100
    assert (brighter & 1).all()
    assert brighter.size == 16 * 2
    darker, _ = scan_a_ramp(slope=40, move=-5.0)  # by 200: four of 50
    assert not (darker & 1).any()
    assert darker.size == 16 * 4
    assert scan_a_ramp(slope=40, move=1.0)[0].size == 0


def test_crossings_are_timed_on_a_straight_line() -> None:
    found, _ = scan_a_ramp(slope=50, move=5.0)
    assert sorted(set((found >> 33).tolist())) == [100 * 65_536 // 250, 200 * 65_536 // 250]


def test_sorting_sorts(seed: int) -> None:
    crossings = np.random.default_rng(seed).integers(0, 1 << 49, 5_000)
    out = np.zeros_like(crossings)
    kernels.sort_crossings(crossings, np.zeros(kernels.BINS + 1, np.int64), out)
    assert out.tolist() == sorted(crossings.tolist())


def test_bits_of_a_word() -> None:
    for n in range(64):
        assert bit_kernels.lowest_bit(np.uint64(1 << n | 1 << 63)) == n
        assert bit_kernels.highest_bit(np.uint64(1 << n | 1)) == n


def test_nearest_waiting_rows() -> None:
    rows = [3, 64, 70, 190]
    waiting = np.zeros(3, np.uint64)
    for row in rows:
        waiting[row >> 6] |= np.uint64(1 << (row & 63))
    for row in range(192):
        assert arbiter_kernels.row_above(waiting, row) == min(
            (r for r in rows if r > row), default=-1
        )
        assert arbiter_kernels.row_below(waiting, row) == max(
            (r for r in rows if r < row), default=-1
        )


def test_thresholds_differ_from_pixel_to_pixel() -> None:
    on, off = np.zeros(20_000, np.int16), np.zeros(20_000, np.int16)
    kernels.draw_thresholds(on, off, 3, 500, 20)
    for drawn in (on, off):
        assert drawn.mean() == pytest.approx(500, abs=1)
        assert drawn.std() == pytest.approx(20, rel=0.03)
    assert abs(np.corrcoef(on, off)[0, 1]) < 0.03


MEMORY = """
import tracemalloc
from evstore.synth import simulate
tracemalloc.start()
n = 0
for batch in simulate((1280, 720), 150_000, events_per_s=20e6):
    n += len(batch)
print(n, tracemalloc.get_traced_memory()[1])
"""


def test_memory_is_bounded() -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, timeout=200
    )
    events, peak = map(int, run.stdout.split())
    assert events > 2_500_000
    assert peak < 150e6


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"resolution": (0, 10)}, "width"),
        ({"resolution": (10, 70_000)}, "height"),
        ({"resolution": (60_000, 60_000)}, "width * height"),
        ({"duration_us": -1}, "duration_us"),
        ({"threshold": 0.0}, "threshold"),
        ({"mismatch": -0.1}, "mismatch"),
        ({"refractory_us": -1}, "refractory_us"),
        ({"noise_hz": 1e5}, "events_per_s"),
        ({"events_per_s": 0}, "events_per_s"),
        ({"events_per_s": float("nan")}, "events_per_s"),
        ({"events_per_s": 1e12}, "events_per_s"),
        ({"row_ns": 0}, "row_ns"),
        ({"batch_events": 0}, "batch_events"),
        ({"moving": 0}, "moving"),
        ({"moving": 1.5}, "moving"),
        ({"texture": 1.5}, "texture"),
        ({"texture": -0.1}, "texture"),
        ({"jitter_us": -1}, "jitter_us"),
        ({"jitter_us": 10_000}, "jitter_us"),
        ({"jitter_us": float("nan")}, "jitter_us"),
    ],
)
def test_a_value_out_of_range_is_named(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ArgumentError) as error:
        simulate(**options)
    assert str(error.value).startswith(f"{word} must lie in")
