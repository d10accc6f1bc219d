"""Frames against a slow reference: any spec, any batches, any order of times, hostile values."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evstore
import naive_frames as naive
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.frames import Filler, Frames, filler, to_binary, to_frames, to_image
from evstore.frames.spec import DTYPES
from evstore.frames.vector_stage import show_counts
from evstore.jit import kernel

SENSOR = (7, 5)
FIRST, LAST = -(1 << 63), (1 << 63) - 1
COLUMNS = ("t", "x", "y", "p")


def some(times: list[int], seed: int, sensor: tuple[int, int] = SENSOR) -> Events:
    random = np.random.default_rng(seed)
    n = len(times)
    x, y, p = (random.integers(0, side, n) for side in (*sensor, 2))
    return Events(np.array(times, np.int64), x, y, p, sensor)


def filled(spec: Frames, events: Events, cuts: list[int]) -> Any:
    """With a Filler, in the batches between these places."""
    times = events.t.tolist()
    extent = (min(times), max(times) + 1) if times else (0, 0)
    made = Filler(spec, SENSOR, *extent, len(events))
    places = sorted({0, *(cut for cut in cuts if cut < len(events)), len(events)})
    for low, high in pairwise(places):
        part = events[low:high]
        made.add(part.t, part.x, part.y, part.p, low)
    return made.result()


times = st.lists(st.integers(-60, 60), max_size=40)
events_in_order = st.builds(some, times.map(sorted), st.integers(0, 99))
events_in_any_order = st.builds(some, times, st.integers(0, 99))


@st.composite
def specs(draw: Any) -> Frames:
    way = draw(st.sampled_from(["duration", "bins", "count", "event_bins"]))
    fields: dict[str, Any] = {way: draw(st.integers(1, 30))}
    if way in ("duration", "count"):
        fields["stride"] = draw(st.none() | st.integers(1, 30))
        fields["partial"] = draw(st.booleans())
    if way in ("duration", "bins"):
        fields["start"] = draw(st.none() | st.integers(-80, 20))
        fields["stop"] = draw(st.none() | st.integers(21, 90))
    fields["kind"] = draw(st.sampled_from(["on_off", "merged", "signed"]))
    fields["binary"] = fields["kind"] != "signed" and draw(st.booleans())
    dtypes = [d for d in DTYPES if d != "uint8" or fields["kind"] != "signed"]
    fields["dtype"] = draw(st.sampled_from(dtypes))
    box = (0, 0, *SENSOR)
    if draw(st.booleans()):
        x0, x1 = sorted(draw(st.sets(st.integers(0, 7), min_size=2, max_size=2)))
        y0, y1 = sorted(draw(st.sets(st.integers(0, 5), min_size=2, max_size=2)))
        fields["crop"] = box = (x0, y0, x1, y1)
    if draw(st.booleans()):
        width, height = box[2] - box[0], box[3] - box[1]
        fields["size"] = draw(st.tuples(st.integers(1, width), st.integers(1, height)))
    fields["flip_x"], fields["flip_y"] = draw(st.booleans()), draw(st.booleans())
    return Frames(**fields)


@given(
    events_in_order | events_in_any_order,
    specs(),
    st.lists(st.integers(1, 39), max_size=5),
    st.sampled_from([0, filler.STAGED_FROM]),
)
def test_any_frames_of_any_batches(
    events: Events, spec: Frames, cuts: list[int], staged_from: int
) -> None:
    with patch.object(filler, "STAGED_FROM", staged_from):
        check_any_frames(events, spec, cuts)


def check_any_frames(events: Events, spec: Frames, cuts: list[int]) -> None:
    expected = naive.frames(events, spec, SENSOR)
    made = to_frames(events, spec)
    assert made.dtype == spec.dtype
    assert made.shape == expected.shape
    assert np.array_equal(made, expected.astype(made.dtype))
    assert np.array_equal(filled(spec, events, cuts), made)


@given(events_in_order | events_in_any_order, specs())
def test_edges(events: Events, spec: Frames) -> None:
    given_times = events.t.tolist()
    extent = (min(given_times), max(given_times) + 1) if given_times else (0, 0)
    starts, stops = spec.edges(*extent, len(events))
    expected = naive.edges(spec, given_times)
    if not spec.by_time:
        expected = [(start, min(stop, len(events))) for start, stop in expected]
    assert list(zip(starts.tolist(), stops.tolist(), strict=True)) == expected
    assert starts.dtype == stops.dtype == np.int64


@pytest.mark.parametrize("staged_from", [0, 1 << 40])
@pytest.mark.parametrize(
    "way", [{"duration": 700}, {"duration": 700, "stride": 250}, {"count": 9_000}]
)
def test_many_events_in_pieces_and_out_of_order(
    way: dict[str, int], staged_from: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    n = 30_000
    t = np.sort(random.integers(0, 10_000, n))
    for places in (0, 3, n):
        back = random.integers(0, n, places)
        t[back] = random.integers(0, 10_000, places)
        x, y = random.integers(0, 64, (2, n))
        p = random.integers(0, 2, n)
        with patch.object(filler, "STAGED_FROM", staged_from):
            made = to_frames(Events(t, x, y, p, (64, 64)), **way)
        spec = Frames(**way)
        starts, stops = spec.edges(int(t.min()), int(t.max()) + 1, n)
        assert len(made) == len(starts) > 2
        for frame, start, stop in zip(made, starts, stops, strict=True):
            key = t if spec.by_time else np.arange(n)
            inside = (key >= start) & (key < stop)
            expected = np.zeros((2, 64, 64), np.int64)
            np.add.at(expected, (p[inside], y[inside], x[inside]), 1)
            assert np.array_equal(frame, expected)


DTYPE_SETS = [
    [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")],
    [("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")],
    [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")],
    [("t", "<u4"), ("x", ">u2"), ("y", "<u4"), ("p", "i1")],
    [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1"), ("more", "f4")],
]


@pytest.mark.parametrize("dtype", DTYPE_SETS, ids=str)
def test_structured_arrays(dtype: Any, seed: int) -> None:
    events = some(sorted(np.random.default_rng(seed).integers(0, 99, 50).tolist()), seed)
    array = np.zeros(50, dtype)
    for name in COLUMNS:
        array[name] = getattr(events, name)
    for given_array in (array, array[::-1]):
        expected = to_frames(Events.from_structured(given_array, SENSOR), duration=10)
        before = given_array.copy()
        assert np.array_equal(to_frames(given_array, duration=10, resolution=SENSOR), expected)
        assert np.array_equal(given_array, before)


@pytest.mark.parametrize("dtype", DTYPE_SETS[:3], ids=str)
@pytest.mark.parametrize(("x", "y"), [(-1, 0), (7, 0), (0, 5), (0, -2), (32_767, 0), (0, -32_768)])
def test_coordinates_outside(dtype: Any, x: int, y: int) -> None:
    array = np.zeros(20_000, dtype)
    array[15_000]["x"], array[15_000]["y"] = x, y
    for fields in ({"bins": 2}, {"count": 5}, {"bins": 2, "crop": (1, 1, 2, 2)}):
        with pytest.raises(ArgumentError, match=r"resolution 7 x 5|must lie in 0..65535"):
            to_frames(array, resolution=SENSOR, **fields)


def test_polarity_that_is_none() -> None:
    hostile = Events.of(
        np.zeros(3, np.int64), *np.zeros((2, 3), np.uint16), np.array([0, 1, 255], np.uint8), SENSOR
    )
    with pytest.raises(ArgumentError, match=r"polarity must be 0 .* got 255"):
        to_frames(hostile, bins=1)


@pytest.mark.parametrize("overflow", ["raise", "saturate"])
@pytest.mark.parametrize("fields", [{}, {"flip_x": True}], ids=str)
def test_numbers_beyond_a_byte_in_frames_that_are_staged(
    overflow: str, fields: dict[str, Any], seed: int
) -> None:
    """At one pixel 300, in batches that end anywhere, and over 2,048 in float16."""
    random = np.random.default_rng(seed)
    for n, dtype in ((9_000, "int16"), (9_000, "int32"), (30_000, "float16")):
        t = np.sort(random.integers(0, 300, n))
        x, y = random.integers(0, 3, (2, n)) // 2
        events = Events(t, x, y, random.integers(0, 2, n) * 0, SENSOR)
        spec = Frames(duration=100, dtype=dtype, overflow=overflow, **fields)
        wide = to_frames(events, duration=100, dtype="int32", **fields)
        assert wide.max() > 255
        limit = spec.holds.greatest
        with patch.object(filler, "STAGED_FROM", 0):
            if overflow == "raise" and wide.max() > limit:
                with pytest.raises(ArgumentError, match="of frame 0"):
                    filled(spec, events, random.integers(1, n, 9).tolist())
                continue
            made = filled(spec, events, random.integers(1, n, 9).tolist())
        assert np.array_equal(made, np.minimum(wide, limit))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fields", [{}, {"flip_x": True}], ids=str)
def test_numbers_that_do_not_fit(dtype: str, fields: dict[str, Any]) -> None:
    limit = DTYPES[dtype].greatest
    if limit > 1 << 16:
        pytest.skip("that would take long")
    events = Events(
        [0] * (limit + 1), [3] * (limit + 1), [2] * (limit + 1), [1] * (limit + 1), SENSOR
    )
    at = 3 if not fields else SENSOR[0] - 1 - 3
    assert to_frames(events[1:], bins=1, dtype=dtype, **fields)[0, 1, 2, at] == limit
    held = to_frames(events, bins=1, dtype=dtype, overflow="saturate", **fields)
    assert held[0, 1, 2, at] == limit
    assert held.sum(dtype=np.float64) == limit
    with pytest.raises(ArgumentError, match=f"x {at}, y 2, channel 1 of frame 0 .* {dtype} holds"):
        to_frames(events, bins=1, dtype=dtype, **fields)
    assert to_frames(events, bins=1, dtype=dtype, binary=True, **fields).sum() == 1


@pytest.mark.parametrize("polarity", [0, 1])
def test_signs_that_do_not_fit(polarity: int) -> None:
    events = Events([0] * 200, [0] * 200, [0] * 200, [polarity] * 200, (1, 1))
    held = to_frames(events, bins=1, kind="signed", dtype="int8", overflow="saturate")
    assert held.ravel().tolist() == [127 if polarity else -128]
    with pytest.raises(ArgumentError, match="channel 0 of frame 0"):
        to_frames(events, bins=1, kind="signed", dtype="int8")


def test_an_overflow_that_only_the_wrong_frames_would_have() -> None:
    """The first time is taken for the least until one that is before it is met."""
    t = np.array([1000] * 200 + [900] * 200 + [1010])
    events = Events(t, np.zeros(401, int), np.zeros(401, int), np.ones(401, int), (1, 1))
    made = to_frames(events, duration=100, dtype="uint8")
    assert made.ravel().tolist() == [0, 200]


@pytest.mark.parametrize("way", ["duration", "bins", "count", "event_bins"])
def test_no_events_and_one(way: str) -> None:
    nothing = Events.empty(SENSOR)
    frames = 3 if "bins" in way else 1
    assert to_frames(nothing, **{way: 3}).shape == (frames, 2, 5, 7)
    assert not to_frames(nothing, **{way: 3}).any()
    one = Events([-5], [1], [2], [1], SENSOR)
    made = to_frames(one, **{way: 3})
    assert made.shape == (frames, 2, 5, 7)
    assert made.sum() == made[0, 1, 2, 1] == 1


def test_times_at_the_ends_of_int64() -> None:
    events = Events([FIRST, -1, 0, LAST], [0, 1, 2, 3], [0, 0, 0, 0], [1, 0, 1, 0], SENSOR)
    made = to_frames(events, bins=4)
    assert made.sum(axis=(1, 2, 3)).tolist() == [1, 0, 2, 0]  # the third begins at -2
    assert to_frames(events, bins=1).sum() == 3
    assert to_frames(events, duration=1 << 62).sum(axis=(1, 2, 3)).tolist() == [1, 1, 1]
    with pytest.raises(ArgumentError, match="times of an int64"):
        to_frames(events, duration=1 << 62, partial=True)
    with pytest.raises(ArgumentError, match=r"frames, of at most 16,777,216"):
        to_frames(events, duration=1)
    late = Events([LAST - 3, LAST], [0, 1], [0, 0], [1, 1], SENSOR)
    assert to_frames(late, duration=3).sum() == 1
    mixed = Events([LAST, FIRST, 0], [0, 1, 2], [0, 0, 0], [1, 0, 1], SENSOR)
    assert to_frames(mixed, bins=2).sum(axis=(1, 2, 3)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "exactly one of"),
        ({"duration": 1, "bins": 2}, "exactly one of"),
        ({"duration": 0}, "1 or more"),
        ({"duration": 1.5}, "an integer"),
        ({"count": True}, "1 or more"),
        ({"bins": 1, "stride": 2}, "stride and partial"),
        ({"event_bins": 1, "partial": True}, "stride and partial"),
        ({"count": 1, "start": 2}, "start and stop are times"),
        ({"bins": 1, "start": 2, "stop": 2}, "before stop"),
        ({"bins": 1 << 25}, "at most"),
        ({"bins": 1, "kind": "both"}, "kind must be one of"),
        ({"bins": 1, "dtype": "float64"}, "dtype must be one of"),
        ({"bins": 1, "dtype": "uint8", "kind": "signed"}, "uint8 cannot hold"),
        ({"bins": 1, "binary": True, "kind": "signed"}, "no sign"),
        ({"bins": 1, "overflow": "wrap"}, "overflow must be one of"),
        ({"bins": 1, "crop": (0, 0, 0, 1)}, "crop must be"),
        ({"bins": 1, "crop": (0, 0, 8, 1)}, "within the sensor's 7 x 5"),
        ({"bins": 1, "crop": (0, 0, 1)}, "4 integers"),
        ({"bins": 1, "size": (8, 1)}, "at most the crop's 7 x 5"),
        ({"bins": 1, "size": (0, 1)}, "size must be"),
        ({"bin": 1}, "unknown: bin"),
        ({"bins": 1, "resolution": (0, 3)}, "resolution must be"),
    ],
)  # fmt: skip
def test_what_makes_no_sense(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        to_frames(some([1, 2], 0), **fields)


def test_events_that_are_none() -> None:
    with pytest.raises(ArgumentError, match="events must be Events"):
        to_frames([1, 2], bins=1)
    with pytest.raises(ArgumentError, match="give resolution"):
        to_frames(Events([1], [1], [1], [1]), bins=1)
    with pytest.raises(ArgumentError, match="missing"):
        to_frames(np.zeros(2, [("t", "i8"), ("x", "i2")]), bins=1, resolution=SENSOR)
    with pytest.raises(ArgumentError, match="not both"):
        to_frames(some([1], 0), Frames(bins=1), kind="merged")


@pytest.mark.parametrize("dtype", DTYPES)
def test_into_an_array(dtype: str) -> None:
    events = some([0, 4, 9, 30, 31], 1)
    expected = to_frames(events, duration=10, dtype=dtype)
    out = np.full_like(expected, 9)
    assert to_frames(events, duration=10, dtype=dtype, out=out) is out
    assert np.array_equal(out, expected)
    frozen = out.copy()
    frozen.flags.writeable = False
    for wrong in (out[:1], out.astype("c8"), out[..., ::-1], frozen):
        with pytest.raises(ArgumentError, match="out "):
            to_frames(events, duration=10, dtype=dtype, out=wrong)


def test_memory_that_is_given_fits_the_times_that_step_back() -> None:
    events = some([5, 90, 1, 20], 0)  # from 1 to 90, not from 5 to 20
    wanted = to_frames(events, duration=10)
    assert len(wanted) == 8
    out = np.full_like(wanted, -1)
    assert to_frames(events, duration=10, out=out) is out
    assert out.tolist() == wanted.tolist()
    with pytest.raises(ArgumentError, match="out must be"):
        to_frames(events, duration=10, out=out[:1])


def test_a_result_is_final() -> None:
    events = some([1, 2], 1)
    made = Filler(Frames(bins=1, dtype="float16"), SENSOR, 1, 3, 2)
    made.add(events.t, events.x, events.y, events.p)
    assert made.result() is made.result()
    assert made.result().sum() == 1
    with pytest.raises(ArgumentError, match="result has been taken"):
        made.add(events.t, events.x, events.y, events.p)
    with pytest.raises(ArgumentError, match="must be int64, uint16"):
        Filler(Frames(bins=1), SENSOR, 1, 3, 2).add(events.t, events.t, events.y, events.p)
    with pytest.raises(ArgumentError, match="equal length"):
        Filler(Frames(bins=1), SENSOR, 1, 3, 2).add(events.t, events.x[:1], events.y, events.p)


def test_columns_that_cannot_be_written_to() -> None:
    events = some([0, 4, 9], 1)
    expected = to_frames(events, duration=2)
    for name in COLUMNS:
        getattr(events, name).flags.writeable = False
    assert np.array_equal(to_frames(events, duration=2), expected)


def test_image_and_binary() -> None:
    events = some([0, 4, 9, 3], 1)
    image = to_image(events)
    assert image.shape == (2, 5, 7)
    assert np.array_equal(image, to_frames(events, count=4)[0])
    out = np.empty_like(image)
    assert np.shares_memory(to_image(events, out=out), out)
    assert np.array_equal(out, image)
    assert to_image(Events.empty(SENSOR)).shape == (2, 5, 7)
    binary = to_binary(events, duration=2)
    assert binary.dtype == np.uint8
    assert np.array_equal(binary, to_frames(events, duration=2) > 0)
    with pytest.raises(ArgumentError, match="binary=True"):
        to_binary(events, Frames(bins=1))


def test_a_spec_is_a_value() -> None:
    spec = Frames(duration=np.int64(5), dtype=np.float16, crop=[0, 1, 2, 3])
    assert spec == Frames(duration=5, dtype="float16", crop=(0, 1, 2, 3))
    assert len({spec, Frames(duration=5, dtype="<f2", crop=(0, 1, 2, 3))}) == 1
    assert evstore.Frames is Frames
    assert evstore.to_frames is to_frames


def test_the_largest_sensor() -> None:
    big = (1 << 16, 1 << 16)
    last = (1 << 16) - 1
    events = Events([0, 1], [last, 0], [last, 0], [1, 0], big)
    made = to_frames(events, count=2, size=(2, 2))
    assert made.ravel().tolist() == [1, 0, 0, 0, 0, 0, 0, 1]


@kernel
def _show_once(stage: Any, out: Any) -> None:
    show_counts(stage, out)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 200])
@pytest.mark.parametrize("first", [0, 1])
def test_a_stage_is_shown_as_its_plain_meaning(dtype: Any, n: int, first: int, seed: int) -> None:
    top = min(255, np.iinfo(dtype).max) if dtype != np.float32 else 255
    stage = np.random.default_rng(seed).integers(0, top, n, np.uint8, endpoint=True)
    plain_stage = stage.copy()
    out, plain_out = np.full(n + first, 9, dtype), np.full(n + first, 9, dtype)
    _show_once(stage, out[first:])
    show_counts(plain_stage, plain_out[first:])
    assert np.array_equal(out, plain_out)
    assert not stage.any()
    assert not plain_stage.any()
