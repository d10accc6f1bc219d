"""Events that are kept, moved together, to where there is room for as many as there are events."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel
from evstore.noise.vector_kept import move_16, move_kept

U = np.uint64


class ToColumns(NamedTuple):
    """Columns, from and to: the four of events."""

    t: Any
    x: Any
    y: Any
    p: Any
    to_t: Any
    to_x: Any
    to_y: Any
    to_p: Any


class ToLabelled(NamedTuple):
    """The same with labels."""

    columns: ToColumns
    label: Any
    to_label: Any


class ToRecords(NamedTuple):
    """Records of ``size`` bytes: the bytes of all, and room for as many."""

    octets: Any
    size: int
    out: Any


@kernel
def to_columns(target: ToColumns, keep: Any, first: int, count: int) -> Any:
    """How many are kept."""
    stop, end = first + keep.size, count + keep.size
    move_kept(keep, target.x[first:stop], target.to_x[count:end])
    move_kept(keep, target.y[first:stop], target.to_y[count:end])
    move_kept(keep, target.p[first:stop], target.to_p[count:end])
    return move_kept(keep, target.t[first:stop], target.to_t[count:end])


@kernel
def to_labelled(target: ToLabelled, keep: Any, first: int, count: int) -> Any:
    """How many are kept."""
    stop, end = first + keep.size, count + keep.size
    move_kept(keep, target.label[first:stop], target.to_label[count:end])
    return to_columns(target.columns, keep, first, count)


@kernel
def to_records(target: ToRecords, keep: Any, first: int, count: int) -> Any:
    """How many are kept."""
    size = target.size
    octets = target.octets[first * size : (first + keep.size) * size]
    return move_records(keep, octets, size, target.out[count * size : (count + keep.size) * size])


@kernel
def move_records(keep: Any, octets: Any, size: int, out: Any) -> Any:
    """How many are kept. More than each record has is moved, 16 bytes at a time, where it fits.

    Flags are 0 and 1.
    """
    wide = U(size)
    whole = (wide + U(15)) // U(16) * U(16)
    number, limit = U(keep.size), U(min(octets.size, out.size))
    fitting = U(0)
    if limit >= whole:
        fitting = min((limit - whole) // wide + U(1), number)
    at = to = U(0)
    if whole == U(16):
        for i in range(fitting):
            move_16(octets, at, out, to)
            at += wide
            to += wide * U(keep[i])
    else:
        for i in range(fitting):
            for k in range(U(0), whole, U(16)):
                move_16(octets, at + k, out, to + k)
            at += wide
            to += wide * U(keep[i])
    for i in range(fitting, number):
        if keep[i]:
            for k in range(wide):
                out[to + k] = octets[at + k]
            to += wide
        at += wide
    return np.int64(to // wide)
