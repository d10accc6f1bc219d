"""Recorded events as another sensor would have given them."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bits

_S11 = np.uint64(11)
_ALL = 1 << 53


@kernel
def move_along(column: Any, first: Any, step: Any, size: Any, out: Any, inside: Any) -> None:
    """Columns, or rows, to ``first + step * column``; those not in 0 .. size - 1 are outside."""
    out, inside = out[: column.size], inside[: column.size]
    for i in range(column.size):
        moved = first + step * np.int32(column[i])
        out[i] = moved
        inside[i] &= (moved >= 0) & (moved < size)


@kernel
def overlay(
    x: Any, y: Any, corner: Any, width: int, height: int,
    seed: int, first: int, share: int, to_x: Any, to_y: Any, keep: Any,
) -> None:  # fmt: skip
    """Crop and mirror, and keep a share (of 2**53) of the events; ``first`` is the first's number.

    ``corner``: where column 0 goes and where the next ones lie from there, -1 or 1; then of rows.
    """
    if share >= _ALL:
        for i in range(keep.size):
            keep[i] = 1
    else:
        for i in range(keep.size):
            keep[i] = np.int64(bits(seed, first + i) >> _S11) < share
    move_along(x, np.int32(corner[0]), np.int32(corner[1]), np.int32(width), to_x, keep)
    move_along(y, np.int32(corner[2]), np.int32(corner[3]), np.int32(height), to_y, keep)
