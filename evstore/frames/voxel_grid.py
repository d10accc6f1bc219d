"""The voxel grid: signs of events, shared between the two nearest of a few times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evstore.errors import ArgumentError
from evstore.frames.columns import Columns, columns_of, is_tensors, piece
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
    columns = columns_of(events, resolution)
    width, height = columns.resolution
    grid = output((bins, 1, height, width), wanted, out)
    wrong = _fill(columns, grid, scale)
    if wrong:
        raise wrong_events(columns.x, columns.y, columns.p, columns.resolution)
    return grid


def _fill(columns: Columns, made: NDArray[Any], scale: float) -> int:
    from evstore.frames import voxel_kernels as kernels
    from evstore.frames.column_kernels import PIECE

    t, x, y, p, (width, height) = columns
    made.fill(0)
    # Columns that lie apart are read once: that times do not step back is seen on the way.
    guess = not columns.together and t[0] <= t[-1]
    least, stop = (int(t[0]), int(t[-1]) + 1) if guess else columns.extent()
    grid = kernels.Grid(
        cells=made.reshape(-1),
        parts=np.empty(PIECE),
        places=np.empty(PIECE, np.int64),
        width=width,
        height=height,
        least=least,
        scale=scale,
        span=float(max(1, stop - 1 - least)),
    )
    if not guess:
        return int(kernels.fill(t, x, y, p, grid))
    wrong = int(kernels.fill_apart(t, x, y, p, grid, piece()))
    return _fill(columns.copied(), made, scale) if wrong == kernels.STEPS_BACK else wrong
