"""The event streams among a MAT file's variables: which there are, and how each is read.

MAT v5 and v7.3 differ in bytes only; what the variables mean is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evstore.errors import (
    ArgumentError,
    CorruptError,
    FormatError,
    TruncatedError,
    UnsupportedError,
)
from evstore.events import COLUMNS
from evstore.formats import mat_inference
from evstore.formats.array_table import Columns, Converter, batches, piece_length
from evstore.formats.columns import Layout, is_size, named_layout, role_of, told_layout
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.streams import choose

#: Columns of an array of events.
ROW_COLUMNS = 4

#: The struct of change events with coordinates from 1, and the one of exposure events beside it,
#: https://github.com/gorchard/Matlab_AER_vision_functions.
ONE_BASED = "TD"
EXPOSURE = "EM"


class Column(Protocol):
    """Numbers in a row."""

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """How they are stored."""

    @property
    def count(self) -> int:
        """How many the file promises."""

    def values(self, start: int, count: int) -> NDArray[Any]:
        """Some of them; fewer where the file ends."""


@dataclass(frozen=True)
class Variable:
    """One variable. ``kind`` is "vector", "matrix" (of four columns), "struct" or "other".

    ``load`` gives its columns: one, four, or those of the struct's fields by name, without those
    that a cut file lacks, and None for a field that is no vector of numbers.
    """

    name: str
    kind: str
    count: int
    load: Callable[[], dict[str, Column | None]]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class File:
    """The variables, and where the file is cut, None if it is whole."""

    variables: Sequence[Variable]
    cut_at: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def kind_of(shape: Sequence[int], name: str) -> str:
    """Vector, matrix of four columns, or other, for numbers of this MATLAB shape.

    A 1 x 4 array is an event, unless its name is that of a column.
    """
    if len(shape) == 2 and shape[1] == ROW_COLUMNS and (shape[0] != 1 or not role_of(name)[0]):
        return "matrix"
    return "vector" if sum(side != 1 for side in shape) <= 1 or 0 in shape else "other"


def names(file: File) -> list[str]:
    """The event streams: structs and arrays of four columns by name, and the vectors together."""
    found = [v.name for v in file.variables if _has_events(v)]
    vectors = _vectors(file)
    return found + ([] if vectors is None else [_joined(vectors)])


def read(name: str, file: File, options: ReadOptions) -> Reading:
    """Read the stream that ``options`` choose.

    Raises ArgumentError where several fit or the columns must be said, UnsupportedError where
    there are no change events.
    """
    streams = names(file)
    if not streams:
        raise _no_events(file)
    chosen = choose(streams, options.stream)
    variable = next((v for v in file.variables if v.name == chosen), None)
    metadata, dropped = dict(file.metadata), {}
    exposure = None
    if variable is None:
        table, used = _vector_table(file, options), set(chosen.split(","))
    elif variable.kind == "struct":
        table, used = _struct_table(variable, options), {chosen}
        exposure = _exposure(file) if table.one_based else None
        used |= {EXPOSURE} if exposure is not None else set()
    else:
        table, used = _matrix_table(variable, options), {chosen}
    resolution, scalars = _scalars(file, used)
    unused = [v.name for v in file.variables if v.name not in used]
    unused = [n for n in unused if n not in scalars and not (resolution and n in _SIDES)]
    unused += [f"{chosen}.{n}" for n in table.extra]
    if unused:
        metadata["extra_variables"] = unused[:100]
        dropped["extra_variables"] = len(unused)
    if scalars:
        metadata["scalars"] = scalars
    metadata |= {"variable": chosen} | table.metadata()
    events = _to_the_end(_events(table, exposure, options), file)
    stated: dict[str, int | None] = {"events": table.columns[0].count}
    if exposure is not None:
        stated["exposure"] = exposure.columns[0].count
    return Reading(name, resolution, events, metadata, b"", dropped, stated=stated)


@dataclass(frozen=True)
class Table:
    """The columns t, x, y and p, and what their values mean."""

    columns: tuple[Column, ...]
    layout: Layout
    converter: Converter
    one_based: bool = False
    extra: tuple[str, ...] = ()
    found: dict[str, Any] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        """What of the file's own conventions is worth knowing."""
        said = {"time_unit": self.converter.unit} | self.found
        if self.one_based:
            said["coordinates_from"] = "1-based"
        if self.layout.renamed:
            said["renamed_columns"] = self.layout.renamed
        return said


