"""Lines of a spectrum that are no light; and what is counted between the flashes of one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import noise_scenes as scenes
from evstore.events import Events
from evstore.noise import find_hot_pixels, measure
from evstore.noise.batch import Sensor
from evstore.noise.measuring import folding_kernels as kernels
from evstore.noise.measuring.coherence import SEGMENTS, STEADY, shares
from evstore.noise.measuring.counted import Counted, counted_of
from evstore.noise.measuring.series import Series
from noise_scenes import Part

SIZE = (64, 48)
SIX_S = 6_000_000


def series_of(events: Events, end: int) -> Series:
    found = Series(Sensor(*SIZE))
    found.add(events_batch(events))
    found.end(end)
    return found


def events_batch(events: Events):  # type: ignore[no-untyped-def]
    from evstore.noise.batch import batch_of

    return batch_of(events)


def burst(begin: int, end: int, frequency: float = 80) -> Part:
    """A few pixels that flicker, in that time alone."""
    rng = np.random.default_rng(begin)
    lamp = scenes.flicker(rng, SIZE, end, frequency, a_cycle=1, box=(0, 0, 16, 16))
    inside = lamp.t >= begin
    return Part(*(column[inside] for column in lamp))


@pytest.mark.parametrize("end", [400_000, 900_000, 1_300_000, 3_700_000])
def test_light_that_goes_on_is_steady(end: int) -> None:
    rng = np.random.default_rng(end)
    noise, _ = scenes.background(rng, SIZE, end, 1)
    events, _ = scenes.mixed(SIZE, noise, burst(0, end))
    lit = np.zeros(12, bool)
    lit[0] = True
    found = shares(series_of(events, end), 80.2, lit)
    assert found.shape == (SEGMENTS,)
    assert (found > 0.9).all()
    assert not (shares(series_of(events, end), 80.2, ~lit) > STEADY).all()


@pytest.mark.parametrize("begin", [300_000, 450_000, 600_000])
def test_what_passes_is_no_flicker(begin: int) -> None:
    """Strong enough for a line, and gone again."""
    end = begin + 150_000
    rng = np.random.default_rng(begin)
    noise, _ = scenes.background(rng, SIZE, 900_000, 1)
    events, _ = scenes.mixed(SIZE, noise, burst(begin, end))
    counted = counted_of(events, SIZE)
    assert counted is not None
    found = counted.found(50.0)
    assert not found.lines.steady
    assert found.flicker is None
    assert found.lines.blocks.any()  # there is a line
    assert shares(counted.series, 80.0, np.zeros(12, bool)).tolist() == [0] * SEGMENTS


def test_a_lamp_that_was_on_at_first_is_told() -> None:
    rng = np.random.default_rng(4)
    noise, _ = scenes.background(rng, SIZE, SIX_S, 1)
    events, _ = scenes.mixed(SIZE, noise, burst(0, 4_000_000))
    found = measure(events).flicker
    assert found is not None
    assert abs(found.frequency_hz - 80) < 0.5


@pytest.mark.parametrize("drift", [0.0, 0.1, -0.2])
@pytest.mark.parametrize("duty", [None, 0.3])
def test_between_the_flashes_nothing_flickers(duty: float | None, drift: float) -> None:
    """All pixels flicker, of mains that speed up or slow down by ``drift`` Hz in these seconds."""
    rng = np.random.default_rng(7)
    noise, _ = scenes.background(rng, SIZE, SIX_S, 5, on=0.7)
    hot, where = scenes.hot(rng, SIZE, SIX_S, count=10)
    lamp = scenes.flicker(rng, SIZE, SIX_S, 100, a_cycle=1, duty=duty)
    slower = lamp.t - (drift / 100 / 2 * (lamp.t / SIX_S) * lamp.t).astype(np.int64)
    lamp = lamp._replace(t=np.clip(slower, 0, SIX_S - 1))
    events, _ = scenes.mixed(SIZE, noise, hot, lamp)
    found = measure(events)
    assert found.background is not None
    assert abs(found.background.rate_hz / 5 - 1) < 0.06
    assert abs(found.background.on_fraction - 0.7) < 0.04
    got = found.hot_pixels["y"].astype(int) * SIZE[0] + found.hot_pixels["x"]
    assert set(got.tolist()) == where
    assert (find_hot_pixels(events) @ [1, SIZE[0]]).tolist() == got.tolist()


def test_batches_do_not_matter_to_what_is_counted_apart() -> None:
    rng = np.random.default_rng(8)
    events, _ = scenes.mixed(
        SIZE,
        scenes.moving(SIZE, SIX_S, 20_000),
        scenes.background(rng, SIZE, SIX_S, 5)[0],
        scenes.flicker(rng, SIZE, SIX_S, 60, a_cycle=0.5),
    )
    both = []
    cuts = np.concatenate([[0, 0], np.sort(rng.integers(0, len(events), 100)), [len(events)]])
    for parts in ([events], [events[a:b] for a, b in pairwise(cuts)]):
        counted = counted_of(parts, SIZE)
        assert counted is not None
        assert counted.unlit is not None
        both.append(counted.unlit)
    whole, cut = both
    assert whole.end == cut.end > 700_000
    assert whole.frequency == cut.frequency
    assert np.array_equal(whole.slices.on, cut.slices.on)
    assert np.array_equal(whole.cells[1].levels(), cut.cells[1].levels())


def test_hours_of_silence_after_flicker() -> None:
    rng = np.random.default_rng(9)
    noise, _ = scenes.background(rng, SIZE, 3_000_000, 5)
    events, _ = scenes.mixed(SIZE, noise, burst(0, 3_000_000))
    counted = Counted(Sensor(*SIZE))
    counted.add(events_batch(events))
    late = Events([2000 * 3_600_000_000], [1], [1], [1], resolution=SIZE)
    counted.add(events_batch(late))
    counted.finish()
    assert counted.unlit is not None
    assert 1700 * 900_000_000 < counted.unlit.end < 2000 * 900_000_000


def test_plain_python_chooses_the_same() -> None:
    rng = np.random.default_rng(10)
    t = np.sort(rng.integers(500, 200_000, 2000))
    p = rng.integers(0, 2, 2000).astype(np.uint8)
    x, y = rng.integers(0, 64, 2000).astype(np.uint16), rng.integers(0, 48, 2000).astype(np.uint16)
    home = (y >> 4).astype(int) * 4 + (x >> 4)
    begin, frequency, first = 600.5, 1e-4, rng.integers(0, 32, 24)
    chosen, times = np.empty(2001, np.int64), np.empty(2001, np.int64)
    count = kernels.choose_quiet(t, x, y, p, begin, frequency, 15, 4, 4, first, chosen, times)
    want = []
    for at, time in enumerate(t.tolist()):
        cycle, part = divmod((time - begin) * frequency - first[2 * home[at] + p[at]] / 32, 1)
        if part < 0.25 and 0 <= cycle < 15:
            want.append((at, int((cycle + part * 4) * 2500)))
    assert want == list(zip(chosen[:count].tolist(), times[:count].tolist(), strict=True))
    assert 200 < count < 800
    counts = np.zeros(12 * 64, np.int64)
    kernels.fold(t, x, y, p, begin, frequency, 4, 4, counts)
    phase = np.floor((t - begin) * frequency % 1 * 32).astype(int)
    assert np.array_equal(counts, np.bincount((2 * home + p) * 32 + phase, minlength=12 * 64))


def test_lamps_of_three_phases() -> None:
    """A third of the field each, so that no part of a cycle is quiet everywhere."""
    rng = np.random.default_rng(14)
    noise, _ = scenes.background(rng, SIZE, SIX_S, 5)
    hot, where = scenes.hot(rng, SIZE, SIX_S, count=10)
    lamps = []
    for at, (left, right) in enumerate(pairwise((0, 16, 32, 64))):
        lamp = scenes.flicker(rng, SIZE, SIX_S, 100, a_cycle=1, box=(left, 0, right, 48))
        lamps.append(lamp._replace(t=np.minimum(lamp.t + at * 3333, SIX_S - 1)))
    found = measure(scenes.mixed(SIZE, noise, hot, *lamps)[0])
    got = found.hot_pixels["y"].astype(int) * SIZE[0] + found.hot_pixels["x"]
    assert set(got.tolist()) == where
    assert found.background is not None
    assert abs(found.background.rate_hz / 5 - 1) < 0.06
