"""Columns that lie apart, as those of a structured array do, brought together piece by piece."""

from __future__ import annotations

from typing import Any, NamedTuple

from evstore.jit import kernel

PIECE = 1024  # events: a piece of all four columns stays in the first cache


class Piece(NamedTuple):
    """Room for PIECE values of each column, or for more."""

    t: Any
    x: Any
    y: Any
    p: Any


@kernel
def gather(column: Any, to: Any) -> None:
    """The values of one column."""
    for k in range(column.size):
        to[k] = column[k]


@kernel
def unpack(t: Any, x: Any, y: Any, p: Any, piece: Any) -> None:
    """The values of columns of one length, at most the piece's; a loop each is fastest."""
    gather(t, piece.t)
    gather(x, piece.x)
    gather(y, piece.y)
    gather(p, piece.p)
