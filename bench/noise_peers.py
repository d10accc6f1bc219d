"""The filters of other packages, each run on one recording: what they keep, in what they hold."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.events import Events

#: tonic's dtype.
TONIC = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
PACKAGES = ("tonic", "eventcv", "dv_processing")

#: Of a window in microseconds which events are kept.
Kept = Callable[[int], NDArray[np.bool_]]


def absent() -> list[str]:
    """Those that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def tonic_transforms() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tonic.transforms
    return tonic.transforms


def eventcv_rows(events: Events) -> NDArray[np.int64]:
    """The array that it takes and gives."""
    return np.stack([getattr(events, name).astype(np.int64) for name in "xytp"], axis=1)


def eventcv_stream(rows: NDArray[np.int64], resolution: tuple[int, int]) -> Any:
    import eventcv

    return eventcv.from_numpy(rows, sensor_size=resolution, time_unit="us")


def dv_store(events: Events) -> Any:
    import dv_processing as dv

    store = dv.EventStore()
    for t, x, y, p in zip(*(getattr(events, name).tolist() for name in "txyp"), strict=True):
        store.push_back(t, x, y, bool(p))
    return store


def dv_filter(name: str, argument: str, resolution: tuple[int, int], window_us: int) -> Any:
    import dv_processing as dv

    window = datetime.timedelta(microseconds=window_us)
    return getattr(dv.noise, name)(resolution, **{argument: window})


def dv_band_cut(resolution: tuple[int, int], low_hz: float, high_hz: float) -> Any:
    """Drops what comes so soon after the event before of its pixel; of all the nearest to ours."""
    import dv_processing as dv

    return dv.noise.BandCutFilter(resolution, low_hz, high_hz)


def filtered(filter: Any, store: Any) -> Any:
    filter.accept(store)
    return filter.generateEvents()


def denoisers(events: Events) -> Iterator[tuple[str, Kept]]:
    """Those that are installed, by name."""
    assert events.resolution is not None
    size = events.resolution
    if find_spec("tonic"):
        array, transforms = events.to_structured(TONIC), tonic_transforms()

        def denoise(window_us: int) -> NDArray[np.bool_]:
            found = transforms.Denoise(filter_time=window_us)(array)
            return among(events, found["t"], found["x"], found["y"], found["p"])

        yield "tonic Denoise", denoise
    if find_spec("eventcv"):
        stream = eventcv_stream(eventcv_rows(events), events.resolution)

        def activity(window_us: int) -> NDArray[np.bool_]:
            x, y, t, p = stream.background_activity_filter(window_us).numpy().T
            return among(events, t, x, y, p)

        yield "eventcv background_activity_filter", activity
    if find_spec("dv_processing"):
        store = dv_store(events)
        for name, argument in (
            ("BackgroundActivityNoiseFilter", "backgroundActivityDuration"),
            ("FastDecayNoiseFilter", "halfLife"),
        ):

            def decided(
                window_us: int, name: str = name, argument: str = argument
            ) -> NDArray[np.bool_]:
                found = filtered(dv_filter(name, argument, size, window_us), store).numpy()
                return among(events, found["timestamp"], found["x"], found["y"], found["polarity"])

            yield f"dv_processing {name}", decided


def among(events: Events, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
    """Which events are among those found; equal ones are taken for one."""

    def keys(t: Any, x: Any, y: Any, p: Any) -> NDArray[np.int64]:
        columns = [np.asarray(column).astype(np.int64) for column in (t, x, y, p)]
        return ((columns[0] << 24) + (columns[1] << 12) + columns[2]) * 2 + columns[3]

    return np.isin(keys(events.t, events.x, events.y, events.p), keys(t, x, y, p))