def _has_events(variable: Variable) -> bool:
    if variable.kind == "matrix":
        return True
    return variable.kind == "struct" and variable.name != EXPOSURE and _layout(variable.fields)


def _layout(fields: Sequence[str]) -> bool:
    try:
        return named_layout(fields) is not None
    except FormatError:  # several columns could be one
        return False


def _vectors(file: File) -> Layout | None:
    """The layout of the vectors of the file, those without a role left out."""
    found = [v.name for v in file.variables if v.kind == "vector" and role_of(v.name)[0]]
    return named_layout(found) if _layout(found) else None


def _joined(layout: Layout) -> str:
    return ",".join(layout.name_of(role) for role in COLUMNS)


def _no_events(file: File) -> FormatError:
    listed = ", ".join(v.name for v in file.variables)
    if file.cut_at is not None:
        return TruncatedError(
            "the file ends before its events do", safe_events=0, offset=file.cut_at, got=listed
        )
    return UnsupportedError(
        "no variable of events",
        expected="a struct with t, x, y and p, an N x 4 array, or vectors t, x, y and p",
        got=f"{listed[:200]!r}",
    )


def _vector_table(file: File, options: ReadOptions) -> Table:
    layout = _vectors(file)
    assert layout is not None
    by_name = {v.name: v for v in file.variables if v.kind == "vector"}
    loaded = {n: by_name[n].load() for n in layout.names}
    return _named_table(
        layout, {n: c for each in loaded.values() for n, c in each.items()}, options
    )


def _struct_table(variable: Variable, options: ReadOptions) -> Table:
    layout = named_layout(variable.fields)
    assert layout is not None
    return _named_table(layout, variable.load(), options, variable.name == ONE_BASED)


def _named_table(
    layout: Layout,
    loaded: dict[str, Column | None],
    options: ReadOptions,
    one_based: bool = False,
) -> Table:
    if options.columns is not None:
        raise ArgumentError("the variables name their columns themselves: leave --columns out")
    columns = []
    for role in COLUMNS:
        name = layout.name_of(role)
        if name not in loaded:
            raise TruncatedError("the file ends before its columns do", safe_events=0, field=name)
        column = loaded[name]
        if column is None or column.dtype is None:
            raise UnsupportedError("a column that is no vector of real numbers", field=name)
        columns.append(column)
    _require_one_length(layout, columns)
    return _table(tuple(columns), layout, options, one_based, {})


def _matrix_table(variable: Variable, options: ReadOptions) -> Table:
    loaded = [column for column in variable.load().values() if column is not None]
    if len(loaded) < ROW_COLUMNS:
        raise TruncatedError("the file ends before its array does", safe_events=0)
    found: dict[str, Any] = {}
    roles = None
    if options.columns is None:
        roles = mat_inference.roles(loaded)
    if roles is None:
        layout = told_layout(options, ROW_COLUMNS)
    else:
        layout = Layout(roles, roles)
        found["columns_inferred"] = ",".join(roles)
    columns = tuple(loaded[layout.roles.index(role)] for role in COLUMNS)
    return _table(columns, layout, options, False, found)


def _table(
    columns: tuple[Column, ...],
    layout: Layout,
    options: ReadOptions,
    one_based: bool,
    found: dict[str, Any],
) -> Table:
    if layout.time_unit is None and options.time_unit is None:
        unit = mat_inference.time_unit(columns[0])
        if unit is not None:
            layout = Layout(layout.names, layout.roles, unit)
            found = {**found, "time_unit_assumed": True}
    dtypes = [column.dtype for column in columns if column.dtype is not None]
    converter = Converter(layout, dtypes, options)
    return Table(columns, layout, converter, one_based, tuple(layout.extra), found)


