"""Voxel grids and time surfaces by bands of pixels, against the plain loops they replace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.frames import band_kernels, surface_kernels, to_time_surface, to_voxel_grid
from evstore.frames.column_kernels import unpack
from evstore.frames.columns import columns_of, piece
from evstore.frames.time_surface import _plain
from evstore.frames.vector_decay import NOTHING, show_and_decay
from evstore.frames.vector_shares import show_shares
from evstore.frames.voxel_grid import _fill_any
from evstore.jit import kernel

SMALL, LARGE = (128, 128), (300, 251)  # of one band, and of three, the last of which is not full


def some(sides: tuple[int, int], n: int, span: int, seed: int, few: int = 0) -> Events:
    """In order of time; at so few pixels, unless 0."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, sides[0] * sides[1], few or n)
    pixels = pixels[random.integers(0, few, n)] if few else pixels
    t = np.sort(random.integers(0, span, n)) + int(random.integers(-(1 << 40), 1 << 40))
    return Events(t, pixels % sides[0], pixels // sides[0], random.integers(0, 2, n), sides)


def plain_grid(events: Events, bins: int, to_last: bool = False) -> Any:
    width, height = events.resolution or (0, 0)
    grid = np.empty((bins, 1, height, width))
    scale = float(bins - 1 if to_last else bins)
    assert _fill_any(columns_of(events, None), grid, scale) == 0
    return grid


def plain_surfaces(events: Events, duration: int, tau: float) -> Any:
    return _plain(columns_of(events, None), duration, tau, np.dtype(np.float64), None)


def check(events: Events, bins: int, duration: int, tau: float, float32_within: float = 0) -> None:
    for to_last in (False, True):
        expected = plain_grid(events, bins, to_last)
        made = to_voxel_grid(events, bins, to_last=to_last, dtype="float64")
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-9)
        single = to_voxel_grid(events, bins, to_last=to_last)
        np.testing.assert_allclose(single, made.astype(np.float32), rtol=0, atol=float32_within)
    made = to_time_surface(events, duration, tau, dtype="float64")
    np.testing.assert_allclose(made, plain_surfaces(events, duration, tau), rtol=1e-12)
    single = to_time_surface(events, duration, tau)
    assert np.array_equal(single, made.astype(np.float32))


@pytest.mark.parametrize("sides", [SMALL, LARGE, (1, 1), (257, 128)])
@pytest.mark.parametrize("n", [1, 2, 511, 512, 513, 1025, 30_000])
def test_bands(sides: tuple[int, int], n: int, seed: int) -> None:
    check(some(sides, n, 50_000, seed), 5, 7_000, 3_000.0)
    check(some(sides, n, 50_000, seed, few=3), 5, 7_000, 3_000.0)


@pytest.mark.parametrize("sides", [SMALL, LARGE])
def test_sums_that_would_overflow(sides: tuple[int, int], seed: int) -> None:
    """Bins of half an hour: sums are settled every few thousand events."""
    events = some(sides, 60_000, 1 << 32, seed, few=2)
    events.p = np.ones(len(events), np.uint8)
    check(events, 2, 1 << 31, 2.0**30)
    late = some(sides, 60_000, 1 << 32, seed)
    late.t = np.sort(np.concatenate([late.t[:1], late.t[-59_999:] * 0 + late.t[-1]]))
    check(late, 3, 1 << 31, 2.0**30)


@pytest.mark.parametrize("sides", [SMALL, LARGE])
def test_more_than_a_round(sides: tuple[int, int], seed: int) -> None:
    n = band_kernels.ROUND + 70_000
    check(some(sides, n, 1_000_000, seed), 3, 300_000, 1e5)
    of_round = some(sides, n, 2, seed)  # both rounds in one interval
    of_round.t[-1] += 5
    check(of_round, 2, 3, 7.0)


def test_what_is_found_on_the_way(seed: int) -> None:
    """Times that step back, or events without a place, behind many that are right."""
    for sides in (SMALL, LARGE):
        events = some(sides, 5_000, 50_000, seed)
        back = Events(np.r_[events.t[1000:4000], events.t[:1000], events.t[4000:]],
                      events.x, events.y, events.p, sides)  # fmt: skip
        check(back, 4, 9_000, 5e3, float32_within=1e-5)
        beyond = Events(events.t, events.x, events.y, events.p, sides)
        beyond.t = events.t.copy()
        beyond.t[2500] = events.t[-1] + 1
        check(beyond, 4, 9_000, 5e3, float32_within=1e-5)
        x = events.x.copy()
        x[4_999] = sides[0]
        outside = Events(events.t, x, events.y, events.p, (1000, 1000))
        for make in (lambda e: to_voxel_grid(e, 3, resolution=sides),  # noqa: B023
                     lambda e: to_time_surface(e, 9_000, 5e3, resolution=sides)):  # fmt: skip # noqa: B023
            with pytest.raises(ArgumentError, match="1 events lie outside the resolution"):
                make(outside)


