"""Against tonic, which is run here: equal where it is right, and where it is not, its bugs by name.

| tonic 1.7 | here | shown by |
|---|---|---|
| ToVoxelGrid of bool polarity (DVSGesture's dtype): OFF counts +1 | -1 | voxel_bool |
| ToVoxelGrid of unsigned polarity: OverflowError; OFF +255 before numpy 2 | -1 | voxel_unsigned |
| to_voxel_grid_numpy changes the array it is given | never | voxel_writes |
| ToVoxelGrid of one time: NaN, cast to integers | all in bin 0 | voxel_one_time |
| ToFrame: counts above 32,767 wrap to negative | an error, or held | wraps |
| ToFrame with one polarity: refuses both, and writes p = 0 into the array | "merged" | merged |
| ToFrame of times that step back: searches in unsorted times | by membership | steps_back |
| ToFrame, include_incomplete: the last event lost where it begins a frame | kept | last_lost |
| ToFrame, bins longer than the recording in microseconds: all events lost | bins of 1 us | short |
| ToFrame, more event bins than events: all events lost | bins of 1 event | few |
| ToFrame of no events: float64, width and height swapped | int16, (height, width) | nothing |
| ToFrame of negative coordinates: counted at the other side | an error | negative |
| ToAveragedTimesurface of unsigned coordinates: left and above is lost | kept | unsigned |
| ToAveragedTimesurface: float32 times, of 16.8 s and more too coarse | int64 | late |
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.frames import (
    to_averaged_time_surface,
    to_frames,
    to_image,
    to_time_surface,
    to_voxel_grid,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transforms = pytest.importorskip("tonic.transforms")

SENSOR = (9, 6)
TONIC = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]
SIGNED = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<i8")]


def some(times: Any, seed: int, dtype: Any = TONIC) -> Any:
    random = np.random.default_rng(seed)
    made = np.zeros(len(times), dtype)
    made["t"] = times
    for name, side in zip("xyp", (*SENSOR, 2), strict=True):
        made[name] = random.integers(0, side, len(times))
    return made


def tonic(transform: str, events: Any, polarities: int = 2, **how: Any) -> Any:
    sensor = (*SENSOR, polarities)
    return getattr(transforms, transform)(sensor_size=sensor, **how)(events.copy())


recordings = st.builds(
    some, st.lists(st.integers(0, 500), min_size=1, max_size=60).map(sorted), st.integers(0, 99)
)


def equal_frames(events: Any, tonics: dict[str, Any], ours: dict[str, Any]) -> None:
    made = to_frames(events, resolution=SENSOR, **ours)
    expected = tonic("ToFrame", events, **tonics)
    assert made.dtype == expected.dtype
    assert np.array_equal(made, expected)


@given(recordings, st.integers(1, 90), st.integers(1, 120), st.none() | st.integers(-50, 100))
def test_frames_of_time(events: Any, length: int, stride: int, start: int | None) -> None:
    equal_frames(
        events,
        {"time_window": length, "overlap": length - stride, "start_time": start},
        {"duration": length, "stride": stride, "start": start},
    )


@given(recordings, st.integers(1, 90), st.integers(0, 100), st.integers(101, 700))
def test_frames_of_time_between(events: Any, length: int, start: int, stop: int) -> None:
    for partial in (False, True):
        equal_frames(
            events,
            {"time_window": length, "start_time": start, "end_time": stop,
             "include_incomplete": partial},
            {"duration": length, "start": start, "stop": stop, "partial": partial},
        )  # fmt: skip


@given(recordings, st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_frames_of_counts(events: Any, length: int, stride: int, partial: bool) -> None:
    stride = min(stride, length)
    equal_frames(
        events,
        {"event_count": length, "overlap": length - stride, "include_incomplete": partial},
        {"count": length, "stride": stride, "partial": partial},
    )


@given(recordings, st.integers(1, 20))
def test_frames_of_bins(events: Any, bins: int) -> None:
    if int(events["t"][-1] - events["t"][0]) >= bins:
        equal_frames(events, {"n_time_bins": bins}, {"bins": bins})
    if len(events) >= bins:
        equal_frames(events, {"n_event_bins": bins}, {"event_bins": bins})


def test_the_tail_of_a_second_is_dropped() -> None:
    events = some(np.arange(0, 1_000_000, 33), 1)
    events["t"][-1] = 999_999
    assert len(to_frames(events, resolution=SENSOR, duration=10_000)) == 99
    equal_frames(events, {"time_window": 10_000}, {"duration": 10_000})
    partial = {"duration": 10_000, "partial": True}
    equal_frames(events, {"time_window": 10_000, "include_incomplete": True}, partial)


@given(recordings)
def test_images(events: Any) -> None:
    assert np.array_equal(to_image(events, resolution=SENSOR), tonic("ToImage", events))


@given(recordings, st.integers(1, 12))
def test_voxel_grids(events: Any, bins: int) -> None:
    signed = events.astype(SIGNED)
    if events["t"][0] == events["t"][-1]:
        return
    expected = tonic("ToVoxelGrid", signed, n_time_bins=bins)
    exact = to_voxel_grid(events, bins, resolution=SENSOR, dtype="float64")
    assert exact.dtype == expected.dtype
    np.testing.assert_allclose(exact, expected, rtol=0, atol=1e-12)
    single = to_voxel_grid(events, bins, resolution=SENSOR)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=0, atol=1e-5)


@given(recordings, st.integers(1, 90), st.floats(1, 1000))
def test_time_surfaces(events: Any, length: int, tau: float) -> None:
    expected = tonic("ToTimesurface", events, dt=length, tau=tau)
    exact = to_time_surface(events, length, tau, resolution=SENSOR, dtype="float64")
    assert exact.dtype == expected.dtype
    np.testing.assert_allclose(exact, expected, rtol=1e-12, atol=1e-290)
    single = to_time_surface(events, length, tau, resolution=SENSOR)
    assert single.dtype == np.float32
    assert np.array_equal(single, exact.astype(np.float32))


@given(recordings, st.sampled_from([(1, 1), (3, 1), (4, 3), (10, 5)]), st.integers(1, 300))
def test_averaged_time_surfaces(events: Any, sides: tuple[int, int], window: int) -> None:
    for decay in ("exp", "lin"):
        how = {
            "cell_size": sides[0], "surface_size": sides[1], "time_window": window, "tau": 70,
            "decay": decay,
        }  # fmt: skip
        expected = tonic("ToAveragedTimesurface", events, **how)
        made = to_averaged_time_surface(events, resolution=SENSOR, **how)
        assert made.dtype == expected.dtype
        np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)


# Where tonic is wrong.


def signs(times: Any, polarities: Any, dtype: Any) -> Any:
    events = some(times, 0, dtype)
    events["x"], events["y"], events["p"] = 1, 2, polarities
    return events


def test_voxel_bool() -> None:
    events = signs([0, 0, 1, 9], [True, False, False, True], TONIC)
    theirs = tonic("ToVoxelGrid", events, n_time_bins=2)
    assert theirs.sum() == pytest.approx(3)
    assert to_voxel_grid(events, 2, resolution=SENSOR).sum() == pytest.approx(1 - 1 - 1)


def test_voxel_unsigned() -> None:
    events = signs([0, 0, 1, 9], [1, 0, 0, 1], [*TONIC[:3], ("p", "u1")])
    try:
        theirs = tonic("ToVoxelGrid", events, n_time_bins=2).sum()
    except OverflowError:  # of numpy 2; an older one makes 255 of -1
        theirs = 1 + 2 * 255
    assert theirs > 500
    assert to_voxel_grid(events, 2, resolution=SENSOR).sum() == pytest.approx(-1)


def test_voxel_writes() -> None:
    from tonic.functional import to_voxel_grid_numpy

    events = some([0, 1, 9], 0, SIGNED)
    events["p"] = 0
    before = events.copy()
    to_voxel_grid(events, 2, resolution=SENSOR)
    assert np.array_equal(events, before)
    to_voxel_grid_numpy(events, (*SENSOR, 2), 2)
    assert not np.array_equal(events, before)


def test_voxel_one_time() -> None:
    events = signs([7, 7, 7], [1, 1, 0], SIGNED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(tonic("ToVoxelGrid", events, n_time_bins=2)).any()
    assert to_voxel_grid(events, 2, resolution=SENSOR)[:, 0, 2, 1].tolist() == [1, 0]


def test_wraps() -> None:
    events = signs(np.arange(40_000), True, TONIC)
    assert tonic("ToFrame", events, n_event_bins=1).min() == 40_000 - 65_536
    with pytest.raises(ArgumentError, match="x 1, y 2, channel 1 of frame 0"):
        to_frames(events, resolution=SENSOR, event_bins=1)
    held = to_frames(events, resolution=SENSOR, event_bins=1, overflow="saturate")
    assert held.max() == 32_767
    wide = to_frames(events, resolution=SENSOR, event_bins=1, dtype="int32")
    assert wide.max() == 40_000


def test_merged() -> None:
    events = some(np.arange(50), 0)
    with pytest.raises(ValueError, match="Single polarity"):
        tonic("ToFrame", events, polarities=1, n_event_bins=1)
    on = events.copy()
    on["p"] = True
    transforms.ToFrame(sensor_size=(*SENSOR, 1), n_event_bins=1)(on)
    assert not on["p"].any()  # the caller's own
    both = to_frames(events, resolution=SENSOR, event_bins=1)
    merged = to_frames(events, resolution=SENSOR, event_bins=1, kind="merged")
    assert np.array_equal(merged, both.sum(axis=1, keepdims=True))


def test_steps_back() -> None:
    events = some([0, 25, 11, 5, 30], 0)
    made = to_frames(events, resolution=SENSOR, duration=10).sum(axis=(1, 2, 3))
    assert made.tolist() == [2, 1, 1]
    theirs = tonic("ToFrame", events, time_window=10).sum(axis=(1, 2, 3))
    assert theirs.tolist() != made.tolist()


def test_last_lost() -> None:
    events = some([0, 5, 20], 0)
    assert tonic("ToFrame", events, time_window=10, include_incomplete=True).sum() == 2
    made = to_frames(events, resolution=SENSOR, duration=10, partial=True)
    assert made.sum(axis=(1, 2, 3)).tolist() == [2, 0, 1]


def test_short() -> None:
    events = some([0, 1, 2], 0)
    assert tonic("ToFrame", events, n_time_bins=5).sum() == 0
    made = to_frames(events, resolution=SENSOR, bins=5)
    assert made.sum(axis=(1, 2, 3)).tolist() == [1, 1, 1, 0, 0]


def test_few() -> None:
    events = some([0, 1, 2], 0)
    assert tonic("ToFrame", events, n_event_bins=5).sum() == 0
    made = to_frames(events, resolution=SENSOR, event_bins=5)
    assert made.sum(axis=(1, 2, 3)).tolist() == [1, 1, 1, 0, 0]


def test_nothing() -> None:
    events = some([], 0)
    theirs = tonic("ToFrame", events, time_window=10)
    assert (theirs.dtype, theirs.shape) == (np.float64, (1, 2, 9, 6))
    made = to_frames(events, resolution=SENSOR, duration=10)
    assert (made.dtype, made.shape) == (np.int16, (1, 2, 6, 9))


def test_negative() -> None:
    events = some([0, 1, 2], 0)
    events["x"] = -1
    assert tonic("ToFrame", events, n_event_bins=1)[..., -1].sum() == 3
    with pytest.raises(ArgumentError, match=r"outside the resolution|must lie in 0\.\.65535"):
        to_frames(events, resolution=SENSOR, event_bins=1)


def test_unsigned() -> None:
    events = some([0, 1], 0, [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "?")])
    events["x"], events["y"], events["p"] = [1, 2], 1, 1
    how = {"cell_size": 10, "surface_size": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = tonic("ToAveragedTimesurface", events, **how)
    made = to_averaged_time_surface(events, resolution=SENSOR, **how)
    assert made[0, 1, 1, 0] == pytest.approx(np.exp(-1 / 100) / 2)
    assert theirs[0, 1, 1, 0] == 0


def test_late() -> None:
    """Times of more than 24 bits: to float32, 3 us are 4."""
    events = some([100_000_000, 100_000_003], 0)
    events["x"], events["y"], events["p"] = 1, 1, 1
    how = {"cell_size": 10, "surface_size": 3, "tau": 5}
    theirs = tonic("ToAveragedTimesurface", events, **how)[0, 1, 1, 1]
    made = to_averaged_time_surface(events, resolution=SENSOR, **how)[0, 1, 1, 1]
    assert made == pytest.approx(1 + np.exp(-3 / 5) / 2)
    assert abs(theirs - made) > 0.01


def test_events_and_arrays_are_one() -> None:
    array = some(np.arange(30), 3)
    events = Events.from_structured(array, SENSOR)
    for made, of_array in (
        (to_voxel_grid(events, 3), to_voxel_grid(array, 3, resolution=SENSOR)),
        (to_time_surface(events, 5, 9), to_time_surface(array, 5, 9, resolution=SENSOR)),
        (to_averaged_time_surface(events), to_averaged_time_surface(array, resolution=SENSOR)),
    ):
        assert np.array_equal(made, of_array)
