"""Crop, scale and flip: events one by one, boxes corner by corner, both together."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.datasets.geometry import Geometry
from evstore.datasets.labels import Boxes
from evstore.errors import ArgumentError
from evstore.events import Events

RESOLUTION = (60, 40)


def naive_pixel(geometry: Geometry, x: int, y: int) -> tuple[int, int] | None:
    """Where a pixel of the sensor goes."""
    x0, y0, x1, y1 = geometry.crop or (0, 0, *RESOLUTION)
    w, h = geometry.size or (x1 - x0, y1 - y0)
    if not (x0 <= x < x1 and y0 <= y < y1):
        return None
    x, y = (x - x0) * w // (x1 - x0), (y - y0) * h // (y1 - y0)
    return (w - 1 - x if geometry.flip_x else x), (h - 1 - y if geometry.flip_y else y)


def some_events(n: int, seed: int, resolution: tuple[int, int] = RESOLUTION) -> Events:
    random = np.random.default_rng(seed)
    x, y = (random.integers(0, side, n) for side in resolution)
    return Events(np.sort(random.integers(0, 1000, n)), x, y, random.integers(0, 2, n), resolution)


@st.composite
def geometries(draw: Any, whole: bool = False) -> Geometry:
    """``whole``: sizes that are whole fractions of the crop."""
    crop, sides = None, RESOLUTION
    if draw(st.booleans()):
        x0, x1 = sorted(draw(st.lists(st.integers(0, 60), min_size=2, max_size=2, unique=True)))
        y0, y1 = sorted(draw(st.lists(st.integers(0, 40), min_size=2, max_size=2, unique=True)))
        crop, sides = (x0, y0, x1, y1), (x1 - x0, y1 - y0)
    size = None
    if draw(st.booleans()):
        if whole:
            w, h = (
                draw(st.sampled_from([s for s in range(1, n + 1) if n % s == 0])) for n in sides
            )
        else:
            w, h = draw(st.integers(1, 80)), draw(st.integers(1, 80))
        size = (w, h)
    return Geometry(crop, size, draw(st.booleans()), draw(st.booleans()))


# ----------------------------------------------------------------------------------- events


@given(geometries(), st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_events_one_by_one(geometry: Geometry, seed: int, n: int) -> None:
    events = some_events(n, seed)
    wanted = [
        (t, *to, p)
        for t, x, y, p in events.to_structured().tolist()
        if (to := naive_pixel(geometry, x, y))
    ]
    found = geometry.events(events)
    assert found.to_structured().tolist() == wanted
    assert found.resolution == geometry.resolution_after(RESOLUTION)
    width, height = found.resolution or (0, 0)
    assert (found.x < width).all()
    assert (found.y < height).all()


@given(geometries())
def test_maps(geometry: Geometry) -> None:
    map_x, map_y = geometry.maps(RESOLUTION)
    assert map_x.dtype == map_y.dtype == np.int32
    assert (len(map_x), len(map_y)) == RESOLUTION
    for x in range(RESOLUTION[0]):
        for y in (0, 17, RESOLUTION[1] - 1):
            inside = map_x[x] >= 0 and map_y[y] >= 0
            place = (int(map_x[x]), int(map_y[y])) if inside else None
            assert place == naive_pixel(geometry, x, y)


@given(geometries(), st.integers(0, 2**32 - 1))
def test_crop_then_size_then_flips(geometry: Geometry, seed: int) -> None:
    """All at once is one after the other, in this order."""
    steps = [
        Geometry(crop=geometry.crop),
        Geometry(size=geometry.size),
        Geometry(flip_x=geometry.flip_x),
        Geometry(flip_y=geometry.flip_y),
    ]
    events = one = some_events(50, seed)
    boxes = moved = some_boxes(20, seed)
    resolution: tuple[int, int] | None = RESOLUTION
    for step in steps:
        one = step.events(one)
        moved = step.boxes(moved, resolution)
        resolution = step.resolution_after(resolution)
    found = geometry.events(events)
    assert found == one
    assert found.resolution == one.resolution == resolution
    together = geometry.boxes(boxes, RESOLUTION)
    assert together.track_id is not None
    assert moved.track_id is not None
    assert together.track_id.tolist() == moved.track_id.tolist()
    for name in "xywh":
        assert np.allclose(getattr(together, name), getattr(moved, name), atol=1e-9)


def test_flips_undo_themselves(seed: int) -> None:
    events, boxes = some_events(100, seed), some_boxes(30, seed)
    for flip in (Geometry(flip_x=True), Geometry(flip_y=True), Geometry(None, None, True, True)):
        assert flip.events(flip.events(events)) == events
        twice = flip.boxes(flip.boxes(boxes, RESOLUTION), RESOLUTION)
        assert np.allclose(twice.x, boxes.x, atol=1e-12)
        assert np.array_equal(twice.w, boxes.w)


def test_events_are_fresh(seed: int) -> None:
    events = some_events(50, seed)
    kept = Events.concatenate([events])
    whole = (0, 0, *RESOLUTION)
    for geometry in (Geometry(), Geometry(crop=whole), Geometry(size=RESOLUTION)):
        found = geometry.events(events)
        assert found == events
        for column in (found.t, found.x, found.y, found.p):
            assert column.flags.writeable
            column[:] = 0
        assert events == kept


def test_columns_of_any_kind(seed: int) -> None:
    """Read-only, and with strides."""
    events = some_events(60, seed)
    half = Geometry(size=(30, 20), flip_x=True)
    wanted = half.events(events)
    assert half.events(events[::2]) == half.events(Events.concatenate([events[::2]]))
    for column in (events.t, events.x, events.y, events.p):
        column.flags.writeable = False
    assert half.events(events) == wanted
    assert len(half.events(events[:0])) == 0


def test_without_a_resolution() -> None:
    events = Events([1, 2], [3, 50_000], [4, 4], [0, 1])
    found = Geometry(crop=(2, 2, 10, 10), size=(4, 4), flip_y=True).events(events)
    assert found.to_structured().tolist() == [(1, 0, 2, 0)]
    assert Geometry(crop=(2, 2, 10, 8)).events(events).resolution == (8, 6)
    assert Geometry().events(events) == events
    assert Geometry(flip_x=True).resolution_after(None) is None
    for geometry in (Geometry(size=(4, 4)), Geometry(flip_x=True)):
        with pytest.raises(ArgumentError, match="state it"):
            geometry.events(events)
        with pytest.raises(ArgumentError, match="state it"):
            geometry.boxes(Boxes.empty())


def test_events_beyond_their_resolution() -> None:
    events = Events([1, 2, 3], [1, 9, 3], [1, 1, 9], [0, 1, 1], (8, 8))
    with pytest.raises(ArgumentError, match="2 of 3 events lie outside the resolution"):
        Geometry(flip_x=True).events(events)
    assert len(Geometry(crop=(0, 0, 8, 8)).events(events)) == 1


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"crop": (0, 0, 0, 4)}, "crop is"), ({"crop": (4, 0, 2, 4)}, "crop is"),
        ({"crop": (-1, 0, 2, 4)}, "crop is"), ({"crop": (0, 0, 2, 65_537)}, "crop is"),
        ({"crop": (0, 0, 2)}, "crop must be 4 integers"), ({"crop": 5}, "crop must be"),
        ({"crop": (0.5, 0, 2, 4)}, "crop must be"), ({"size": (0, 4)}, "size is"),
        ({"size": (4, 65_537)}, "size is"), ({"size": (4, 4, 4)}, "size must be 2 integers"),
    ],
)  # fmt: skip
def test_no_geometry(said: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        Geometry(**said)


def test_a_crop_beyond_the_sensor() -> None:
    for geometry in (Geometry((0, 0, 61, 40)), Geometry((0, 0, 60, 41), (3, 3))):
        with pytest.raises(ArgumentError, match="beyond the resolution 60x40"):
            geometry.resolution_after(RESOLUTION)
        with pytest.raises(ArgumentError, match="beyond the resolution 60x40"):
            geometry.maps(RESOLUTION)
        with pytest.raises(ArgumentError, match="beyond the resolution 60x40"):
            geometry.events(some_events(3, 1))
        with pytest.raises(ArgumentError, match="beyond the resolution 60x40"):
            geometry.boxes(Boxes.empty(), RESOLUTION)
    geometry = Geometry(np.array([0, 0, 4, 4]), [np.int64(2), 2])  # type: ignore[arg-type]
    assert geometry == Geometry((0, 0, 4, 4), (2, 2))
    assert hash(geometry) == hash(Geometry((0, 0, 4, 4), (2, 2)))


# ------------------------------------------------------------------------------------ boxes


def some_boxes(n: int, seed: int) -> Boxes:
    """In quarters of a pixel, some beyond the sensor, some without a width."""
    random = np.random.default_rng(seed)
    x, y = random.integers(-40, 260, n) / 4, random.integers(-40, 180, n) / 4
    w, h = random.integers(0, 80, n) / 4, random.integers(0, 80, n) / 4
    return Boxes(np.arange(n), x, y, w, h, random.integers(0, 3, n), None, np.arange(n))


def naive_box(
    geometry: Geometry, box: tuple[float, ...], min_share: float
) -> tuple[float, ...] | None:
    """Corner by corner, exactly."""
    cuts: list[Fraction] = []
    share = Fraction(1)
    crop = geometry.crop or (0, 0, *RESOLUTION)
    for k, flip in ((0, geometry.flip_x), (1, geometry.flip_y)):
        start, stop = crop[k], crop[k + 2]
        size = (geometry.size or (crop[2] - crop[0], crop[3] - crop[1]))[k]
        first, length = Fraction(box[k]), Fraction(box[k + 2])
        last = first + length
        if geometry.crop:
            low, high = max(first, Fraction(start)), min(last, Fraction(stop))
            if length == 0:
                share *= start <= first < stop
            else:
                share *= max(high - low, Fraction(0)) / length
            first, last = low, max(low, high)
        first, last = ((edge - start) * size / (stop - start) for edge in (first, last))
        if flip:
            first, last = size - last, size - first
        cuts += [first, last - first]
    if not share or share < Fraction(min_share):
        return None
    return tuple(float(value) for value in cuts)


@given(geometries(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_boxes_one_by_one(geometry: Geometry, seed: int, min_share: float) -> None:
    boxes = some_boxes(30, seed)
    wanted = {}
    for k, box in enumerate(zip(boxes.x, boxes.y, boxes.w, boxes.h, strict=True)):
        moved = naive_box(geometry, tuple(map(float, box)), min_share)
        if moved is not None:
            wanted[k] = moved
    found = geometry.boxes(boxes, RESOLUTION, min_share=min_share)
    assert found.track_id is not None
    exact = min_share in (0.0, 1.0) or geometry.crop is None
    if exact or found.track_id.tolist() == list(wanted):
        assert found.track_id.tolist() == list(wanted)
    got = {int(k): (x, w, y, h) for k, x, w, y, h in
           zip(found.track_id, found.x, found.w, found.y, found.h, strict=True)}  # fmt: skip
    for k in got.keys() & wanted.keys():
        assert got[k] == pytest.approx(wanted[k], abs=1e-9)
    if geometry.crop is not None:
        width, height = geometry.resolution_after(RESOLUTION) or (0, 0)
        assert (found.x >= -1e-9).all()
        assert (found.x + found.w <= width + 1e-9).all()
        assert (found.y + found.h <= height + 1e-9).all()


def pixels(first: float, length: float) -> set[int]:
    """Pixels that a stretch of an axis touches."""
    return set(range(int(np.floor(first)), int(np.ceil(first + length))))


def tight_box(events: Events, dtype: str) -> Boxes:
    x0, y0 = int(events.x.min()), int(events.y.min())
    corner = np.array([[x0], [y0], [events.x.max() + 1 - x0], [events.y.max() + 1 - y0]], dtype)
    x, y, w, h = corner
    return Boxes([0], x, y, w, h, [0])


@settings(max_examples=300)
@given(geometries(), st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from(["f4", "f8"]))
def test_a_box_holds_its_events(geometry: Geometry, seed: int, n: int, dtype: str) -> None:
    """Every event of a box lies in a pixel that the box touches, whatever is done to both."""
    events = some_events(n, seed)
    box = geometry.boxes(tight_box(events, dtype), RESOLUTION)
    moved = geometry.events(events)
    assert len(box) <= 1
    if not len(box):
        assert not len(moved)
        return
    one = (float(getattr(box, name)[0]) for name in "xywh")
    x, y, w, h = (round(value, 4) for value in one)
    assert set(moved.x.tolist()) <= pixels(x, w)
    assert set(moved.y.tolist()) <= pixels(y, h)


@settings(max_examples=200)
@given(geometries(whole=True), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_a_box_holds_no_more_than_its_events(geometry: Geometry, seed: int, n: int) -> None:
    """Of whole fractions: the pixels that a box touches are those that its own pixels go to."""
    events = some_events(n, seed)
    tight = tight_box(events, "f8")
    box = geometry.boxes(tight, RESOLUTION)
    x0, y0, w0, h0 = (int(getattr(tight, name)[0]) for name in "xywh")
    every = [naive_pixel(geometry, x, y) for x in range(x0, x0 + w0) for y in range(y0, y0 + h0)]
    moved = [place for place in every if place is not None]
    assert len(box) == bool(moved)
    if moved:
        x, y, w, h = (round(float(getattr(box, name)[0]), 9) for name in "xywh")
        assert {x for x, _ in moved} == pixels(x, w)
        assert {y for _, y in moved} == pixels(y, h)


def test_what_is_left_of_boxes() -> None:
    crop = Geometry(crop=(10, 10, 20, 20))
    place = (
        [5, 19, 20, 0, 12, 9.5],
        [12, 12, 12, 0, 12, 9.5],
        [10, 4, 4, 60, 0, 1],
        [4, 4, 4, 40, 0, 1],
    )
    boxes = Boxes(np.arange(6), *place, np.zeros(6, int))
    assert crop.boxes(boxes).t.tolist() == [0, 1, 3, 4, 5]
    assert crop.boxes(boxes).w.tolist() == [5, 1, 10, 0, 0.5]
    assert crop.boxes(boxes, min_share=0.25).t.tolist() == [0, 1, 4, 5]
    assert crop.boxes(boxes, min_share=0.5).t.tolist() == [0, 4]
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(ArgumentError, match="min_share"):
            crop.boxes(boxes, min_share=wrong)


def test_boxes_keep_what_else_they_have() -> None:
    place = np.array([1.25], "f4")
    boxes = Boxes([7], place, place, place, place, [2], np.array([0.5], "f4"), [9])
    found = Geometry(flip_x=True).boxes(boxes, RESOLUTION)
    assert found.to_structured().tolist() == [(7, 57.5, 1.25, 1.25, 1.25, 2, 0.5, 9)]
    assert found.x.dtype == np.float32
    assert Geometry().boxes(boxes) == boxes
    assert Geometry(size=(30, 20)).boxes(Boxes.empty(), RESOLUTION) == Boxes.empty()
