"""The voxel grid: signs of events, shared between the two nearest of a few times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evstore.errors import ArgumentError
from evstore.frames.bands import bands_of, pixels_held
from evstore.frames.columns import Columns, columns_of, is_tensors
from evstore.frames.faults import wrong_events
from evstore.frames.output import output

MAX_BINS = 1 << 20
MOST_SCALED = 1 << 61  # microseconds times bins
LAST_TIME = (1 << 63) - 1


def to_voxel_grid(
    events: Any,
    bins: int,
    *,
    resolution: tuple[int, int] | None = None,
    dtype: DTypeLike = np.float32,
    to_last: bool = False,
    out: Any = None,
) -> Any:
    """Signs (ON +1, OFF -1), bilinear in time: (bins, 1, height, width), float32 or float64.

    The first event lies at bin 0 and the last one at ``bins``, as in tonic's ToVoxelGrid: what
    falls there is lost, so that the last bin has half a share. With ``to_last`` the last event
    lies at the last bin, ``bins - 1``, as in the paper, and nothing is lost. If all times are
    equal, all events lie at bin 0.

    ``events`` and ``resolution`` as for `to_frames`; tensors give a tensor on their device. Raises
    ArgumentError for events outside the resolution.

    Zhu et al. 2019, https://arxiv.org/abs/1812.08156, equations 1 to 3.

    >>> from evstore.events import Events
    >>> events = Events([0, 3, 4], [0, 0, 0], [0, 0, 0], [1, 0, 1], (1, 1))
    >>> to_voxel_grid(events, 2).ravel().tolist()
    [1.0, -0.5]
    >>> to_voxel_grid(events, 2, to_last=True).ravel().tolist()
    [0.75, 0.25]
    """
    if not 1 <= bins <= MAX_BINS:
        raise ArgumentError(f"bins must be in 1..{MAX_BINS:,}, got {bins}")
    wanted = np.dtype(dtype)
    if wanted.name not in ("float32", "float64"):
        raise ArgumentError(f"dtype must be float32 or float64, got {wanted}")
    scale = bins - 1 if to_last else bins
    if is_tensors(events):
        from evstore.frames import tensors

        return tensors.voxel_grid(events, bins, float(scale), resolution, wanted, out)
    columns = columns_of(events, resolution)
    width, height = columns.resolution
    grid = output((bins, 1, height, width), wanted, out)
    wrong = _fill(columns, grid, scale)
    if wrong:
        raise wrong_events(columns.x, columns.y, columns.p, columns.resolution)
    return grid


def _fill(columns: Columns, grid: NDArray[Any], scale: int) -> int:
    """Write a grid; what is wrong with the events, or 0."""
    by_bands = _by_bands(columns, grid.dtype, scale)
    if by_bands is not None:
        from evstore.frames import voxel_kernels as kernels

        t, x, y, p, _ = columns
        bands, work = by_bands
        if not kernels.fill_bands(t, x, y, p, bands, work, len(grid), grid.reshape(-1)):
            return 0
    return _fill_any(columns if columns.together else columns.copied(), grid, float(scale))


def _by_bands(columns: Columns, dtype: np.dtype[Any], scale: int) -> Any:
    """For events in order of time, which is seen on the way; None for times too far apart."""
    least, last = (int(columns.t[0]), int(columns.t[-1])) if columns.t.size else (0, 0)
    span = last - least
    if not 0 < span * scale <= MOST_SCALED or last == LAST_TIME:
        return None
    from evstore.frames import voxel_kernels as kernels

    # One more than bins that are wanted, unless the last event lies at the last one.
    bins = np.arange(scale + 1, dtype=np.int64)
    after_least = -(-bins * span // scale)
    bands = bands_of(columns, np.append(after_least + least, last + 1), in_order=False)
    if bands is None:
        return None
    held, stride = pixels_held(columns)
    work = kernels.Work(
        sums=np.zeros(held, np.int64),
        carry=np.zeros(held),
        more=np.zeros(held),
        used=np.zeros(held // kernels.BLOCK + 1, np.uint8),
        zeros=np.zeros(kernels.BLOCK, dtype),
        per_us=scale / span,
        offsets=(after_least * scale - bins * span) / span,
        stride=stride,
    )
    return bands, work


def _fill_any(columns: Columns, made: NDArray[Any], scale: float) -> int:
    from evstore.frames import voxel_kernels as kernels

    t, x, y, p, (width, height) = columns
    made.fill(0)
    least, stop = columns.extent()
    grid = kernels.Grid(
        cells=made.reshape(-1),
        parts=np.empty(kernels.PIECE),
        places=np.empty(kernels.PIECE, np.int64),
        width=width,
        height=height,
        least=least,
        scale=scale,
        span=float(max(1, stop - 1 - least)),
    )
    return int(kernels.fill(t, x, y, p, grid))
