"""HDF5 of many kinds: DSEC, MVSEC, columns, compound datasets; found by structure.

https://dsec.ifi.uzh.ch/data-format, https://daniilidis-group.github.io/mvsec/download
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, UnsupportedError
from evstore.events import COLUMNS
from evstore.formats.array_table import Columns, Converter, batches, piece_length
from evstore.formats.columns import Layout, chosen_unit
from evstore.formats.hdf5_data import CHUNK_ROOM as CHUNK_ROOM
from evstore.formats.hdf5_data import Rows, require_room
from evstore.formats.hdf5_facts import EPOCH_FIRST as EPOCH_FIRST
from evstore.formats.hdf5_facts import EPOCH_LAST as EPOCH_LAST
from evstore.formats.hdf5_facts import LONGEST_SECONDS as LONGEST_SECONDS
from evstore.formats.hdf5_facts import TOO_LATE as TOO_LATE
from evstore.formats.hdf5_facts import facts, offset_of, resolution_of, unit_of
from evstore.formats.hdf5_file import SIGNATURE, find, open_hdf5, size_of
from evstore.formats.hdf5_tree import Found, at_path, label_of, others, survey, with_columns
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.streams import choose

if TYPE_CHECKING:
    from evstore.formats.hdf5_writer import Writer

NAME = "hdf5"
TITLE = "HDF5 (DSEC, MVSEC, columns t, x, y, p, one dataset a sample)"
SUFFIXES = (".h5", ".hdf5")
INPUT_FORMATS = (NAME,)
WRITES = True
ORIGIN = "top-left"  # of what `writer` writes
SEEKS = True
KEEPS = ("label",)
CHECKED = ("files", "h5py", "hdf5plugin")
ASKS = ("--columns", "--time-unit")
MEMORY = "a chunk of each column; one gzip chunk for all is inflated to a temporary file"

#: A C library parses it: damaged files are tried in child processes.
C_PARSED = True

#: Prophesee's own layout, read by its own module.
PROPHESEE = "CD/events"

#: Events looked at to tell the unit of time and the sides of the sensor.
FIRST_EVENTS = 4096

#: Members of a group of events that are known, and none of them dropped.
_KNOWN = {"width", "height", "t_offset", "ms_to_idx"}

_SHOWN = 20


def probe(head: bytes, size: int | None) -> bool:
    """Whether it is HDF5, and not Prophesee's by the first names in it.

    What only shows once it is open is handed over by `read` and `streams`.
    """
    from evstore.formats import prophesee_hdf5

    return head.startswith(SIGNATURE) and not prophesee_hdf5.probe(head, size)


def streams(stream: BinaryIO, options: ReadOptions) -> list[str]:
    """The paths of all groups and datasets of events."""
    _require_file(stream)
    with open_hdf5(stream) as file:
        if _is_prophesee(file):
            return [PROPHESEE]
        return [found.path for found in survey(file)]


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The tree and what tells the units now, events lazily.

    Raises ArgumentError where one of several streams must be named, FormatError where the file
    holds no events or does not tell its unit of time, CorruptError for columns of different
    lengths or rows that are not stored, TruncatedError for a cut file: none of it can be read.
    """
    _require_file(stream)
    with ExitStack() as stack:
        file = stack.enter_context(open_hdf5(stream))
        if not _is_prophesee(file):
            reading = _read(stream, file, options)
            reading.batches = _closing(stack.pop_all(), reading.batches)
            return reading
    from evstore.formats import prophesee_hdf5

    stream.seek(0)
    reading = prophesee_hdf5.read(stream, options)
    assert isinstance(reading, Reading)
    return reading


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int] | None,
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer:
    """Give back what takes events and writes them in DSEC's layout at ``close``."""
    from evstore.formats.hdf5_writer import Writer

    return Writer(stream, resolution, rebase)


def _require_file(stream: BinaryIO) -> None:
    if not stream.seekable():
        raise UnsupportedError(
            "an HDF5 file cannot be read from a pipe", hint="read it from a file"
        )


def _is_prophesee(file: Any) -> bool:
    return hasattr(find(file, PROPHESEE), "dtype")


def _closing(stack: ExitStack, events: Iterator[Batch]) -> Iterator[Batch]:
    with stack:
        yield from events


