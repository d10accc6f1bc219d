"""Time surfaces: how long ago each pixel fired, of the whole sensor, or averaged by cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evstore.errors import ArgumentError
from evstore.frames.bands import bands_of, pixels_held
from evstore.frames.columns import Columns, columns_of
from evstore.frames.faults import wrong_events
from evstore.frames.output import output
from evstore.frames.spec import Frames

LAST_TIME = (1 << 63) - 1


def to_time_surface(
    events: Any,
    duration: int,
    tau: float,
    *,
    resolution: tuple[int, int] | None = None,
    dtype: DTypeLike = np.float32,
    out: Any = None,
) -> NDArray[Any]:
    """``exp(-age / tau)`` of each pixel's last event: (surfaces, 2, height, width).

    As tonic's ToTimesurface: one every ``duration`` microseconds, from the first event on as
    frames are. The age is that at the end of its interval, in microseconds as ``tau`` is. Pixels
    that never fired are 0, and so is what is less than 1e-300. float32 or float64; calculated in
    float64. Where times step back, a pixel's last event is the one with the greatest time.
    ``events`` and ``resolution`` as for `to_frames`, but no tensors.

    Raises ArgumentError for events outside the resolution, and for a duration or tau below 1
    microsecond or not above 0.

    Lagorce et al. 2016, https://doi.org/10.1109/TPAMI.2016.2574707.

    >>> from evstore.events import Events
    >>> events = Events([0, 5, 10], [0, 0, 0], [0, 0, 0], [1, 0, 1], (1, 1))
    >>> to_time_surface(events, duration=10, tau=5 / np.log(2), dtype="float64").ravel().round(6)
    array([0.5 , 0.25])
    """
    _check_positive(tau=tau)
    wanted = _floats(dtype)
    columns = columns_of(events, resolution)
    ordered = not columns.t.size or columns.t[0] <= columns.t[-1]
    if ordered:
        surfaces = _by_bands(columns, duration, float(tau), wanted, out)
        if surfaces is not None:
            return surfaces
    return _plain(columns, duration, float(tau), wanted, out)


def _by_bands(
    columns: Columns, duration: int, tau: float, wanted: np.dtype[Any], out: Any
) -> NDArray[Any] | None:
    """Surfaces of events in order of time, which is seen on the way; or None."""
    if not columns.t.size:
        return None
    from evstore.frames import surface_kernels as kernels

    t, x, y, p, (width, height) = columns
    last = int(t[-1])
    starts, stops = Frames(duration=duration).edges(int(t[0]), last + 1, t.size)
    if not len(starts) or last == LAST_TIME:
        return None
    bands = bands_of(columns, np.concatenate([starts[:1], stops, [last + 1]]), in_order=True)
    if bands is None:
        return None
    surfaces = output((len(starts), 2, height, width), wanted, out)
    held, stride = pixels_held(columns)
    decay = _decay(2 * held, 2 * stride, duration, tau)
    wrong = kernels.surfaces(t, x, y, p, bands, decay, surfaces.reshape(-1))
    return None if wrong else surfaces


def _plain(
    columns: Columns, duration: int, tau: float, wanted: np.dtype[Any], out: Any
) -> NDArray[Any]:
    from evstore.frames import surface_kernels as kernels

    columns = columns if columns.together else columns.copied()
    starts, stops = Frames(duration=duration).edges(*columns.extent(), columns.t.size)
    t, x, y, p, (width, height) = _in_order(columns)
    surfaces = output((len(starts), 2, height, width), wanted, out)
    decay = _decay(2 * width * height, 0, duration, tau)
    wrong = kernels.surfaces_plain(
        t, x, y, p, stops, decay, surfaces.reshape(-1), width, height, float(duration)
    )
    if wrong:
        raise wrong_events(x, y, p, columns.resolution)
    return surfaces


def to_averaged_time_surface(
    events: Any,
    *,
    resolution: tuple[int, int] | None = None,
    cell_size: int = 10,
    surface_size: int = 5,
    time_window: int = 1000,
    tau: float = 100,
    decay: str = "exp",
) -> NDArray[np.float32]:
    """Histograms of averaged time surfaces: (cells, 2, surface_size, surface_size) float32.

    The sensor is divided into cells of ``cell_size`` pixels a side, row by row. Around each event
    lies a surface: 1 for itself, and for each earlier event of its cell and polarity, of the last
    ``time_window`` microseconds, its decay at its place: ``exp(-age / tau)``, or with
    ``decay="lin"`` ``1 - age / (3 * tau)``. Those of a cell and polarity are averaged. Defaults and
    rules as tonic's ToAveragedTimesurface. ``events`` and ``resolution`` as for `to_frames`, but
    no tensors.

    Raises ArgumentError for events outside the resolution, a surface that is larger than a cell or
    has no middle, and values that are not above 0.

    Sironi et al. 2018 (HATS), https://arxiv.org/abs/1803.07913.

    >>> from evstore.events import Events
    >>> events = Events([0, 10], [0, 1], [0, 0], [1, 1], (4, 4))
    >>> made = to_averaged_time_surface(events, cell_size=4, surface_size=3, tau=10 / np.log(2))
    >>> made.shape, made[0, 1].round(3).tolist()
    ((1, 2, 3, 3), [[0.0, 0.0, 0.0], [0.25, 1.0, 0.0], [0.0, 0.0, 0.0]])
    """
    _check_positive(tau=tau, time_window=time_window, cell_size=cell_size)
    if surface_size % 2 != 1 or not 1 <= surface_size <= cell_size:
        raise ArgumentError(
            f"surface_size must be odd and at most cell_size ({cell_size}), got {surface_size}"
        )
    if decay not in ("exp", "lin"):
        raise ArgumentError(f"decay must be exp or lin, got {decay!r}")
    from evstore.frames import averaged_kernels as kernels

    columns = columns_of(events, resolution)
    t, x, y, p, (width, height) = columns
    if kernels.fault(x, y, p, width, height):
        raise wrong_events(x, y, p, columns.resolution)
    across, down = math.ceil(width / cell_size), math.ceil(height / cell_size)
    ends = np.zeros(2 * across * down + 1, np.int64)
    order = np.empty(t.size, np.int64)
    kernels.group(x, y, p, cell_size, across, ends, order)
    made = np.zeros((across * down, 2, surface_size, surface_size), np.float64)
    kernels.average(
        t, x, y, order, ends, made.reshape(-1), surface_size, time_window, float(tau),
        decay == "exp",
    )  # fmt: skip
    return made.astype(np.float32)


def _decay(size: int, stride: int, duration: int, tau: float) -> Any:
    from evstore.frames import surface_kernels as kernels

    fine = np.empty(kernels.FINE)
    coarse = np.empty(min(duration // kernels.FINE + 1, kernels.COARSE))
    kernels.decay_tables(tau, fine, coarse)
    return kernels.Decay(
        state=np.zeros(size),
        fine=fine,
        coarse=coarse,
        tau=tau,
        stride=stride,
    )


def _in_order(columns: Columns) -> Columns:
    """The events by time; those of one time as they come."""
    from evstore.frames.time_kernels import steps_back

    if not steps_back(columns.t):
        return columns
    order = np.argsort(columns.t, kind="stable")
    t, x, y, p, resolution = columns
    return Columns(t[order], x[order], y[order], p[order], resolution)


def _floats(dtype: DTypeLike) -> np.dtype[Any]:
    wanted = np.dtype(dtype)
    if wanted.name not in ("float32", "float64"):
        raise ArgumentError(f"dtype must be float32 or float64, got {wanted}")
    return wanted


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0 or math.isinf(value):
            raise ArgumentError(f"{name} must be above 0, got {value}")
