"""Merging: equal to a stable sort, and sources in a row equal to one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from evstore import Events
from evstore.jit import kernel
from evstore.noise import (
    BackgroundActivity,
    Compose,
    EventDrop,
    Flicker,
    HotPixels,
    Leak,
    Transform,
    vector_merge,
)
from evstore.noise.batch import Batch, Sensor, Stage, all_merged, batch_of, empty_batch, merged
from evstore.noise.key import Key, sample_key
from evstore.noise.sources.packing import Keys

SIZE = (40, 30)
STOP = 60_000


@kernel
def merge_column(flags: Any, first: Any, second: Any, out: Any) -> None:
    vector_merge.merge_column(flags, first, second, out)


def random_batch(rng: np.random.Generator, count: int, begin: int, end: int) -> Batch:
    columns = [rng.integers(0, 256, count).astype(dtype) for dtype in ("u2", "u2", "u1", "u1")]
    return Batch(np.sort(rng.integers(begin, end, count)), *columns)


def sorted_together(batches: list[Batch]) -> Batch:
    columns = [np.concatenate(column) for column in zip(*batches, strict=True)]
    return Batch(*columns).at(np.argsort(columns[0], kind="stable"))


def assert_equal(found: Batch, expected: Batch) -> None:
    for name in Batch._fields:
        column, wanted = getattr(found, name), getattr(expected, name)
        assert column.dtype == wanted.dtype
        assert np.array_equal(column, wanted), name


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.uint8])
@pytest.mark.parametrize("share", [0, 0.1, 0.9, 1])
def test_merge_column(dtype: Any, share: float, seed: int) -> None:
    """Of any length: the vector step means what the plain function says, and writes no more."""
    rng = np.random.default_rng(seed)
    for size in (0, 1, 63, 64, 65, 1000):
        flags = (rng.random(size) < share).astype(np.uint8)
        second = int(flags.sum())
        columns = [
            rng.integers(0, np.iinfo(dtype).max, count + 1, dtype)
            for count in (size - second, second)
        ]
        plain, fast = np.full(size + 70, 7, dtype), np.full(size + 70, 7, dtype)
        vector_merge.merge_column(flags, *columns, plain)
        merge_column(flags, *columns, fast)
        assert np.array_equal(plain, fast)
        expected = np.empty(size, dtype)
        expected[flags == 0], expected[flags == 1] = columns[0][:-1], columns[1][:-1]
        assert np.array_equal(fast[:size], expected)


@pytest.mark.parametrize("span", [1, 100, 10**9])
def test_merged(span: int, seed: int) -> None:
    """As a stable sort of one behind the other does: few, many, equal times, one after another."""
    rng = np.random.default_rng(seed)
    for first, second in ((0, 0), (0, 5), (5, 0), (1, 1), (30, 40), (64, 64), (9000, 300)):
        for after in (0, span // 2, span):
            one = random_batch(rng, first, 0, span)
            other = random_batch(rng, second, after, after + span)
            assert_equal(merged(one, other), sorted_together([one, other]))
            assert_equal(merged(other, one), sorted_together([other, one]))


class _Backwards:
    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        return batch.at(np.arange(batch.size)[::-1].copy()), until


@dataclass(frozen=True)
class Backwards(Transform):
    """What somebody else may write."""

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        return _Backwards()


def test_merged_with_what_is_not_in_order(seed: int) -> None:
    """It is sorted first, and nothing is read beyond it."""
    rng = np.random.default_rng(seed)
    columns = (rng.integers(0, side, 5000) for side in (64, 64, 2))
    signal = Events(np.sort(rng.integers(0, 90_000, 5000)), *columns, (64, 64))
    noise = Compose(Backwards(), BackgroundActivity(50), Leak(20))
    found, labels = noise(signal, labels=True, sample="s", start=0, stop=90_000)
    assert np.all(np.diff(found.t) >= 0)
    assert np.array_equal(found[labels == 0].t, signal.t)
    assert len(found) > 5000


def test_all_merged(seed: int) -> None:
    """However many, in whatever order of their sizes; equal times in the order of the batches."""
    rng = np.random.default_rng(seed)
    for _ in range(40):
        sizes = rng.choice([0, 1, 3, 200, 5000], rng.integers(1, 7))
        batches = [random_batch(rng, size, 0, int(rng.choice([3, 2000]))) for size in sizes]
        assert_equal(all_merged(batches), sorted_together(batches))


SOURCES = {
    "hot pixels": HotPixels(count=9, low_hz=500, high_hz=5000),
    "background": BackgroundActivity(rate_hz=300),
    "bursts": BackgroundActivity(rate_hz=200, bursts=0.5, burst_delay_us=300),
    "periodic": HotPixels(count=20, periodic=True, low_hz=1000, high_hz=1000, jitter=0.0),
    "leak": Leak(rate_hz=50),
    "flicker": Flicker(frequency_hz=1000, events_per_cycle=0.7, region=(3, 3, 20, 20)),
    "drop": EventDrop(0.3),
}


def one_by_one(
    transforms: tuple[Transform, ...], events: Events, cuts: list[int], seed: int
) -> Batch:
    """Each stage alone; what it adds, sorted together with what came before."""
    key = sample_key(0, "x", batch_of(events))
    stages = [
        transform.begin(Sensor(*SIZE), key.within(seed, place), 0)
        for place, transform in enumerate(transforms)
    ]
    given = []
    for begin, end in zip([0, *cuts], [*cuts, STOP], strict=True):
        low, high = np.searchsorted(events.t, [begin, end])
        batch = batch_of(events[int(low) : int(high)])
        for transform, stage in zip(transforms, stages, strict=True):
            if transform.makes_events:
                made, _ = stage.push(empty_batch(), end, end == STOP)
                batch = sorted_together([batch, made])
            else:
                batch, _ = stage.push(batch, end, end == STOP)
        given.append(batch)
    return Batch(*(np.concatenate(column) for column in zip(*given, strict=True)))


def test_sources_in_a_row_are_as_one_after_the_other(seed: int) -> None:
    """Events, their order at equal times and labels, whatever the batches and in one call."""
    rng = np.random.default_rng(seed)
    n = 4000
    t = np.sort(rng.integers(0, STOP // 100, n)) * 100  # many at one time
    events = Events(t, rng.integers(0, 40, n), rng.integers(0, 30, n), t & 1, resolution=SIZE)
    equal = 0
    for _ in range(8):
        names = rng.permutation(list(SOURCES))[: rng.integers(2, len(SOURCES) + 1)]
        transforms = tuple(SOURCES[name] for name in names)
        noise = Compose(*transforms, seed=3)
        cuts = sorted(rng.integers(1, STOP, rng.integers(0, 6)).tolist())
        expected = one_by_one(transforms, events, cuts, 3)
        found, labels = noise(events, sample="x", start=0, stop=STOP, labels=True)
        assert_equal(batch_of(found)._replace(label=labels), expected)
        stream = noise.stream(SIZE, sample="x", start=0)
        parts = []
        at = np.searchsorted(events.t, cuts).tolist()
        for low, high in zip([0, *at], [*at, n], strict=True):
            parts.append(batch_of(stream.push(events[low:high]))._replace(label=stream.labels))
        parts.append(batch_of(stream.end(STOP))._replace(label=stream.labels))
        assert_equal(Batch(*map(np.concatenate, zip(*parts, strict=True))), expected)
        same = expected.t[1:] == expected.t[:-1]
        equal += int((same & (expected.label[1:] != expected.label[:-1])).sum())
    assert equal > 500


def test_a_compose_in_a_compose_is_merged_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = Events(np.arange(0, STOP, 50), *(np.zeros(STOP // 50, int),) * 3, resolution=SIZE)
    inner = Compose(SOURCES["leak"], SOURCES["drop"], SOURCES["flicker"], seed=5)
    outer = (SOURCES["background"], inner, SOURCES["hot pixels"])
    cuts = sorted(rng.integers(1, STOP, 3).tolist())
    key = sample_key(0, "x", batch_of(events))
    stages = [one.begin(Sensor(*SIZE), key.within(3, k), 0) for k, one in enumerate(outer)]
    parts = []
    for begin, end in zip([0, *cuts], [*cuts, STOP], strict=True):
        low, high = np.searchsorted(events.t, [begin, end])
        batch = batch_of(events[int(low) : int(high)])
        for stage in stages:
            batch, _ = stage.push(batch, end, end == STOP)
        parts.append(batch)
    expected = Batch(*map(np.concatenate, zip(*parts, strict=True)))
    found, labels = Compose(*outer, seed=3)(events, sample="x", start=0, stop=STOP, labels=True)
    assert_equal(batch_of(found)._replace(label=labels), expected)


@pytest.mark.parametrize("most_time", [1, 5000, 1 << 30])
def test_keys_come_sorted_however_they_were_made(most_time: int, seed: int) -> None:
    """By place, nearly by place or not at all; of times that fit beside numbers or do not."""
    rng = np.random.default_rng(seed)
    for count in (0, 1, 2, 3000):
        for shuffled in (False, True):
            keys = Keys(count)
            places = np.sort(rng.integers(0, 1 << 33, count, np.uint64))
            if shuffled:
                places = rng.permutation(places)
            times = rng.integers(0, most_time, count, np.uint64)
            keys.keys[:count] = times << np.uint64(33) | places
            expected = np.sort(keys.keys[:count])
            found = keys.batch(count, -7, 3, by_place=True)
            assert np.array_equal(found.t, (expected >> np.uint64(33)).astype(np.int64) - 7)
            assert np.array_equal(found.y, expected >> np.uint64(17) & np.uint64(0xFFFF))
            assert np.array_equal(found.x, expected >> np.uint64(1) & np.uint64(0xFFFF))
            assert np.array_equal(found.p, expected & np.uint64(1))
            assert (found.label == 3).all()
