"""Voxel grids and time surfaces against a slow reference, and with values that are hostile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_frames as naive
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.frames import to_averaged_time_surface, to_time_surface, to_voxel_grid

SENSOR = (7, 5)
FIRST, LAST = -(1 << 63), (1 << 63) - 1


def some(times: list[int], seed: int) -> Events:
    random = np.random.default_rng(seed)
    x, y, p = (random.integers(0, side, len(times)) for side in (*SENSOR, 2))
    return Events(np.array(times, np.int64), x, y, p, SENSOR)


any_events = st.builds(some, st.lists(st.integers(-60, 60), max_size=30), st.integers(0, 99))
ordered = st.builds(
    some, st.lists(st.integers(-60, 60), max_size=30).map(sorted), st.integers(0, 99)
)


@given(any_events | ordered, st.integers(1, 9), st.booleans())
def test_voxel_grids(events: Events, bins: int, to_last: bool) -> None:
    made = to_voxel_grid(events, bins, to_last=to_last, dtype="float64")
    expected = naive.voxel_grid(events, bins, SENSOR, to_last)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-12)
    if to_last:  # then no share of any event is lost
        assert made.sum() == pytest.approx(2.0 * events.p.sum() - len(events), abs=1e-9)


@given(any_events | ordered, st.integers(1, 50), st.floats(0.1, 500))
def test_time_surfaces(events: Events, duration: int, tau: float) -> None:
    made = to_time_surface(events, duration, tau, dtype="float64")
    expected = naive.time_surfaces(events, duration, tau, SENSOR)
    np.testing.assert_allclose(made, expected, rtol=1e-12, atol=1e-290)


@given(
    any_events | ordered,
    st.sampled_from([(1, 1), (3, 3), (4, 3), (10, 5)]),
    st.integers(1, 99),
    st.sampled_from(["exp", "lin"]),
)
def test_averaged_time_surfaces(
    events: Events, sides: tuple[int, int], window: int, decay: str
) -> None:
    made = to_averaged_time_surface(
        events, cell_size=sides[0], surface_size=sides[1], time_window=window, tau=30, decay=decay
    )
    expected = naive.averaged(events, SENSOR, *sides, window, 30, decay)
    np.testing.assert_allclose(made, expected, rtol=1e-6, atol=1e-6)


def test_times_at_the_ends_of_int64() -> None:
    events = Events([FIRST, 0, LAST], [0, 1, 2], [0, 0, 0], [1, 1, 1], SENSOR)
    grid = to_voxel_grid(events, 3, to_last=True)
    assert [int(grid[k, 0, 0, k]) for k in range(3)] == [1, 1, 1]
    surfaces = to_time_surface(events, 1 << 62, 2.0**62, dtype="float64")
    assert surfaces.shape == (3, 2, 5, 7)
    assert surfaces[:, 1, 0, 0] == pytest.approx(np.exp([-1, -2, -3]))
    made = to_averaged_time_surface(events, time_window=1 << 62, tau=1.0)
    assert made.sum() == pytest.approx(1)
    late = Events([LAST, FIRST], [0, 0], [0, 0], [1, 1], SENSOR)
    assert to_voxel_grid(late, 2, to_last=True)[:, 0, 0, 0].tolist() == [1, 1]


@pytest.mark.parametrize("make", ["voxel", "surface", "averaged"])
def test_events_that_do_not_fit(make: str) -> None:
    def made(events: Any) -> Any:
        if make == "voxel":
            return to_voxel_grid(events, 3)
        return (
            to_time_surface(events, 3, 3) if make == "surface" else to_averaged_time_surface(events)
        )

    for x, y in ((7, 0), (0, 5), (65_535, 0), (0, 65_535)):
        with pytest.raises(ArgumentError, match="1 events lie outside the resolution 7 x 5"):
            made(
                Events([0] * 9_000 + [1], [0] * 9_000 + [x], [0] * 9_000 + [y], [1] * 9_001, SENSOR)
            )
    bad = Events([0, 1], [0, 1], [0, 1], [1, 1], SENSOR)
    bad.p = np.array([1, 2], np.uint8)
    with pytest.raises(ArgumentError, match="polarity must be 0"):
        made(bad)
    empty = made(Events.empty(SENSOR))
    assert empty.dtype == np.float32
    assert not empty.any()


def test_what_makes_no_sense() -> None:
    events = some([1, 2], 0)
    for call, words in (
        (lambda: to_voxel_grid(events, 0), "bins must be"),
        (lambda: to_voxel_grid(events, 2, dtype="int16"), "float32 or float64"),
        (lambda: to_voxel_grid(events, 2, out=np.zeros(3)), "out must be"),
        (lambda: to_time_surface(events, 0, 1), "duration must be 1 or more"),
        (lambda: to_time_surface(events, 1, 0), "tau must be above 0"),
        (lambda: to_time_surface(events, 1, float("nan")), "tau must be above 0"),
        (lambda: to_time_surface(events, 1, 1, dtype="float16"), "float32 or float64"),
        (lambda: to_averaged_time_surface(events, surface_size=4), "must be odd"),
        (lambda: to_averaged_time_surface(events, cell_size=3), "at most cell_size"),
        (lambda: to_averaged_time_surface(events, decay="no"), "exp or lin"),
        (lambda: to_averaged_time_surface(events, time_window=0), "time_window must be"),
    ):
        with pytest.raises(ArgumentError, match=words):
            call()


def test_into_arrays() -> None:
    events = some(list(range(20)), 0)
    grid = np.full((3, 1, 5, 7), 9, np.float32)
    assert to_voxel_grid(events, 3, out=grid) is grid
    assert np.array_equal(grid, to_voxel_grid(events, 3))
    surfaces = np.full((3, 2, 5, 7), 9, np.float32)
    assert to_time_surface(events, 5, 9, out=surfaces) is surfaces
    assert np.array_equal(surfaces, to_time_surface(events, 5, 9))
