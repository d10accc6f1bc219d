"""Kinds of readout of the simulated sensor, delays of its pixels, and what moves."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events
from evstore.synth import KINDS, simulate
from evstore.synth import arbiter_kernels as arbiter
from evstore.synth import retina_kernels as retina
from evstore.synth.bit_kernels import exchanged
from evstore.synth.column_kernels import read_out_columns
from evstore.synth.row_kernels import NEVER

SIZE, DURATION_US = (128, 96), 40_000
#: A change of the simulation changes these, and says so in its commit.
GOLDEN = {
    "davis": (39810, "63ac56bab98754da"),
    "dvxplorer": (39766, "246a5a0d9f694adb"),
    "gen3": (39810, "25f819847ff2a235"),
    "gen41": (39810, "263af47e9e7d7eff"),
}


def recording(*args: Any, **options: Any) -> Events:
    return Events.concatenate(simulate(*args, **options))


def of_kind(kind: str, **options: Any) -> Events:
    said: dict[str, Any] = {"events_per_s": 1e6, "seed": 1, **KINDS[kind], "jitter_us": 10}
    return recording(SIZE, DURATION_US, **{**said, "refractory_us": 50, **options})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_gives_the_same_events_everywhere_whatever_the_batches(kind: str) -> None:
    whole = of_kind(kind)
    digest = hashlib.sha256()
    for name in COLUMNS:
        column = getattr(whole, name)
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    assert (len(whole), digest.hexdigest()[:16]) == GOLDEN[kind]
    for batch_events in (1, 777):
        assert of_kind(kind, batch_events=batch_events) == whole
    assert of_kind(kind, seed=2) != whole


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_gives_events_in_order_at_the_rate(kind: str) -> None:
    events = recording((320, 240), 100_000, events_per_s=500_000, **KINDS[kind])
    assert len(events) == pytest.approx(50_000, rel=0.05)
    assert (np.diff(events.t) >= 0).all()
    assert events.t[-1] < 100_000
    assert events.x.max() < 320
    assert events.y.max() < 240
    pixel = events.y.astype(np.int64) * 320 + events.x
    order = np.argsort(pixel, kind="stable")
    same = np.diff(pixel[order]) == 0
    assert np.diff(events.t[order])[same].min() >= KINDS[kind]["refractory_us"]


@pytest.mark.parametrize("size", [(1, 1), (1, 100), (100, 1), (65, 3), (63, 129)])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_kinds_of_odd_sizes(kind: str, size: tuple[int, int]) -> None:
    rate = size[0] * size[1] * 100
    options = {**KINDS[kind], "jitter_us": 10}
    events = recording(size, 100_000, events_per_s=rate, seed=2, **options)
    assert len(events) == pytest.approx(rate / 10, rel=0.5, abs=20)
    assert (events.x < size[0]).all()
    assert (events.y < size[1]).all()


def test_places_are_exchanged() -> None:
    for places in (0, 1, 6, 32, 63):
        for bit in range(64):
            assert exchanged(np.uint64(1 << bit), places) == 1 << (bit ^ places)


def sweep_order(sweep: Any, levels: int, low: int = 0) -> list[int]:
    """The rows of a node of the tree, in the order of a sweep, as its definition says."""
    if levels == 0:
        return [low]
    half = 1 << (levels - 1)
    first = arbiter.later_half_first(sweep, levels - 1, low >> levels) * half
    second = half - first
    return sweep_order(sweep, levels - 1, low + first) + sweep_order(
        sweep, levels - 1, low + second
    )


@pytest.mark.parametrize("height", [2, 5, 64, 100, 130])
def test_the_tree_goes_on_in_its_sweep(height: int, seed: int) -> None:
    levels = (height - 1).bit_length()
    random = np.random.default_rng(seed)
    orders = {}
    state = np.zeros(arbiter.READOUT_STATE, np.int64)
    for _ in range(500):
        rows = np.flatnonzero(random.random(height) < random.choice([0.03, 0.3, 1.0]))
        if rows.size < 2:  # of one alone there is no choice
            continue
        waiting = np.zeros((height + 63) // 64, np.uint64)
        for row in rows:
            waiting[row >> 6] |= np.uint64(1 << int(row & 63))
        state[arbiter.ROWS_WAITING] = rows.size
        at, sweep = int(state[arbiter.ROW]), int(state[arbiter.SWEEPS])
        found = arbiter.next_in_tree(waiting, state, 7, levels)
        for number in (sweep, sweep + 1):
            if number not in orders:
                orders[number] = sweep_order(np.uint64(arbiter.bits_of_sweep(7, number)), levels)
        after = orders[sweep][orders[sweep].index(at) + 1 :]
        wanted = [row for row in after if row in rows]
        if not wanted:
            assert state[arbiter.SWEEPS] == sweep + 1
            wanted = [row for row in orders[sweep + 1] if row in rows]
        assert found == wanted[0]
        state[arbiter.ROW] = found


def test_neighbouring_rows_come_together_where_all_wait() -> None:
    events = recording((640, 480), 20_000, events_per_s=40e6, **{**KINDS["gen41"], "jitter_us": 10})
    changed = np.flatnonzero((np.diff(events.t) != 0) | (np.diff(events.y.astype(int)) != 0))
    rows = events.y[np.concatenate([[0], changed + 1])].astype(int)
    together = [((rows[1:] ^ rows[:-1]) >> level == 0).mean() for level in (1, 2, 3)]
    # A half, three quarters ... of a tree that is read whole; less where some rows do not wait.
    assert 0.3 < together[0] < 0.55 < together[1] < 0.78 < together[2] + 0.1
    assert together[0] < together[1] < together[2]


def in_rows(events: Events) -> np.ndarray:
    return (np.diff(events.t) == 0) & (np.diff(events.y.astype(int)) == 0)


def test_a_row_gives_off_before_on() -> None:
    events = recording((640, 480), 20_000, events_per_s=20e6, readout="tree", row_order="off_first")
    same = in_rows(events)
    steps, turns = np.diff(events.x.astype(int))[same], np.diff(events.p.astype(int))[same]
    assert same.sum() > 50_000
    assert (turns >= 0).all()
    assert (steps[turns == 0] > 0).all()
    assert (turns > 0).sum() > 1_000


def test_a_row_gives_on_before_off_in_no_order_of_x() -> None:
    events = recording((640, 480), 20_000, events_per_s=20e6, readout="tree", row_order="tree")
    same = in_rows(events)
    steps, turns = np.diff(events.x.astype(int))[same], np.diff(events.p.astype(int))[same]
    assert (turns <= 0).all()
    assert (steps != 0).all()
    assert 0.4 < (steps[turns == 0] > 0).mean() < 0.6


def test_the_same_events_in_each_order_of_a_row() -> None:
    def in_one_order(row_order: str) -> np.ndarray:
        events = recording(SIZE, 20_000, events_per_s=1e6, row_order=row_order)
        table = np.stack([events.t, events.y, events.x, events.p])
        return table[:, np.lexsort(table[::-1])]

    by_x = in_one_order("x")
    for row_order in ("off_first", "tree"):
        assert np.array_equal(in_one_order(row_order), by_x)


def test_events_take_their_time() -> None:
    rates = {}
    for event_ns in (0, 100):
        events = recording(
            (640, 480), 20_000, events_per_s=15e6, readout="tree", row_ns=50, event_ns=event_ns
        )
        rates[event_ns] = np.bincount(events.t).max()
    assert rates[100] <= 10 < rates[0]


def test_frames() -> None:
    frame_us, column_ns = 200, 500
    events = recording(
        SIZE, 50_000, events_per_s=2e6, readout="frames", row_ns=column_ns, frame_us=frame_us
    )
    x, frame = events.x.astype(int), events.t // frame_us
    assert np.array_equal(events.t % frame_us, (SIZE[0] - 1 - x) * column_ns // 1000)
    pixel = (frame * SIZE[1] + events.y) * SIZE[0] + x
    assert np.unique(pixel).size == pixel.size  # a pixel has one event a frame at most
    column = frame * SIZE[0] - x
    assert (np.diff(column) >= 0).all()
    assert (np.diff(events.y.astype(int))[np.diff(column) == 0] < 0).all()


def test_frames_are_as_long_as_their_columns_take() -> None:
    events = recording(SIZE, 50_000, events_per_s=1e6, readout="frames", row_ns=1000, frame_us=7)
    assert np.array_equal(events.t % SIZE[0], SIZE[0] - 1 - events.x.astype(int))


def test_what_is_seen_during_a_frame_waits_for_the_next_one(seed: int) -> None:
    width, height, column_ns, frame_ns, duration = 10, 70, 2_000, 25_000, 90_000
    random = np.random.default_rng(seed)
    pixels = random.choice(width * height, 300, replace=False)  # each asks once
    fractions = np.sort(random.integers(0, 65_536, (3, 100)))
    columns = [np.zeros(400, kind) for kind in (np.int64, np.uint16, np.uint16, np.uint8)]
    state = np.zeros(arbiter.READOUT_STATE, np.int64)
    lines = [np.zeros(2 * width, np.uint64) for _ in range(2)]
    free_at = np.full(width * height, NEVER)
    wanted, count = [], 0
    for step in range(3):
        state[arbiter.NEXT] = 0
        begin, steps = step * duration, pixels[step * 100 : step * 100 + 100]
        addresses = (steps // width << 17) | (steps % width << 1) | (steps & 1)
        crossings = (fractions[step] << 33) | addresses
        for fraction, pixel in zip(fractions[step], steps, strict=True):
            time = begin + ((duration * int(fraction)) >> 16)
            x, frame = int(pixel % width), -(-time // frame_ns)
            t = (frame * frame_ns + (width - 1 - x) * column_ns) // 1000
            wanted.append((t, x, int(pixel // width), int(pixel & 1)))
        for enough in (count + 30, 400):  # stopped on the way once
            count = read_out_columns(
                crossings, begin, duration, width, height, column_ns, frame_ns, 0,
                state, free_at, *lines, count, enough, *columns,
            )  # fmt: skip
    nothing = np.zeros(0, np.int64)
    count = read_out_columns(
        nothing, 3 * duration, duration, width, height, column_ns, frame_ns, 0,
        state, free_at, *lines, count, 400, *columns,
    )  # fmt: skip
    found = list(zip(*(column[:count].tolist() for column in columns), strict=True))
    assert sorted(found) == sorted(wanted)
    assert found == sorted(found, key=lambda e: (e[0], -e[1], -e[2]))


def test_delays_hold_and_keep_what_there_is(seed: int) -> None:
    random = np.random.default_rng(seed)
    jitter_ns, begin, delays, total = 1000, 0, [], 0
    held = np.zeros(1, np.int64)
    times, codes = np.zeros(100_000, np.int64), np.zeros(100_000, np.int64)
    asked = np.zeros(1 << 20, np.int64)
    for step in range(40):
        duration, count = int(random.integers(500, 4000)), int(random.integers(0, 3000))
        found = np.zeros(100_000, np.int64)
        numbers = np.arange(total, total + count)
        found[:count] = (random.integers(0, 65_536, count) << 33) | numbers
        asked[numbers] = begin + ((duration * (found[:count] >> 33)) >> 16)
        left = retina.delay(found, count, begin, duration, jitter_ns, 5, total, held, times, codes)
        total += count
        out = begin + ((duration * (found[:left] >> 33)) >> 16)
        delays.append(out - asked[found[:left] & ((1 << 33) - 1)])
        begin += duration
        assert step or left + held[0] == count
    found_delays = np.concatenate(delays)
    assert found_delays.size + held[0] == total
    assert found_delays.min() >= -1
    assert found_delays.max() <= 7 * jitter_ns
    settled = np.concatenate(delays[:30])
    assert settled.std() == pytest.approx(jitter_ns, rel=0.05)


def share_of_one_time(events: Events) -> float:
    return float((np.diff(events.t) == 0).mean())


@pytest.mark.parametrize("rate", [50_000, 200_000])
def test_slow_scenes_share_no_more_times_than_chance_has_it(rate: float) -> None:
    options = {"events_per_s": rate, "seed": 3, "readout": "tree"}
    chance = rate / 2e6  # of a Poisson process, for the share of the next event's microsecond
    events = recording((640, 480), 500_000, jitter_us=50, **options)
    # More by the swing of the rate, whose mean square is a twelfth more than its squared mean.
    assert chance * 0.9 < share_of_one_time(events) < chance * 1.6


@pytest.mark.parametrize("moving", [0.02, 0.3])
def test_where_it_moves(moving: float) -> None:
    events = recording((320, 240), 100_000, events_per_s=500_000, noise_hz=0, moving=moving)
    assert len(events) == pytest.approx(50_000, rel=0.05)
    width, height = (int(np.ptp(column)) + 1 for column in (events.x, events.y))
    assert width * height == pytest.approx(moving * 320 * 240, rel=0.05)
    assert recording((320, 240), 100_000, events_per_s=500_000, moving=moving).x.max() > width


def test_texture_makes_pixels_fire_between_edges() -> None:
    def intervals(texture: float) -> np.ndarray:
        options = {"events_per_s": 200_000, "seed": 3, "noise_hz": 0, "texture": texture}
        events = recording(SIZE, 400_000, **options)
        pixel = events.y.astype(int) * SIZE[0] + events.x
        order = np.argsort(pixel, kind="stable")
        return np.diff(events.t[order])[np.diff(pixel[order]) == 0]

    def spread(of: np.ndarray) -> float:
        low, high = np.percentile(of, [10, 90])
        return float(high / low)

    assert spread(intervals(0.5)) > 1.5 * spread(intervals(0))


@pytest.mark.parametrize("name", ["readout", "row_order"])
def test_a_choice_that_is_none(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} must be one of .*, got 'upside down'"):
        simulate(**{name: "upside down"})


@pytest.mark.parametrize("name", ["event_ns", "frame_us"])
@pytest.mark.parametrize("value", [-1, 2.5, 10**7])
def test_a_time_that_is_no_integer_in_range(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=f"{name} must be an integer in 0..1000000, got"):
        simulate(**{name: value})
