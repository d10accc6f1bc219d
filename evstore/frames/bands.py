"""Events by bands of pixels: whether they can be, and room for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.frames.columns import Columns, piece
from evstore.memory import room


def bands_of(columns: Columns, starts: NDArray[np.int64]) -> Any:
    """What `band_kernels.sort_round` fills; None where an interval is too long for it.

    ``starts`` are the times of intervals, and last where the last one ends.
    """
    from evstore.frames import band_kernels as kernels
    from evstore.frames.column_kernels import PIECE

    lengths = np.diff(starts)  # those that do not fit come out negative
    if not 0 <= lengths.min() <= lengths.max() <= kernels.LONGEST:
        return None
    width, height = columns.resolution
    n_bands = -(-width * height // kernels.BAND)
    n_runs = n_bands + min(columns.t.size, kernels.ROUND) // kernels.RUN
    entry = np.dtype(np.uint32 if lengths.max() <= kernels.SHORTEST else np.uint64)
    return kernels.Bands(
        entries=room(entry.itemsize * n_runs * kernels.RUN).view(entry),
        after=np.empty(n_runs, np.int64),
        marks=np.empty(len(starts) * n_bands, np.int64),
        at=np.empty(n_bands, np.int64),
        starts=starts,
        state=np.zeros(kernels.STATE_SIZE, np.int64),
        piece=piece(),
        places=np.empty(PIECE, np.uint32),
        made=np.empty(PIECE, np.uint64),
        width=width,
        height=height,
    )


def pixels_held(columns: Columns) -> tuple[int, int]:
    """For how many pixels numbers are held, and how many there are from band to band.

    For those of one band, where it is done with before the next one begins: 0 from band to band.
    """
    from evstore.frames import band_kernels as kernels

    width, height = columns.resolution
    if columns.t.size <= kernels.ROUND:
        return min(kernels.BAND, width * height), 0
    return width * height, kernels.BAND
