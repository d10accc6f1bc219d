"""NPZ: a zip of NPY columns t, x, y and p (and width, height), or of one array of events.

Names follow eventcv and numpy.savez; ``timestamp_scale_ms`` is eventcv's,
https://pypi.org/project/eventcv.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.errors import ArgumentError, CorruptError, UnsupportedError
from evstore.events import COLUMNS
from evstore.formats.array_table import Columns, Converter, batches, piece_length, values
from evstore.formats.columns import Layout, is_size, named_layout, role_of
from evstore.formats.npy import column_pieces, plan, record_pieces
from evstore.formats.npz_members import Archive, Member, zip_errors
from evstore.formats.reading import Batch, Reading, ReadOptions

if TYPE_CHECKING:
    from evstore.formats.npz_writer import Writer

NAME = "npz"
TITLE = "NPZ (columns t, x, y, p, or one array)"
SUFFIXES = (".npz",)
INPUT_FORMATS = (NAME,)
WRITES = True
SEEKS = True
KEEPS = ()
CHECKED = ("files", "numpy")
ASKS = ("--columns", "--time-unit")
MEMORY = "bounded; written by way of temporary files"

ZIP_MAGIC = b"PK\x03\x04"

#: Where a zip's first member says how long its name is, and where the name begins.
NAME_LENGTH_AT = 26
NAME_AT = 30

#: eventcv's milliseconds a tick, as units.
_SCALES = {1000.0: "s", 1.0: "ms", 0.001: "us", 0.000001: "ns"}


def probe(head: bytes, size: int | None) -> bool:
    """Whether it is a zip whose first member is an NPY."""
    length = int.from_bytes(head[NAME_LENGTH_AT : NAME_LENGTH_AT + 2], "little")
    return head.startswith(ZIP_MAGIC) and head[NAME_AT : NAME_AT + length].endswith(b".npy")


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The members' headers now, events lazily, all columns in step.

    Raises CorruptError for columns of different lengths and for headers that do not fit their
    members, ArgumentError for one (N, 4) array without ``--columns`` and ``--time-unit``.
    """
    archive = Archive(stream)
    scalars = {name: archive.scalar(name) for name in archive.names if not role_of(name)[0]}
    scalars = {name: value for name, value in scalars.items() if value is not None}
    arrays = [name for name in archive.names if name not in scalars]
    layout = named_layout(arrays)
    dropped: dict[str, int] = {}
    if layout is not None:
        events, metadata, count = _columns(archive, layout, scalars, options)
        unused = layout.extra + archive.others
    elif len(arrays) == 1:
        events, metadata, count = _one_array(archive.member(arrays[0]), options, dropped)
        unused = archive.others
    else:
        raise ArgumentError(
            f"the arrays {', '.join(arrays)!r:.200} do not name t, x, y and p: "
            "an NPZ holds the columns t, x, y, p, or one array of events"
        )
    if unused:
        metadata["extra_members"] = unused
        dropped["extra_members"] = len(unused)
    resolution = _resolution(scalars)
    if scalars:
        metadata["scalars"] = scalars
    return Reading(NAME, resolution, events, metadata, b"", dropped, stated={"events": count})


def writer(
    stream: BinaryIO, resolution: tuple[int, int] | None, metadata: dict[str, Any]
) -> Writer:
    """Give back what takes events; the zip is written at ``close``, as numpy.savez would."""
    from evstore.formats.npz_writer import Writer

    return Writer(stream, resolution)


def _columns(
    archive: Archive, layout: Layout, scalars: dict[str, Any], options: ReadOptions
) -> tuple[Iterator[Batch], dict[str, Any], int]:
    if options.columns is not None:
        raise ArgumentError("the NPZ names its columns itself: leave --columns out")
    unit = _scale_unit(scalars) or layout.time_unit
    layout = Layout(layout.names, layout.roles, unit)
    columns = [archive.member(layout.name_of(role)) for role in COLUMNS]
    for column in columns:
        if len(column.header.shape) != 1:
            raise UnsupportedError(
                "a column of more than one dimension",
                field=column.name,
                expected="shape (N,)",
                got=column.header.shape,
            )
    lengths = {column.name: column.header.shape[0] for column in columns}
    if len(set(lengths.values())) != 1:
        raise CorruptError("columns of different lengths", expected="one length", got=lengths)
    dtypes = [column.header.dtype for column in columns]
    converter = Converter(layout, dtypes, options)
    found: dict[str, Any] = {
        "compressed": any(column.compressed for column in columns),
        "dtypes": {column.name: str(column.header.dtype) for column in columns},
        "time_unit": converter.unit,
    }
    if converter.unit_assumed:
        found["time_unit_assumed"] = True
    if layout.renamed:
        found["renamed_columns"] = layout.renamed
    promised = columns[0].header.shape[0]
    pieces = _pieces(columns, promised, options.batch_events)
    return _checked(batches(pieces, converter, promised)), found, promised


def _pieces(columns: list[Member], promised: int, limit: int) -> Iterator[Columns]:
    """All four members in step, ``limit`` events at a time."""
    left, whole = promised, True
    dtypes = [column.header.dtype for column in columns]
    length = piece_length(limit, max(dtype.itemsize for dtype in dtypes))
    streams = [column.values() for column in columns]
    while left and whole:
        wanted = min(left, length)
        parts = [values(s, dtype, wanted) for s, dtype in zip(streams, dtypes, strict=True)]
        got = min(len(part) for part in parts)
        left, whole = left - got, got == wanted
        t, x, y, p = (part[:got] for part in parts)
        yield t, x, y, p


def _one_array(
    member: Member, options: ReadOptions, dropped: dict[str, int]
) -> tuple[Iterator[Batch], dict[str, Any], int]:
    array = plan(member.header, options)
    if array.by_column:
        pieces = column_pieces([member.start() for _ in COLUMNS], array, options.batch_events)
    else:
        pieces = record_pieces(member.values(), array, options.batch_events)
    extra = len(array.layout.extra)
    events = batches(pieces, array.converter, array.events, extra, dropped)
    return _checked(events), array.metadata(), array.events


def _checked(events: Iterator[Batch]) -> Iterator[Batch]:
    """``events``, with what zipfile raises for damage (checksums among it) as CorruptError."""
    with zip_errors():
        yield from events


def _scale_unit(scalars: dict[str, Any]) -> str | None:
    """The unit that eventcv's ``timestamp_scale_ms`` says; None where there is none."""
    scale = scalars.get("timestamp_scale_ms")
    if scale is None:
        return None
    for known, unit in _SCALES.items():
        if math.isclose(scale, known, rel_tol=1e-6):  # it may be a float32
            return unit
    raise UnsupportedError(
        "a unit of time that is not read",
        field="timestamp_scale_ms",
        expected=f"one of {', '.join(f'{known:g}' for known in _SCALES)}",
        got=scale,
    )


def _resolution(scalars: dict[str, Any]) -> tuple[int, int] | None:
    """From width and height, which are taken out of ``scalars``."""
    if "width" not in scalars or "height" not in scalars:
        return None
    resolution = (scalars.pop("width"), scalars.pop("height"))
    if not all(type(side) is int for side in resolution) or not is_size(resolution):
        raise CorruptError(
            "width and height cannot be a sensor's", expected="1..65536", got=resolution
        )
    return resolution