FIELDS = {"t": "<i8", "x": "<u2", "y": "<i2", "p": "?"}


@given(
    st.permutations("xytp"), st.integers(0, 5), st.integers(0, 5), st.integers(0, 60),
    st.sampled_from([1, 2, -1]),
)  # fmt: skip
def test_structured_arrays_taken_apart(
    names: list[str], before: int, after: int, n: int, step: int
) -> None:
    """Fields in any order, with gaps, of arrays of any length: nothing outside is looked at."""
    offsets, at = [], before
    for name in names:
        offsets.append(at)
        at += np.dtype(FIELDS[name]).itemsize
    dtype = np.dtype(
        {"names": names, "formats": [FIELDS[name] for name in names], "offsets": offsets,
         "itemsize": at + after}
    )  # fmt: skip
    random = np.random.default_rng(n)
    array = np.zeros(n, dtype)
    array["t"] = random.integers(-(1 << 62), 1 << 62, n)
    for name, most in (("x", 32_768), ("y", 32_768), ("p", 2)):
        array[name] = random.integers(0, most, n)
    array = array[::step]
    columns = columns_of(array, (32_768, 32_768))
    to = piece(len(array))
    unpack(columns.t, columns.x, columns.y, columns.p, to)
    for name, made in (("t", to.t), ("x", to.x), ("y", to.y), ("p", to.p)):
        assert np.array_equal(made, array[name].astype(made.dtype)), name


def test_columns_of_several_arrays() -> None:
    """Of one stride, but not of one array."""
    dtype = np.dtype(list(FIELDS.items()))
    arrays = np.zeros((4, 100), dtype)
    for k, name in enumerate("txyp"):
        arrays[k][name] = np.arange(100) % 2 if name == "p" else np.arange(100)
    to = piece(100)
    t, x, y, p = (arrays[k][name] for k, name in enumerate("txyp"))
    unpack(t, x, y.view(np.uint16), p.view(np.uint8), to)
    assert to.t.tolist() == to.x.tolist() == to.y.tolist() == list(range(100))
    assert to.p.tolist() == [0, 1] * 50


@kernel
def _decay_once(state: Any, out: Any, factor: float) -> None:
    show_and_decay(state, out, factor)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 100])
@pytest.mark.parametrize("first", [0, 1])
def test_decay_is_its_plain_meaning(dtype: Any, n: int, first: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.exp(random.uniform(-700, 0, n))
    state, plain_state = values.copy(), values.copy()
    out, plain_out = np.full(n + first, 9, dtype), np.full(n + first, 9, dtype)
    _decay_once(state, out[first:], 0.25)
    show_and_decay(plain_state, plain_out[first:], 0.25)
    assert np.array_equal(out, plain_out)
    assert np.array_equal(state, plain_state)
    assert not ((state > 0) & (state <= NOTHING)).any()


@kernel
def _shares_once(sums: Any, carry: Any, out: Any, per_us: float, offset: float) -> None:
    show_shares(sums, carry, out, per_us, offset)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 100])
@pytest.mark.parametrize("first", [0, 1])
def test_shares_are_their_plain_meaning(dtype: Any, n: int, first: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    sums, carry = random.integers(-(1 << 62), 1 << 62, n), random.normal(size=n)
    plain_sums, plain_carry = sums.copy(), carry.copy()
    out, plain_out = np.full(n + first, 9, dtype), np.full(n + first, 9, dtype)
    _shares_once(sums, carry, out[first:], 1e-5, 0.3)
    show_shares(plain_sums, plain_carry, plain_out[first:], 1e-5, 0.3)
    assert np.array_equal(out, plain_out)
    assert np.array_equal(carry, plain_carry)
    assert not sums.any()


def test_numbers_that_fit() -> None:
    """What the kernels rely on."""
    from evstore.frames import voxel_kernels

    assert voxel_kernels.MOST_TIMES // band_kernels.LONGEST > band_kernels.PIECE
    assert band_kernels.PIECE >= band_kernels.RUN
    assert 1 << band_kernels.WITHIN == band_kernels.BAND
    assert band_kernels.TIME == band_kernels.WITHIN + 1
    assert band_kernels.TIME + 33 <= 64
    assert band_kernels.BAND % voxel_kernels.BLOCK == 0
    assert surface_kernels.FINE * surface_kernels.COARSE <= band_kernels.LONGEST
