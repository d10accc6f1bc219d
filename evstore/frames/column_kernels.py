"""Columns that lie apart, as those of a structured array do, brought together piece by piece."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel

PIECE = 4096  # events: a piece of all four columns stays in the first cache


class Piece(NamedTuple):
    """Room for PIECE values of each column."""

    t: Any
    x: Any
    y: Any
    p: Any


@kernel
def unpack(t: Any, x: Any, y: Any, p: Any, piece: Any) -> None:
    """The values of columns of one length, at most PIECE."""
    for k in range(t.size):
        i = np.uint64(k)
        piece.t[i] = t[k]
        piece.x[i] = x[k]
        piece.y[i] = y[k]
        piece.p[i] = p[k]
