"""Rows of a side stream by their times, of a stream that lies in pieces.

Pieces know how many rows they have, not of what times these are. So the first question reads the
whole stream once, a piece at a time, and keeps the least and the greatest time of each; later ones
read the pieces that they touch. The last piece stays at hand: windows follow each other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from evstore.errors import ArgumentError
from evstore.formats.sides import Table, joined
from evstore.recording.sides import has_times, meets


def rows_between(stream: str, table: Table, start: int, stop: int) -> Table:
    """The rows with ``start <= t < stop``, or whose intervals share a microsecond with these times.

    Raises ArgumentError for a stream whose rows have no time.
    """
    check_times(stream, table)
    keep = meets(table, start, stop)
    return {name: column[keep] for name, column in table.items()}


def check_times(stream: str, table: Table) -> None:
    """Raises ArgumentError for a stream whose rows have no time."""
    if not has_times(table):
        raise ArgumentError(
            f"side stream {stream!r} has no times (t, or t_start and t_stop): "
            f"its columns are {', '.join(table)}"
        )


class _Piece(NamedTuple):
    """Rows ``first <= i < last`` of a stream, and the times that they reach over."""

    first: int
    last: int
    least: int
    greatest: int
    ordered: bool  # by t


class RowsInTime:
    """One stream. ``read`` gives the rows ``start <= i < stop``, ``rows`` how many a piece has.

    Threads may share it.
    """

    def __init__(self, stream: str, read: Callable[[int, int], Table], rows: Sequence[int]) -> None:
        self._stream = stream
        self._read = read
        self._rows = rows
        self._pieces: list[_Piece] | None = None
        self._none: Table = {}  # the columns, without rows
        self._held: tuple[int, Table] | None = None  # the last piece that was read

    def between(self, start: int, stop: int) -> Table:
        """A fresh table of the rows of these times, in the stream's order; see `rows_between`."""
        pieces = self._pieces if self._pieces is not None else self._survey()
        found = [self._none]
        for number, piece in enumerate(pieces):
            if piece.greatest >= start and piece.least < stop:
                table = self._piece(number, piece)
                if piece.ordered:
                    found.append(_ordered_between(table, start, stop))
                else:
                    found.append(rows_between(self._stream, table, start, stop))
        if len(found) == 2:
            return found[1]
        return joined({self._stream: table} for table in found)[self._stream]

    def _survey(self) -> list[_Piece]:
        ends = [*accumulate(self._rows, initial=0)]
        pieces = []
        for first, last in pairwise(ends):
            table = self._read(first, last)
            check_times(self._stream, table)
            self._none = {name: column[:0].copy() for name, column in table.items()}
            if last > first:
                pieces.append(_Piece(first, last, *_extent(table), _is_ordered(table)))
        self._pieces = pieces
        return pieces

    def _piece(self, number: int, piece: _Piece) -> Table:
        held = self._held
        if held is None or held[0] != number:
            held = self._held = number, self._read(piece.first, piece.last)
        return held[1]


def _is_ordered(table: Table) -> bool:
    return "t" in table and bool((table["t"][1:] >= table["t"][:-1]).all())


def _ordered_between(table: Table, start: int, stop: int) -> Table:
    """What `rows_between` gives where ``t`` ascends."""
    t = table["t"]
    # Not np.searchsorted: times may lie beyond what the column holds.
    first, last = bisect_left(t, start), bisect_left(t, max(start, stop))
    return {name: column[first:last].copy() for name, column in table.items()}


def _extent(table: Table) -> tuple[int, int]:
    """Least and greatest time that a row belongs to (of intervals, their ends too)."""
    if "t" in table:
        return table["t"].min().item(), table["t"].max().item()
    return table["t_start"].min().item(), max(
        table["t_start"].max().item(), table["t_stop"].max().item()
    )
