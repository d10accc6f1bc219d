"""Sums over squares of pixels that do not overlap, and back. Planes are flat: (M, H, W)."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

ZERO = np.float32(0.0)


@kernel
def add_row(x: Any, row: Any) -> None:
    """``row += x``."""
    for k in range(row.size):
        row[k] += x[k]


@kernel
def copy_row(x: Any, row: Any) -> None:
    """``row = x``: numba's own assignment allows for both being one."""
    for k in range(row.size):
        row[k] = x[k]


@kernel
def pairs(row: Any, out: Any) -> None:
    """Sums of two neighbours."""
    for k in range(out.size):
        out[k] = row[2 * k] + row[2 * k + 1]


@kernel
def runs(row: Any, out: Any, size: int) -> None:
    """Sums of ``size`` neighbours."""
    for k in range(out.size):
        total = ZERO
        for j in range(size):
            total += row[k * size + j]
        out[k] = total


@kernel
def spread(g: Any, row: Any, size: int) -> None:
    """Each value ``size`` times, then zeros."""
    for k in range(g.size):
        for j in range(size):
            row[k * size + j] = g[k]
    for k in range(g.size * size, row.size):
        row[k] = ZERO


@kernel
def sum_planes(
    x: Any, out: Any, row: Any, size: int, height: int, width: int, first: int, last: int
) -> None:
    """Planes ``first`` to ``last``; ``row`` is room for a row of them."""
    rows, columns = height // size, width // size
    used = row[: columns * size]
    for m in range(first, last):
        for i in range(rows):
            o = (m * height + i * size) * width
            copy_row(x[o : o + used.size], used)
            for j in range(1, size):
                o = (m * height + i * size + j) * width
                add_row(x[o : o + used.size], used)
            at = (m * rows + i) * columns
            if size == 2:
                pairs(used, out[at : at + columns])
            else:
                runs(used, out[at : at + columns], size)


@kernel
def spread_planes(
    g: Any, dx: Any, size: int, height: int, width: int, first: int, last: int
) -> None:
    """The gradient of `sum_planes`: each sum's goes to all pixels of its square."""
    rows, columns = height // size, width // size
    for m in range(first, last):
        top = m * height * width
        for i in range(rows):
            at = (m * rows + i) * columns
            o = top + i * size * width
            row = dx[o : o + width]
            if size == 2:
                spread(g[at : at + columns], row, 2)
            else:
                spread(g[at : at + columns], row, size)
            for j in range(1, size):
                copy_row(row, dx[o + j * width : o + (j + 1) * width])
        for k in range(top + rows * size * width, top + height * width):
            dx[k] = ZERO