def _require_one_length(layout: Layout, columns: Sequence[Column]) -> None:
    lengths = [column.count for column in columns]
    if len(set(lengths)) != 1:
        got = dict(zip((layout.name_of(role) for role in COLUMNS), lengths, strict=True))
        raise CorruptError("columns of different lengths", expected="one length", got=got)


def _exposure(file: File) -> Table | None:
    variable = next((v for v in file.variables if v.name == EXPOSURE and v.kind == "struct"), None)
    if variable is None or not _layout(variable.fields):
        return None
    layout = named_layout(variable.fields)
    assert layout is not None
    try:
        return _named_table(layout, variable.load(), ReadOptions(), one_based=True)
    except TruncatedError:  # which is said behind the events
        return None


def _events(table: Table, exposure: Table | None, options: ReadOptions) -> Iterator[Batch]:
    """Batches of events, each with as many exposure events at most."""
    length = piece_length(options.batch_events, 8)
    events = _batches(table, length)
    if exposure is None:
        yield from events
        return
    beside = _batches(exposure, length)
    for batch in events:
        side = next(beside, None)
        yield batch if side is None else batch._replace(side=_side(side))
    for side in beside:
        none = (side.t[:0].copy(), side.x[:0].copy(), side.y[:0].copy(), side.p[:0].copy())
        yield Batch(*none, side=_side(side))


def _side(batch: Batch) -> dict[str, dict[str, NDArray[Any]]]:
    return {"exposure": dict(zip(COLUMNS, batch[:4], strict=True))}


def _batches(table: Table, length: int) -> Iterator[Batch]:
    return batches(_pieces(table, length), table.converter, table.columns[0].count)


def _pieces(table: Table, length: int) -> Iterator[Columns]:
    """All four columns in step, as far as each of them goes."""
    promised, done = table.columns[0].count, 0
    while done < promised:
        wanted = min(length, promised - done)
        parts = [column.values(done, wanted) for column in table.columns]
        got = min(len(part) for part in parts)
        t, x, y, p = (part[:got] for part in parts)
        if table.one_based:
            x, y = _from_zero("x", x, done), _from_zero("y", y, done)
        yield t, x, y, p
        done += got
        if got < wanted:
            return


def _from_zero(role: str, values: NDArray[Any], before: int) -> NDArray[Any]:
    good = values >= 1
    if not good.all():
        first = int(np.argmin(good))
        raise CorruptError(
            f"event {before + first:,} has a coordinate that counts from 1 and cannot be",
            field=role,
            expected="1 or more",
            got=values[first],
        )
    return np.asarray(values - values.dtype.type(1))


def _to_the_end(events: Iterator[Batch], file: File) -> Iterator[Batch]:
    """``events``, then TruncatedError where the file is cut behind them."""
    count = 0
    for batch in events:
        count += len(batch.t)
        yield batch
    if file.cut_at is not None:
        raise TruncatedError(
            "the file ends inside a variable", safe_events=count, offset=file.cut_at
        )


_SIDES = ("width", "height")


def _scalars(file: File, used: set[str]) -> tuple[tuple[int, int] | None, dict[str, int | float]]:
    """The resolution that ``width`` and ``height`` say, and the other single numbers by name."""
    found: dict[str, int | float] = {}
    for variable in file.variables:
        if variable.kind != "vector" or variable.count != 1 or variable.name in used:
            continue
        (column,) = variable.load().values()
        value = column.values(0, 1) if column is not None else np.empty(0)
        if len(value) and np.isfinite(value[0]):
            found[variable.name] = value[0].item()
    if any(side not in found for side in _SIDES):
        return None, found
    width, height = (found.pop(side) for side in _SIDES)
    resolution = int(width), int(height)
    if resolution != (width, height) or not is_size(resolution):
        raise CorruptError(
            "width and height cannot be a sensor's", expected="1..65536", got=(width, height)
        )
    return resolution, found
