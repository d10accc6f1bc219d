"""Arrow columns to events, for Arrow IPC and Parquet; pyarrow is imported only here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from evstore.errors import (
    ArgumentError,
    CorruptError,
    EvstoreError,
    MissingDependencyError,
    UnsupportedError,
)
from evstore.events import COLUMNS
from evstore.formats.array_table import Columns, Converter
from evstore.formats.columns import UNIT_PLACES, Layout, is_size, named_layout, told_layout
from evstore.formats.reading import ReadOptions

#: Keys of the schema's metadata.
WIDTH, HEIGHT, TIME_UNIT = b"width", b"height", b"time_unit"

COLUMN_LIMIT = 1000


def require_pyarrow() -> None:
    """Raises MissingDependencyError without pyarrow."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingDependencyError("pyarrow", "arrow", "Arrow and Parquet") from None


@contextmanager
def arrow_errors(what: str) -> Iterator[None]:
    """Whatever pyarrow raises within becomes CorruptError; evstore's own errors pass."""
    import pyarrow

    try:
        yield
    except EvstoreError:
        raise
    except pyarrow.ArrowNotImplementedError as error:
        raise UnsupportedError(f"{what}: {_said(error)}") from error
    except (pyarrow.ArrowException, MemoryError, ValueError, KeyError, OverflowError) as error:
        raise CorruptError(f"{what} is damaged: {_said(error)}") from error
    except OSError as error:
        if error.errno is not None:  # the system's, not Arrow's
            raise
        raise CorruptError(f"{what} is damaged: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@dataclass(frozen=True)
class Plan:
    """Which columns of a schema are t, x, y and p, and how they become events.

    ``indices`` are their places in the schema, in this order.
    """

    layout: Layout
    indices: tuple[int, ...]
    converter: Converter
    resolution: tuple[int, int] | None
    metadata: dict[str, Any]

    def columns(self, batch: Any) -> Columns:
        """The four columns of a record batch that holds these alone, without a copy.

        Raises CorruptError for a null: an event without a value.
        """
        t, x, y, p = (
            _values(batch.column(k), self.layout.name_of(c)) for k, c in enumerate(COLUMNS)
        )
        return t, x, y, p


def plan(schema: Any, options: ReadOptions) -> Plan:
    """Which column is which. Raises ArgumentError or UnsupportedError where that cannot be said."""
    names = schema.names
    if len(names) > COLUMN_LIMIT:
        raise UnsupportedError("too many columns", expected=f"<= {COLUMN_LIMIT}", got=len(names))
    if options.columns is None:
        layout = named_layout(names)
        if layout is None:
            raise ArgumentError(
                f"the columns {', '.join(names)!r:.200} do not name t, x, y and p: "
                "pass --columns (in the table's order) and --time-unit"
            )
    else:
        layout = Layout(tuple(names), told_layout(options, len(names)).roles)
    about = schema.metadata or {}
    indices = tuple(layout.roles.index(role) for role in COLUMNS)
    dtypes = [_dtype(schema.field(k)) for k in indices]
    unit = _time_unit(schema.field(indices[0]).type, about)
    if unit is not None:
        layout = Layout(layout.names, layout.roles, unit, layout.resolution)
    converter = Converter(layout, dtypes, options)
    found: dict[str, Any] = {
        "dtypes": {schema.field(k).name: str(schema.field(k).type) for k in indices},
        "time_unit": converter.unit,
    }
    if converter.unit_assumed:
        found["time_unit_assumed"] = True
    if options.columns is None and layout.renamed:
        found["renamed_columns"] = layout.renamed
    if layout.extra:
        found["extra_columns"] = layout.extra
    return Plan(layout, indices, converter, _resolution(about) or layout.resolution, found)


def schema_of(resolution: tuple[int, int] | None) -> Any:
    """The schema that evstore writes: the columns of `Events`, and the resolution.

    p is uint8 and not bool: Arrow packs eight booleans into a byte, which no reader can use as
    an array without a copy.
    """
    require_pyarrow()
    import pyarrow as pa

    if resolution is not None and not is_size(resolution):
        raise ArgumentError(f"resolution must be 1 to 65536 each way, got {resolution}")
    types = (pa.int64(), pa.uint16(), pa.uint16(), pa.uint8())
    fields = [pa.field(n, of, nullable=False) for n, of in zip(COLUMNS, types, strict=True)]
    about = {TIME_UNIT: b"us"}
    if resolution is not None:
        about |= {WIDTH: b"%d" % resolution[0], HEIGHT: b"%d" % resolution[1]}
    return pa.schema(fields, about)


def _values(column: Any, name: str) -> Any:
    import pyarrow as pa

    if column.null_count:
        raise CorruptError("a column with nulls", field=name, got=f"{column.null_count} nulls")
    if pa.types.is_temporal(column.type):
        column = column.view(pa.int64())
    return column.to_numpy(zero_copy_only=False)


def _dtype(field: Any) -> np.dtype[Any]:
    """That of a column's values as numpy has them."""
    import pyarrow as pa

    of = field.type
    if pa.types.is_timestamp(of) or pa.types.is_duration(of):
        return np.dtype(np.int64)
    plain = pa.types.is_integer(of) or pa.types.is_boolean(of)
    if not plain and not pa.types.is_float32(of) and not pa.types.is_float64(of):
        raise UnsupportedError(
            "a column that holds no plain numbers",
            field=field.name,
            expected="integers, bool, floats, timestamps or durations",
            got=of,
        )
    dtype: np.dtype[Any] = np.dtype(of.to_pandas_dtype())
    return dtype


def _time_unit(of: Any, about: dict[bytes, bytes]) -> str | None:
    """The unit that the type of the times says, or the schema's metadata."""
    import pyarrow as pa

    if pa.types.is_timestamp(of) or pa.types.is_duration(of):
        return str(of.unit)
    said = about.get(TIME_UNIT, b"").decode("ascii", "replace")
    return said if said in UNIT_PLACES else None


def _resolution(about: dict[bytes, bytes]) -> tuple[int, int] | None:
    """What the schema's metadata says. Raises CorruptError where that cannot be."""
    if WIDTH not in about or HEIGHT not in about:
        return None
    said = (about[WIDTH], about[HEIGHT])
    sides = [int(text) if text.isdigit() and len(text) < 6 else 0 for text in said]
    resolution = sides[0], sides[1]
    if not is_size(resolution):
        raise CorruptError("width and height cannot be a sensor's", expected="1..65536", got=said)
    return resolution
