"""The voxel grid: signs of events, shared between the two nearest of a few times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from evstore.errors import ArgumentError
from evstore.frames.columns import columns_of, is_tensors
from evstore.frames.faults import wrong_events
from evstore.frames.output import output

MAX_BINS = 1 << 20


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
    scale = float(bins - 1 if to_last else bins)
    if is_tensors(events):
        from evstore.frames import tensors

        return tensors.voxel_grid(events, bins, scale, resolution, wanted, out)
    from evstore.frames.voxel_kernels import fill

    columns = columns_of(events, resolution)
    t, x, y, p, (width, height) = columns
    grid = output((bins, 1, height, width), wanted, out)
    grid.fill(0)
    t_start, t_stop = columns.extent()
    span = float(max(1, t_stop - 1 - t_start))
    wrong = fill(t, x, y, p, grid.reshape(-1), bins, width, height, t_start, scale, span)
    if wrong:
        raise wrong_events(x, y, p, columns.resolution)
    return grid
