"""Filters give what tonic's transforms and eventcv's filters give, where these say the same."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from evstore import Events
from evstore.noise import ActivityFilter, Decimation, Refractory
from test_noise_filters import DTYPES, SIZE, make

TONIC = DTYPES[1]


@pytest.fixture(scope="module")
def transforms() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("tonic.transforms")


def expect_equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("first", [0, 1, 5_000_000])
@pytest.mark.parametrize("filter_time", [1, 60, 500, 10_000])
def test_denoise(transforms: Any, first: int, filter_time: int, seed: int) -> None:
    """From the first event on: tonic begins as if all pixels had been active at time 0."""
    array = make(np.random.default_rng(seed), 2000, first=first).to_structured(TONIC)
    theirs = transforms.Denoise(filter_time=filter_time)(array)
    expect_equal(ActivityFilter(filter_time, 4, start="active")(array), theirs)
    quiet = ActivityFilter(filter_time, 4)(array)
    if first >= filter_time:
        expect_equal(quiet, theirs)
    expect_equal(quiet[quiet["t"] >= filter_time], theirs[theirs["t"] >= filter_time])


@pytest.mark.parametrize("period", [0, 1, 700, 20_000])
def test_refractory_period(transforms: Any, period: int, seed: int) -> None:
    array = make(np.random.default_rng(seed), 2000, first=1).to_structured(TONIC)
    array = array[array["t"] > 0]
    theirs = transforms.RefractoryPeriod(delta=period)(array)
    expect_equal(Refractory(period, restart="all")(array), theirs)


def test_refractory_period_of_time_0(transforms: Any) -> None:
    """The one difference: tonic drops what comes first at time 0."""
    array = Events([0, 0, 900], [1, 2, 1], [1, 1, 1], [1, 1, 1]).to_structured(TONIC)
    assert transforms.RefractoryPeriod(delta=100)(array)["t"].tolist() == [900]
    assert Refractory(100, restart="all")(array)["t"].tolist() == [0, 0, 900]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_decimation(transforms: Any, n: int, seed: int) -> None:
    array = make(np.random.default_rng(seed), 2000).to_structured(TONIC)
    expect_equal(Decimation(n)(array), transforms.Decimation(n=n)(array))


def test_in_tonics_compose(transforms: Any, seed: int) -> None:
    array = make(np.random.default_rng(seed), 500).to_structured(TONIC)
    both = transforms.Compose([Refractory(300), transforms.Decimation(n=2)])
    expect_equal(both(array), Decimation(2)(Refractory(300)(array)))


@pytest.mark.parametrize(
    ("ours", "name", "theirs"),
    [
        (ActivityFilter(61), "background_activity_filter", {"dt": 60}),
        (ActivityFilter(61, 4), "background_activity_filter", {"dt": 60, "neighbourhood": "cross"}),
        (Refractory(699), "refractory_filter", {"dt": 700}),
        (Refractory(699, restart="all"), "refractory_filter", {"dt": 700, "refresh": "all"}),
        (Decimation(7, by="stream"), "decimate", {"k": 7}),
    ],
    ids=str,
)
def test_eventcv(ours: Any, name: str, theirs: dict[str, Any], seed: int) -> None:
    eventcv = pytest.importorskip("eventcv")
    events = make(np.random.default_rng(seed), 5000)
    rows = np.stack([getattr(events, c).astype(np.int64) for c in "xytp"], axis=1)
    stream = eventcv.from_numpy(rows, sensor_size=SIZE, time_unit="us")
    found = getattr(stream, name)(**theirs).numpy()
    expected = Events(found[:, 2], found[:, 0], found[:, 1], found[:, 3])
    assert ours(events) == expected
