"""Side streams selected by their times, and handed out beside events.

A stream is a table of columns; what belongs to a time has a column ``t``, what lasts from one time
to another ``t_start`` and ``t_stop``. The pixels of ``images`` lie in ``image_bytes``, one image
after the other, and follow them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats.sides import Sides, Table, rows_of
from evstore.selection import Selection

IMAGES, IMAGE_BYTES = "images", "image_bytes"

#: Bytes of pixels that are handed out at once, or one image; a larger one no camera has.
PIXELS_AT_ONCE = 4 << 20
LARGEST_IMAGE = 1 << 30

Pixels = Callable[[int, int], NDArray[np.uint8]]

_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1

_PLACE = " place"  # a column beside those of images: where the pixels start


def has_times(columns: Container[str]) -> bool:
    """Whether rows of such columns belong to a time, or to the times from one to another."""
    return "t" in columns or ("t_start" in columns and "t_stop" in columns)


def meets(table: Table, start: int | None, stop: int | None) -> NDArray[np.bool_]:
    """Which rows belong to the times [start, stop), None being without an end; needs `has_times`.

    Intervals belong to it that share a microsecond with it; an empty one is the instant at its
    start.
    """
    if "t" in table:
        first = last = table["t"]
    else:
        first, ends = table["t_start"], table["t_stop"]
        last = np.where(ends > first, ends - 1, first)
    keep = np.ones(len(first), np.bool_)
    if start is not None:
        keep &= last >= start
    if stop is not None:
        keep &= first < stop
    if start is not None and stop is not None and start >= stop:
        keep[:] = False
    return keep


def clipped(table: Table, start: int | None, stop: int | None) -> Table:
    """The table, its intervals cut to the times [start, stop), which they meet."""
    if "t" in table or not has_times(table):
        return table
    first, last = table["t_start"], table["t_stop"]
    if start is not None:
        first = np.maximum(first, min(max(start, _LEAST), _GREATEST))
    if stop is not None:
        last = np.minimum(last, min(max(stop, _LEAST), _GREATEST))
    return {**table, "t_start": first, "t_stop": last}


def selected(sides: Sides, selection: Selection) -> Sides:
    """Rows within the times of an absolute selection; streams without any are left out.

    By time only: they have no place, or it means another thing. Intervals that lie partly within
    are cut there: a label says nothing of times that are not in the recording.
    """
    start, stop = selection.start, selection.stop
    if start is None and stop is None:
        return {stream: table for stream, table in sides.items() if rows_of(table)}
    keep = {name: meets(table, start, stop) for name, table in sides.items() if has_times(table)}
    found = _picked(sides, keep)
    return {stream: clipped(table, start, stop) for stream, table in found.items()}


def _picked(sides: Sides, which: dict[str, NDArray[Any]]) -> Sides:
    """The rows that masks choose, and the pixels of the images among them."""
    found = {
        stream: {name: column[which[stream]] for name, column in table.items()}
        for stream, table in sides.items()
        if stream in which and which[stream].any()
    }
    if IMAGES in found and IMAGE_BYTES in sides:
        sizes = sides[IMAGES]["size"]
        octets = np.repeat(which[IMAGES], sizes)
        found[IMAGE_BYTES] = {"value": sides[IMAGE_BYTES]["value"][octets]}
    return found


class InOrder:
    """Side streams handed out beside events, as far as memory should hold them at once.

    ``streams`` gives the tables of each stream one after the other, ``pixels`` a range of the
    images' bytes. Intervals come at their start, cut to the times that are chosen. Streams whose
    rows have no time are left out; ``left_out`` counts them.
    """

    def __init__(self, streams: dict[str, Iterator[Table]], pixels: Pixels, chosen: Selection):
        with_pixels = IMAGES in streams and IMAGE_BYTES in streams
        given = {
            k: tables for k, tables in streams.items() if not (with_pixels and k == IMAGE_BYTES)
        }
        self._pixels = pixels
        self._rows = {
            name: _Rows(with_places(tables) if name == IMAGES and with_pixels else tables, chosen)
            for name, tables in given.items()
        }

    @property
    def left_out(self) -> dict[str, int]:
        """Rows without a time that were met so far, by stream."""
        return {name: rows.left_out for name, rows in self._rows.items() if rows.left_out}

    def until(self, t: int | None) -> Iterator[tuple[int | None, Sides]]:
        """The next rows up to time ``t`` (None: all that are left), in pieces.

        Each comes with the time that it reaches, the last with ``t``. Rows keep their order where
        their times step back: they come with the latest time before them.
        """
        while True:
            ends = [end for rows in self._rows.values() if (end := rows.end()) is not None]
            cut = min((end for end in ends if t is None or end <= t), default=None)
            met = {name: rows.take(t if cut is None else cut) for name, rows in self._rows.items()}
            yield (t if cut is None else cut), self._with_pixels(met)
            if cut is None:
                return

    def _with_pixels(self, met: Sides) -> Sides:
        found = {name: table for name, table in met.items() if table and rows_of(table)}
        if _PLACE in found.get(IMAGES, ()):
            images = dict(found[IMAGES])
            places = images.pop(_PLACE)
            runs = list(_runs(places, places + images["size"]))
            parts = [self._pixels(start, stop) for start, stop in runs]
            value = np.concatenate(parts)
            if value.size != images["size"].sum():
                raise CorruptError("the images' pixels are not all there", got=value.size)
            found = {**found, IMAGES: images, IMAGE_BYTES: {"value": value}}
        return found


class _Rows:
    """The rows of one stream that are still to come."""

    def __init__(self, tables: Iterator[Table], chosen: Selection) -> None:
        self.left_out = 0  # rows that have no time
        self._tables = tables
        self._start, self._stop = chosen.start, chosen.stop
        self._table: Table = {}
        self._latest = np.empty(0, np.int64)  # the greatest time up to each row
        self._at = 0

    def end(self) -> int | None:
        """The latest time of the rows at hand; None where there are no more."""
        while self._at == len(self._latest):
            table = next(self._tables, None)
            if table is None:
                return None
            if not has_times(table):
                self.left_out += rows_of(table)
                continue
            kept = meets(table, self._start, self._stop)
            met = {name: column[kept] for name, column in table.items()}
            self._table = clipped(met, self._start, self._stop)
            times = self._table["t" if "t" in table else "t_start"]
            before = self._latest[-1:]
            self._latest = np.maximum.accumulate(np.append(before, times))[before.size :]
            self._at = 0
        return int(self._latest[-1])

    def take(self, t: int | None) -> Table:
        """The rows at hand up to a time."""
        start, stop = self._at, len(self._latest)
        if t is not None:
            stop = max(start, int(np.searchsorted(self._latest, t, "right")))
        self._at = stop
        return {name: column[start:stop] for name, column in self._table.items()}


def with_places(tables: Iterator[Table]) -> Iterator[Table]:
    """Tables of images, each with where its pixels are: so many that these fit into memory.

    Raises CorruptError for sizes that cannot be.
    """
    place = 0
    for table in tables:
        if "size" not in table:
            raise CorruptError("images without their sizes", field="size")
        sizes = table["size"].astype(np.int64)
        if sizes.size and (sizes.min() < 0 or sizes.max() > LARGEST_IMAGE):
            raise CorruptError("an image of a size that cannot be", field="size")
        ends = place + np.cumsum(sizes)
        start = 0
        while start < len(ends):
            limit = ends[start] - sizes[start] + PIXELS_AT_ONCE
            stop = max(start + 1, int(np.searchsorted(ends, limit, "right")))
            piece = {name: column[start:stop] for name, column in table.items()}
            yield {**piece, _PLACE: (ends - sizes)[start:stop]}
            start = stop
        place = int(ends[-1]) if len(ends) else place


def _runs(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges that follow each other, as one."""
    cuts = [0, *(np.flatnonzero(starts[1:] != stops[:-1]) + 1), len(starts)]
    for first, last in pairwise(cuts):
        yield int(starts[first]), int(stops[last - 1])
