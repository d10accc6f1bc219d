"""What a sensor and its readout do to events: each against a slow one, whole and streamed."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import naive_noise_changes as naive
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import (
    BandwidthLimit,
    Compose,
    EventDrop,
    MissingRows,
    PixelDrop,
    PolarityFlip,
    SpatialJitter,
    TimeJitter,
    TimestampQuantise,
    Transform,
)
from evstore.noise.batch import Batch, Sensor, batch_of
from evstore.noise.changes import (
    bandwidth_limit,
    jitter_kernels,
    readout_kernels,
    reorder,
    time_jitter,
)
from evstore.noise.changes.reorder import Reorder
from evstore.noise.key import sample_key

SENSOR = Sensor(40, 30)
START, STOP = -500, 30_000
KEY = sample_key(3, "a sample", batch_of(Events.empty()))


def some(n: int, seed: int, latest: int = STOP) -> Events:
    """Events in order of time, bursts of equal times and gaps among them."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(START, latest, n))
    t[n // 3 : n // 2] = t[n // 3 : n // 3 + 1]
    x, y = (rng.integers(0, side, n).astype(np.uint16) for side in SENSOR)
    return Events(t, x, y, rng.integers(0, 2, n).astype(np.uint8), tuple(SENSOR))


def rows_of(events: Events, labels: NDArray[np.uint8] | None = None) -> list[naive.Row]:
    labels = np.zeros(len(events), np.uint8) if labels is None else labels
    columns = (events.t, events.x, events.y, events.p, labels)
    return list(zip(*(column.tolist() for column in columns), strict=True))


CASES: list[tuple[Transform, naive.Reference]] = [
    (EventDrop(0.3), lambda r, k: naive.event_drop(r, k, 0.3)),
    (EventDrop(0.0), lambda r, k: r),
    (EventDrop(1.0), lambda r, k: []),
    (PixelDrop(fraction=0.2), lambda r, k: naive.pixel_drop(r, k, 0.2)),
    (PixelDrop(fraction=0.2, redraw="sample"), lambda r, k: naive.pixel_drop(r, k, 0.2, "sample")),
    (PixelDrop(count=300), lambda r, k: naive.pixel_drop_count(r, k, 300, SENSOR)),
    (PixelDrop(count=0), lambda r, k: r),
    (PixelDrop(count=1200), lambda r, k: []),
    (PolarityFlip(0.3), lambda r, k: naive.polarity_flip(r, k, 0.3)),
    (MissingRows(0.3), lambda r, k: naive.missing_rows(r, k, 0.3, None, "row", START)),
    (MissingRows(0.3, 777), lambda r, k: naive.missing_rows(r, k, 0.3, 777, "row", START)),
    (
        MissingRows(0.3, 1, axis="column"),
        lambda r, k: naive.missing_rows(r, k, 0.3, 1, "column", START),
    ),
    (SpatialJitter(0.4), lambda r, k: naive.spatial_jitter(r, k, 0.4, "drop", SENSOR)),
    (SpatialJitter(9, "clip"), lambda r, k: naive.spatial_jitter(r, k, 9, "clip", SENSOR)),
    (SpatialJitter(0), lambda r, k: r),
    (TimeJitter(0), lambda r, k: r),
    (TimeJitter(0.5), lambda r, k: naive.time_jitter(r, k, 0.5, START, STOP)),
    (TimeJitter(30), lambda r, k: naive.time_jitter(r, k, 30, START, STOP)),
    (TimeJitter(900.5), lambda r, k: naive.time_jitter(r, k, 900.5, START, STOP)),
    (TimeJitter(1e6), lambda r, k: naive.time_jitter(r, k, 1e6, START, STOP)),
    (BandwidthLimit(50_000.0, 3), lambda r, k: naive.bandwidth_limit(r, 50_000, 3, True)),
    (BandwidthLimit(77_777.7, 50), lambda r, k: naive.bandwidth_limit(r, 77_777.7, 50, True)),
    (BandwidthLimit(9_000, 1), lambda r, k: naive.bandwidth_limit(r, 9_000, 1, True)),
    (
        BandwidthLimit(3e6, 10, delay=False),
        lambda r, k: naive.bandwidth_limit(r, 3e6, 10, False),
    ),
    (TimestampQuantise(1), lambda r, k: r),
    (TimestampQuantise(100), lambda r, k: naive.timestamp_quantise(r, 100, 0)),
    (TimestampQuantise(640, -7), lambda r, k: naive.timestamp_quantise(r, 640, -7)),
]
IDS = [f"{i} {type(case[0]).__name__}" for i, case in enumerate(CASES)]


@pytest.mark.parametrize(("transform", "reference"), CASES, ids=IDS)
def test_equals_the_slow_one(transform: Transform, reference: naive.Reference) -> None:
    for n in (0, 1, 2, 900):
        events = some(n, n)
        wanted = reference(rows_of(events), KEY)
        found, labels = transform(
            events, sample="a sample", epoch=3, start=START, stop=STOP, labels=True
        )
        assert rows_of(found, labels) == wanted
        assert found.resolution == tuple(SENSOR)
        assert np.all(np.diff(found.t) >= 0)


def in_pieces(transform: Transform, events: Events, cuts: list[int]) -> tuple[Events, list[int]]:
    stream = transform.stream(tuple(SENSOR), sample="a sample", epoch=3, start=START)
    parts, labels = [], []
    for low, high in zip([0, *cuts], [*cuts, len(events)], strict=True):
        parts.append(stream.push(events[low:high]))
        labels += stream.labels.tolist()
        assert np.all(parts[-1].t < stream._newest)  # settled
    parts.append(stream.end(STOP))
    labels += stream.labels.tolist()
    return Events.concatenate(parts), labels


@pytest.mark.parametrize("transform", [case[0] for case in CASES], ids=IDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_stream_does_not_depend_on_batches(transform: Transform, seed: int) -> None:
    events = some(900, 5)
    whole = transform(events, sample="a sample", epoch=3, start=START, stop=STOP)
    rng = np.random.default_rng(seed)
    cuts = sorted(rng.integers(0, 900, (1, 12, 200)[seed]).tolist() * 2)  # some empty
    found, labels = in_pieces(transform, events, cuts)
    assert found == whole
    assert labels == [0] * len(whole)


def test_a_stream_of_single_events() -> None:
    chain = Compose(*(case[0] for case in CASES if case[0] != EventDrop(1.0)), seed=2)
    chain = Compose(TimeJitter(40), TimestampQuantise(20), BandwidthLimit(1e5, 4), chain)
    events = some(500, 6)
    whole = chain(events, sample="a sample", epoch=3, start=START, stop=STOP)
    found, _ = in_pieces(chain, events, list(range(1, 500)))
    assert found == whole


@pytest.mark.parametrize("transform", [case[0] for case in CASES], ids=IDS)
def test_labels_stay_with_their_events(transform: Transform) -> None:
    events = some(400, 7)
    # Once as labels and once as polarities, which travel with their events whatever they are.
    label = np.arange(400, dtype=np.int64) % 256
    batch = batch_of(events)._replace(label=label.astype(np.uint8))
    out, until = transform.begin(SENSOR, KEY, START).push(batch, STOP, True)
    assert until >= STOP
    wanted, _ = transform.begin(SENSOR, KEY, START).push(batch._replace(p=batch.label), STOP, True)
    if not isinstance(transform, PolarityFlip):
        assert out.label.tolist() == wanted.p.tolist()
    assert out.label.size == out.size <= 400


DTYPES: dict[str, Any] = {
    "tonic": [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")],
    "nmnist": [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")],
    "dvsgesture": [("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")],
    "packed": [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")],
}


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("transform", [case[0] for case in CASES], ids=IDS)
def test_structured_arrays(transform: Transform, dtype: Any) -> None:
    events = some(300, 8)
    array = events.to_structured(dtype)
    known = type(transform)(**{**vars(transform), "resolution": (*SENSOR, 2)})
    wanted = transform(events, sample=4)
    found = known(array, sample=4)
    assert found.dtype == np.dtype(dtype)
    assert Events.from_structured(found) == wanted
    assert np.array_equal(array, events.to_structured(dtype))  # not written to


def test_input_is_not_written_to() -> None:
    events, copy = some(300, 9), some(300, 9)
    for transform, _ in CASES:
        transform(events, sample=1)
    assert events == copy


def test_compose_gives_each_its_own_numbers() -> None:
    events = some(900, 10)
    twice = Compose(EventDrop(0.5), EventDrop(0.5))(events, sample=1)
    assert 150 < len(twice) < 300  # the same numbers would take away nothing more, or half
    again = Compose(EventDrop(0.5), EventDrop(0.5), seed=1)(events, sample=1)
    assert again != twice


def test_dead_pixels_stay_or_are_drawn_again() -> None:
    events = some(900, 11)
    for how in ({"fraction": 0.3}, {"count": 400}):
        kept = [PixelDrop(**how)(events, sample=s) for s in (1, 2)]
        assert kept[0] == kept[1]
        drawn = [PixelDrop(**how, redraw="sample")(events, sample=s) for s in (1, 2)]
        assert drawn[0] != drawn[1]
        assert PixelDrop(**how, seed=1)(events, sample=1) != kept[0]
    by_epoch = [EventDrop(0.3)(events, sample=1, epoch=e) for e in (0, 1)]
    assert by_epoch[0] != by_epoch[1]


def test_dead_pixels_do_not_depend_on_the_events_that_are_there() -> None:
    """Structured arrays whose sensor nobody knows: the same pixels are dead in all of them."""
    array = some(900, 12).to_structured()
    few = array[array["x"] < 20]
    dropped = PixelDrop(fraction=0.4)(array, sample=1)
    assert np.array_equal(PixelDrop(fraction=0.4)(few, sample=2), dropped[dropped["x"] < 20])


def test_a_stream_holds_back_no_longer_than_it_has_to() -> None:
    stream = TimeJitter(100).stream(tuple(SENSOR), start=0)
    given = 0
    for at in range(0, 100_000, 50):
        given += len(stream.push(Events([at], [1], [1], [1])))
        assert at // 50 + 1 - given <= 2 * 1.25 * 348 / 50 + 2


def test_times_at_the_ends_of_int64() -> None:
    least, most = -(1 << 63), (1 << 63) - 2
    events = Events([least, least + 5, 0, most - 5, most], [1] * 5, [1] * 5, [1] * 5)
    jittered = TimeJitter(1e9)(events, sample=1)
    assert np.all(np.diff(jittered.t) >= 0)
    assert len(jittered) == 5
    assert jittered.t[0] >= least
    assert jittered.t[-1] <= most
    assert TimestampQuantise(1000)(events, sample=1).t.tolist() == [
        least, least, 0, most // 1000 * 1000, most // 1000 * 1000,
    ]  # fmt: skip
    read = BandwidthLimit(0.001, 4)(events, sample=1)
    assert len(read) == 5
    assert np.all(np.diff(read.t) >= 0)
    assert len(MissingRows(0.0, 1)(events, sample=1)) == 5
    assert len(MissingRows(1.0, 10**15)(events, sample=1)) == 0


def test_large_sensors_cost_nothing() -> None:
    events = Events([1, 2], [65_535, 0], [65_535, 0], [1, 1])
    for transform in (PixelDrop(fraction=0.5), MissingRows(0.5), SpatialJitter(3)):
        assert len(transform(events.to_structured(), sample=1)) <= 2


def test_waits_are_exact_whichever_way_they_are_divided() -> None:
    rng = np.random.default_rng(3)
    for a_us in (1, 2, 3, 5, 7, 999_999, 10**9 + 7, 10**12 - 1, (1 << 52) - 1):
        most = (1 << 52) - 1
        multiples = rng.integers(0, most // a_us + 1, 2000) * a_us
        around = (multiples[:, None] + [-1, 0, 1]).ravel()
        work = np.concatenate([rng.integers(0, most + 1, 2000), np.clip(around, 0, most), [most]])
        t = np.zeros(work.size, np.int64)
        wanted = [each // a_us for each in work.tolist()]
        for limit in (most, 1 << 60):
            found = work.copy()
            readout_kernels.stamp_when_read(t, found, a_us, limit)
            assert found.tolist() == wanted


@pytest.mark.parametrize("delay", [True, False])
def test_pieces_of_a_queue(delay: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    events = some(900, 15)
    for rate, places in ((9_000, 1), (20_000, 40), (3e6, 10), (0.5, 1 << 30), (0.001, 3)):
        limit = BandwidthLimit(rate, places, delay=delay)
        wanted = rows_of(limit(events, sample=1))
        assert wanted == naive.bandwidth_limit(rows_of(events), rate, places, delay)
        monkeypatch.setattr(bandwidth_limit, "PIECE", 7)
        assert rows_of(limit(events, sample=1)) == wanted
        monkeypatch.undo()


@pytest.mark.parametrize("bound", [1, 40, 5000, 1 << 20, 1 << 50, 1 << 62])
def test_reorder_is_a_stable_sort(bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far times are out of order; at once and in parts of time, by one digit or many."""
    for bits, most in ((12, 1 << 16), (12, 100), (9, 3), (3, 5000), (1, 1 << 16), (5, 100)):
        monkeypatch.setattr(reorder, "DIGIT_BITS", bits)
        monkeypatch.setattr(reorder, "MOST", most)
        rng = np.random.default_rng(bound % 1000)
        t = rng.integers(0, bound, 3000)
        x, label = (np.arange(3000) % size for size in (65_536, 251))
        batch = Batch(
            t, x.astype(np.uint16), (x * 7).astype(np.uint16),
            (x % 2).astype(np.uint8), label.astype(np.uint8),
        )  # fmt: skip
        order, out, at = Reorder(0), batch.at(np.arange(3000)), 0
        for low in range(0, 3000, 1000):
            order.add(batch.at(slice(low, low + 1000)))
        for until in (0, bound // 3, bound // 2, bound // 2, bound):
            at += order.settle(until, out.at(slice(at, None)))
            assert at == np.count_nonzero(t < until)
            assert order.waiting == 3000 - at
        wanted = batch.at(np.argsort(t, kind="stable"))
        assert all(map(np.array_equal, out, wanted))


def test_times_far_from_the_ends_of_int64_are_moved_the_same() -> None:
    t = np.sort(np.random.default_rng(5).integers(-(1 << 62), 1 << 62, 300))
    for some_of_them in (t, t[:0], t[:1]):
        out, far = np.empty_like(some_of_them), np.empty_like(some_of_them)
        jitter_kernels.move_times(some_of_them, 3, 17, 2e8, -(1 << 61), out)
        jitter_kernels.move_far_times(some_of_them, 3, 17, 2e8, -(1 << 61), far)
        assert np.array_equal(out, far)


@pytest.mark.parametrize("away", [1, 1 << 30, 1 << 33, (1 << 33) + 1])
def test_times_near_the_ends_of_int64(away: int) -> None:
    least, most = -(1 << 63), (1 << 63) - 1
    for t in ([least + away] * 50, [most - away] * 50, [least + away, most - away]):
        wanted = [
            min(max(time + naive.away(3, i, 1e9), least), most)
            for i, time in enumerate(t, start=17)
        ]
        out = np.empty(len(t), np.int64)
        jitter_kernels.move_times(np.array(t), 3, 17, 1e9, least, out)
        assert out.tolist() == wanted


def test_pieces_of_a_large_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    events = some(900, 13)
    for deviation in (3, 300, 30_000):
        wanted = TimeJitter(deviation)(events, sample=1)
        monkeypatch.setattr(time_jitter, "PIECE", 7)
        assert TimeJitter(deviation)(events, sample=1) == wanted
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EventDrop(1.5), "fraction must be a number in 0..1, got 1.5"),
        (lambda: EventDrop(-0.1), "fraction"),
        (lambda: EventDrop(float("nan")), "fraction"),
        (lambda: EventDrop(True), "fraction"),
        (lambda: EventDrop("1"), "fraction"),  # type: ignore[arg-type]
        (lambda: EventDrop(0.1, seed=-1), "seed"),
        (lambda: PixelDrop(), "fraction in 0..1, or else a count"),
        (lambda: PixelDrop(fraction=0.1, count=3), "fraction in 0..1, or else a count"),
        (lambda: PixelDrop(fraction=2), "fraction"),
        (lambda: PixelDrop(count=-1), "count"),
        (lambda: PixelDrop(count=1.5), "count"),  # type: ignore[arg-type]
        (lambda: PixelDrop(count=1, redraw="epoch"), "redraw must be one of 'never', 'sample'"),
        (lambda: PolarityFlip(1.1), "fraction"),
        (lambda: MissingRows(-1), "fraction"),
        (lambda: MissingRows(0.1, 0), "duration_us must be an integer in 1"),
        (lambda: MissingRows(0.1, 2.5), "duration_us"),  # type: ignore[arg-type]
        (lambda: MissingRows(0.1, axis="z"), "axis must be one of 'row', 'column'"),
        (lambda: SpatialJitter(-1), "deviation_px"),
        (lambda: SpatialJitter(70_000), "deviation_px"),
        (lambda: SpatialJitter(1, "wrap"), "outside must be one of 'drop', 'clip'"),
        (lambda: TimeJitter(-1), "deviation_us must be a number in 0..1e"),
        (lambda: TimeJitter(float("inf")), "deviation_us"),
        (lambda: BandwidthLimit(0), "events_per_s must be a number in 0.001"),
        (lambda: BandwidthLimit(1e10), "events_per_s"),
        (lambda: BandwidthLimit(1000, 0), "buffer_events must be an integer in 1"),
        (lambda: BandwidthLimit(1000, delay=1), "delay"),  # type: ignore[arg-type]
        (lambda: TimestampQuantise(0), "step_us must be an integer in 1"),
        (lambda: TimestampQuantise(5, 1 << 60), "offset_us"),
        (lambda: TimestampQuantise(1.5), "step_us"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_more_dead_pixels_than_there_are() -> None:
    with pytest.raises(ArgumentError, match="at most the 1,200 pixels of the sensor of 40x30"):
        PixelDrop(count=1201)(some(5, 1), sample=1)
    with pytest.raises(ArgumentError, match="has to know the sensor"):
        PixelDrop(count=3)(some(5, 1).to_structured(), sample=1)


def test_pickles() -> None:
    events = some(300, 14)
    for transform, _ in CASES:
        again = pickle.loads(pickle.dumps(transform))
        assert again == transform
        assert again(events, sample=1) == transform(events, sample=1)
