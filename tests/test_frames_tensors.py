"""From tensors the same values, dtypes and errors as from arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.frames import Frames, to_binary, to_frames, to_image, to_voxel_grid
from test_frames import SENSOR, events_in_any_order, events_in_order, some, specs

torch = pytest.importorskip("torch")


def same(made: Any, expected: Any) -> None:
    assert isinstance(made, torch.Tensor)
    assert made.dtype == torch.from_numpy(expected).dtype
    assert np.array_equal(made.numpy(), expected)


@given(events_in_order | events_in_any_order, specs())
def test_frames(events: Events, spec: Frames) -> None:
    same(to_frames(events.to_torch(), spec, resolution=SENSOR), to_frames(events, spec))


@given(events_in_order | events_in_any_order, st.integers(1, 9), st.booleans())
def test_voxel_grids(events: Events, bins: int, to_last: bool) -> None:
    for dtype in ("float32", "float64"):
        how = {"to_last": to_last, "dtype": dtype}
        made = to_voxel_grid(events.to_torch(), bins, resolution=SENSOR, **how)
        expected = to_voxel_grid(events, bins, **how)
        assert made.dtype == getattr(torch, dtype)
        np.testing.assert_allclose(made.numpy(), expected, rtol=0, atol=2e-6)


def test_times_at_the_ends_of_int64() -> None:
    first, last = -(1 << 63), (1 << 63) - 1
    events = Events([first, -1, 0, last], [0, 1, 2, 3], [0, 0, 0, 0], [1, 0, 1, 0], SENSOR)
    for spec in (Frames(bins=4), Frames(bins=1), Frames(duration=1 << 62)):
        same(to_frames(events.to_torch(), spec, resolution=SENSOR), to_frames(events, spec))
    made = to_voxel_grid(events.to_torch(), 3, resolution=SENSOR, to_last=True)
    np.testing.assert_allclose(made.numpy(), to_voxel_grid(events, 3, to_last=True), atol=1e-6)


def test_image_and_binary() -> None:
    events = some([0, 4, 9, 3], 1)
    same(to_image(events.to_torch(), resolution=SENSOR), to_image(events))
    same(to_binary(events.to_torch(), duration=2, resolution=SENSOR), to_binary(events, duration=2))


@pytest.mark.parametrize("overflow", ["raise", "saturate"])
def test_numbers_that_do_not_fit(overflow: str) -> None:
    events = Events([0] * 300, [3] * 300, [2] * 300, [1] * 300, SENSOR)
    how = {"bins": 1, "dtype": "uint8", "resolution": SENSOR, "overflow": overflow}
    if overflow == "saturate":
        same(to_frames(events.to_torch(), **how), to_frames(events, **how))
        return
    words = []
    for given_events in (events, events.to_torch()):
        with pytest.raises(ArgumentError, match="x 3, y 2, channel 1 of frame 0") as caught:
            to_frames(given_events, **how)
        words.append(str(caught.value))
    assert words[0] == words[1]


@pytest.mark.parametrize(("x", "y"), [(-1, 0), (7, 0), (0, 5), (0, -2)])
def test_coordinates_outside(x: int, y: int) -> None:
    tensors = {"t": [0, 1], "x": [0, x], "y": [0, y], "p": [0, 1]}
    made = {name: torch.tensor(values) for name, values in tensors.items()}
    for call in (
        lambda: to_frames(made, bins=1, resolution=SENSOR),
        lambda: to_voxel_grid(made, 1, resolution=SENSOR),
    ):
        with pytest.raises(ArgumentError, match=f"1 events lie outside .* x {x}, y {y}"):
            call()


def test_what_makes_no_sense() -> None:
    good = some([0, 4, 9, 3], 1).to_torch()
    for bad, words in (
        ({**good, "p": good["p"] + 1}, "polarity must be 0"),
        ({**good, "x": good["x"].float()}, "must hold integers"),
        ({**good, "x": good["x"][:1]}, "of one length"),
        ({"t": good["t"]}, "must be tensors t, x, y, p"),
    ):
        with pytest.raises(ArgumentError, match=words):
            to_frames(bad, bins=1, resolution=SENSOR)
    with pytest.raises(ArgumentError, match="give resolution"):
        to_frames(good, bins=1)
    with pytest.raises(ArgumentError, match="out must be a tensor"):
        to_frames(good, bins=1, resolution=SENSOR, out=torch.zeros(3))


def test_into_a_tensor_and_bools() -> None:
    events = some([0, 4, 9, 3], 1)
    tensors = {**events.to_torch(), "p": torch.from_numpy(events.p.astype(bool))}
    expected = to_frames(events, duration=3, dtype="int32")
    out = torch.full(expected.shape, 9, dtype=torch.int32)
    assert to_frames(tensors, duration=3, dtype="int32", resolution=SENSOR, out=out) is out
    same(out, expected)
    grid = torch.full((2, 1, 5, 7), 9.0)
    assert to_voxel_grid(tensors, 2, resolution=SENSOR, out=grid) is grid
    np.testing.assert_allclose(grid.numpy(), to_voxel_grid(events, 2), atol=1e-6)
