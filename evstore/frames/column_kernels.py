"""Columns that lie apart, as those of a structured array do, brought together piece by piece."""

from __future__ import annotations

from typing import Any, NamedTuple

from evstore.frames.vector_unpack import unpack_steps
from evstore.jit import kernel

PIECE = 1024  # events: a piece of all four columns stays in the first cache


class Piece(NamedTuple):
    """Room for PIECE values of each column, or for more."""

    t: Any
    x: Any
    y: Any
    p: Any
    picks: Any  # what `unpack_steps` works with


@kernel
def gather(column: Any, to: Any) -> None:
    """The values of one column. From 0 on: of an index that might be negative LLVM makes no
    vector code."""
    for k in range(column.size):
        to[k] = column[k]


@kernel
def unpack(t: Any, x: Any, y: Any, p: Any, piece: Any) -> None:
    """The values of columns of one length, at most the piece's; a loop each is fastest."""
    done = unpack_steps(t, x, y, p, piece, piece.picks)
    gather(t[done:], piece.t[done:])
    gather(x[done:], piece.x[done:])
    gather(y[done:], piece.y[done:])
    gather(p[done:], piece.p[done:])
