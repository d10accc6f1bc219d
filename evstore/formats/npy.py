"""NPY: a structured array with t, x, y and p, or an (N, 4) array whose columns are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from evstore.errors import ArgumentError, CorruptError, UnsupportedError
from evstore.events import COLUMNS
from evstore.formats.array_table import Columns, Converter, batches, piece_length, values
from evstore.formats.columns import Layout, named_layout, told_layout
from evstore.formats.npy_header import MAGIC, Header, read_header
from evstore.formats.reading import Batch, Reading, ReadOptions

NAME = "npy"
TITLE = "NPY (structured, or (N, 4) with --columns and --time-unit)"
SUFFIXES = (".npy",)
INPUT_FORMATS = (NAME,)
WRITES = False
SEEKS = False
KEEPS = ()
CHECKED = ("numpy",)
ASKS = ("--columns", "--time-unit")

#: Columns of an unstructured array: t, x, y and p in an order that is told.
ROW_COLUMNS = 4


def probe(head: bytes, size: int | None) -> bool:
    """Whether the first bytes are NPY's."""
    return head.startswith(MAGIC)


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The header now, events lazily.

    Raises ArgumentError for an (N, 4) array without ``--columns`` and ``--time-unit``,
    UnsupportedError for arrays of another kind. One in Fortran order needs a stream that seeks.
    """
    header = read_header(stream)
    array = plan(header, options)
    if not array.by_column:
        pieces = record_pieces(stream, array, options.batch_events)
    elif stream.seekable():
        pieces = column_pieces([stream] * ROW_COLUMNS, array, options.batch_events)
    else:
        raise UnsupportedError(
            "an (N, 4) array in Fortran order keeps its columns apart, and a pipe cannot seek",
            hint="read it from a file",
        )
    dropped: dict[str, int] = {}
    events = _to_the_end(
        stream,
        header,
        batches(pieces, array.converter, array.events, len(array.layout.extra), dropped),
    )
    resolution = array.layout.resolution
    stated = {"events": array.events}
    return Reading(NAME, resolution, events, array.metadata(), header.raw, dropped, stated=stated)


def _to_the_end(stream: BinaryIO, header: Header, events: Iterator[Batch]) -> Iterator[Batch]:
    """``events``, then CorruptError where the file goes on: numpy.save appends to open files."""
    yield from events
    end = len(header.raw) + header.data_bytes
    if header.fortran_order and stream.seekable():
        stream.seek(end)
    if stream.read(1):
        raise CorruptError(
            "the file goes on behind its array", offset=end, hint="it may hold a second array"
        )


@dataclass(frozen=True)
class Array:
    """One array of events: its header, its columns, and how to convert them.

    ``fields`` are what to take of a record, in the order t, x, y, p: names or indices.
    """

    header: Header
    layout: Layout
    converter: Converter
    fields: tuple[Any, ...]

    @property
    def events(self) -> int:
        """How many the header promises."""
        return self.header.shape[0]

    @property
    def rows(self) -> bool:
        """Whether it is an (N, 4) array."""
        return len(self.header.shape) == 2

    @property
    def by_column(self) -> bool:
        """Whether the file keeps its columns one after the other."""
        return self.rows and self.header.fortran_order and self.events > 1

    @property
    def record(self) -> np.dtype[Any]:
        """The dtype of one event."""
        dtype = self.header.dtype
        return np.dtype((dtype, (ROW_COLUMNS,))) if self.rows else dtype

    def metadata(self) -> dict[str, Any]:
        """What of the file's own conventions is worth knowing, as JSON values."""
        found: dict[str, Any] = {"dtype": str(self.header.dtype), "time_unit": self.converter.unit}
        if self.converter.unit_assumed:
            found["time_unit_assumed"] = True
        if not self.rows and self.layout.renamed:
            found["renamed_columns"] = self.layout.renamed
        if self.layout.extra:
            found["extra_columns"] = self.layout.extra
        return found


def plan(header: Header, options: ReadOptions) -> Array:
    """Which column is which. Raises ArgumentError or UnsupportedError where that cannot be said."""
    dtype, shape = header.dtype, header.shape
    if dtype.names is not None and len(shape) == 1:
        if options.columns is None:
            layout = named_layout(dtype.names)
            if layout is None:
                raise ArgumentError(
                    f"the fields {', '.join(dtype.names)!r:.200} do not name t, x, y and p: "
                    "pass --columns (in the fields' order) and --time-unit"
                )
        else:
            told = told_layout(options, len(dtype.names))
            layout = Layout(dtype.names, told.roles)
        fields: tuple[Any, ...] = tuple(layout.name_of(role) for role in COLUMNS)
        dtypes = [dtype[name] for name in fields]
    elif dtype.names is None and len(shape) == 2 and shape[1] == ROW_COLUMNS:
        layout = told_layout(options, ROW_COLUMNS)
        fields = tuple(layout.roles.index(role) for role in COLUMNS)
        dtypes = [dtype] * ROW_COLUMNS
    else:
        raise UnsupportedError(
            "an array that is no table of events",
            expected="a structured array of shape (N,), or (N, 4)",
            got=f"{dtype} of shape {shape}",
        )
    return Array(header, layout, Converter(layout, dtypes, options), fields)


def record_pieces(stream: BinaryIO, array: Array, limit: int) -> Iterator[Columns]:
    """The columns of at most ``limit`` records at a time, until the array or the stream ends."""
    left, whole = array.events, True
    length = piece_length(limit, array.record.itemsize)
    while left and whole:
        wanted = min(left, length)
        records = values(stream, array.record, wanted)
        left, whole = left - len(records), len(records) == wanted
        t, x, y, p = (records[:, f] if array.rows else records[f] for f in array.fields)
        yield t, x, y, p


def column_pieces(streams: Sequence[BinaryIO], array: Array, limit: int) -> Iterator[Columns]:
    """The same from an array in Fortran order, through one stream a column or one for all."""
    dtype, events, done = array.header.dtype, array.events, 0
    length = piece_length(limit, array.record.itemsize)
    start = len(array.header.raw)
    while done < events:
        wanted = min(events - done, length)
        parts = []
        for stream, field in zip(streams, array.fields, strict=True):
            stream.seek(start + (field * events + done) * dtype.itemsize)
            parts.append(values(stream, dtype, wanted))
        whole = min(len(part) for part in parts)
        t, x, y, p = (part[:whole] for part in parts)
        yield t, x, y, p
        done += whole
        if whole < wanted:
            return