def _read(stream: BinaryIO, file: Any, options: ReadOptions) -> Reading:
    found = _chosen(file, options)
    layout = with_columns(found, file, options)
    size = size_of(stream)
    columns = [Rows(stream, size, file, path) for path in found.paths()]
    events = _length(columns)
    require_room(columns, size)
    table = _Table(found, columns, layout.roles)
    said = facts(stream, size, file, found)
    unit, told = _unit(found, layout, table, events, said, options)
    converter = Converter(replace(layout, time_unit=unit), table.dtypes, options)
    offset = offset_of(said, unit)
    few = min(events, FIRST_EVENTS)
    resolution, noted = resolution_of(said, lambda role: table.column(role, 0, few))
    metadata = {"stream": found.path, "time_unit": unit, "time_unit_told_by": told, **noted}
    metadata["dtypes"] = {r: str(d) for r, d in zip(COLUMNS, table.dtypes, strict=True)}
    if layout.renamed and found.kind != "rows":
        metadata["renamed_columns"] = layout.renamed
    if offset:
        metadata["t_offset"] = offset
    dropped = _not_kept(others(file, found), metadata)
    extra = len(layout.extra) if found.kind != "columns" else 0
    made = batches(table.pieces(events, options.batch_events), converter, events, extra, dropped)
    made = _later(made, offset)
    label, stated = label_of(file, found), {"events": events}
    return Reading(NAME, resolution, made, metadata, b"", dropped, label, stated)


def _chosen(file: Any, options: ReadOptions) -> Found:
    if options.stream is not None:
        return at_path(file, options.stream, options)
    found = survey(file)
    if not found:
        raise FormatError(
            "the HDF5 file holds no events that evstore finds",
            expected="columns t, x, y and p, a dataset with these fields, or one of shape (N, 4)",
            hint="name a group or dataset with --recording, or as FILE#STREAM",
        )
    path = choose([one.path for one in found], None)
    return next(one for one in found if one.path == path)


def _unit(
    found: Found,
    layout: Layout,
    table: _Table,
    events: int,
    said: dict[str, Any],
    options: ReadOptions,
) -> tuple[str, str]:
    """(the unit of time, what tells it)."""
    unit = chosen_unit(layout, options)
    if unit is not None:
        if options.time_unit is not None:
            return unit, "--time-unit"
        return unit, "MVSEC's layout" if found.kind == "rows" else "its name"
    first = table.column("t", 0, min(events, FIRST_EVENTS))
    last = table.column("t", max(events - 1, 0), events)
    return unit_of(first, last, said.get("timestamp_scale_ms"))


def _length(columns: list[Rows]) -> int:
    lengths = {rows.path: len(rows) for rows in columns}
    if len(set(lengths.values())) != 1:
        raise CorruptError("columns of different lengths", expected="one length", got=lengths)
    return len(columns[0])


def _not_kept(beside: list[str], metadata: dict[str, Any]) -> dict[str, int]:
    unknown = [name for name in beside if name not in _KNOWN]
    if not unknown:
        return {}
    metadata["extra_datasets"] = unknown[:_SHOWN]
    return {"extra_datasets": len(unknown)}


def _later(events: Iterator[Batch], offset: int) -> Iterator[Batch]:
    for batch in events:
        if offset and batch.t.size:
            low, high = int(batch.t.min()) + offset, int(batch.t.max()) + offset
            if low < np.iinfo(np.int64).min or high > np.iinfo(np.int64).max:
                raise CorruptError("a time that its offset carries beyond int64", got=offset)
            batch.t[:] += offset
        yield batch


class _Table:
    """Columns t, x, y and p, whatever they are kept in."""

    def __init__(self, found: Found, columns: list[Rows], roles: tuple[str, ...]) -> None:
        self._kind = found.kind
        self._columns = columns
        first = columns[0]
        self._places: list[Any] = [roles.index(role) for role in COLUMNS]
        if found.kind == "columns":
            self.dtypes = [rows.dtype for rows in columns]
        elif found.kind == "rows":
            self.dtypes = [first.dtype] * len(COLUMNS)
        else:
            self._places = [first.dtype.names[place] for place in self._places]
            self.dtypes = [first.dtype[name] for name in self._places]
            first.only(tuple(self._places))
        for rows, dtype in zip(columns * len(COLUMNS), self.dtypes, strict=False):
            if dtype.kind not in "iufb":  # values of other kinds may lie anywhere in the file
                raise UnsupportedError(
                    "a column that holds no plain numbers", field=rows.path, got=dtype
                )

    def column(self, role: str, start: int, stop: int) -> NDArray[Any]:
        """Raw values of one column."""
        k = COLUMNS.index(role)
        if self._kind == "columns":
            values: NDArray[Any] = self._columns[k].read(start, stop)
            return values
        return self.read(start, stop)[k]

    def read(self, start: int, stop: int) -> Columns:
        """Raw values of some events."""
        if self._kind == "columns":
            t, x, y, p = (rows.read(start, stop) for rows in self._columns)
        else:
            whole = self._columns[0].read(start, stop)
            rows = self._kind == "rows"
            t, x, y, p = (whole[:, k] if rows else whole[k] for k in self._places)
        return t, x, y, p

    def pieces(self, events: int, limit: int) -> Iterator[Columns]:
        """At most ``limit`` events at a time."""
        length = piece_length(limit, max(rows.dtype.itemsize for rows in self._columns))
        for start in range(0, events, length):
            yield self.read(start, min(events, start + length))
