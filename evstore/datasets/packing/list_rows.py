"""The rows of a CSV or Parquet list, as columns of plain Python values."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from evstore.datasets.parquet_size import read_bounded
from evstore.errors import ArgumentError, FormatError, MissingDependencyError

PARQUET = (".parquet", ".pq")
DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": ","}

#: A cell that a program wrote as a number: 007 is a name.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf)", re.I)


@dataclass(frozen=True)
class Rows:
    """Columns of equal length: None, int, float, bool or str; ``lines`` are those of a text."""

    path: str
    columns: dict[str, list[Any]]
    lines: list[int] | None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def line(self, k: int) -> str:
        """Where row ``k`` stands."""
        return f"row {k}" if self.lines is None else f"line {self.lines[k]}"

    def error(self, k: int, column: str, what: str, expected: str, got: object) -> FormatError:
        """A FormatError about a cell of row ``k``."""
        where = f"{self.line(k)}: {what}"
        shown = repr(got)[:80]
        return FormatError(where, path=self.path, field=column, expected=expected, got=shown)


def read_rows(path: str, texts: Collection[str] = ()) -> Rows:
    """All rows of a list; the columns ``texts`` of a CSV are text whatever they look like.

    A CSV is UTF-8 with a header; where that has no comma, but semicolons or tabs, these part the
    cells. Raises ArgumentError for another kind of file, FormatError for a bad one.
    """
    suffix = os.path.splitext(path)[1].lower()
    if not os.path.isfile(path):
        raise ArgumentError(f"{path}: no such file")
    if suffix in PARQUET:
        return _parquet(path)
    if suffix not in DELIMITERS:
        kinds = ", ".join((*DELIMITERS, *PARQUET))
        raise ArgumentError(f"{path}: a list of recordings is one of {kinds}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise FormatError("the list is no UTF-8", path=path, offset=error.start) from None
    return _csv(path, text, DELIMITERS[suffix], texts)


def _csv(path: str, text: str, delimiter: str, texts: Collection[str]) -> Rows:
    header = text.partition("\n")[0]
    if delimiter not in header:
        delimiter = next((other for other in ";\t" if other in header), delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    cells: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            here, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if names is None:
                names = [cell.strip() for cell in row]
                _check_names(path, names)
                continue
            if len(row) != len(names):
                raise FormatError(
                    f"line {here} has another number of cells than the header",
                    path=path,
                    expected=len(names),
                    got=f"{len(row)}: {delimiter.join(row)[:80]}",
                )
            cells.append([cell.strip() for cell in row])
            lines.append(here)
    except csv.Error as error:
        raise FormatError(f"line {line} is no CSV: {error}", path=path) from None
    if names is None:
        raise FormatError("the list is empty: it has no header", path=path)
    columns = {
        name: _typed([row[k] for row in cells], name in texts) for k, name in enumerate(names)
    }
    return Rows(path, columns, lines)


def _typed(cells: list[str], text: bool) -> list[Any]:
    """Whole numbers or floats where all cells are, else text; an empty cell is None."""
    there = [cell for cell in cells if cell]
    kind: Any = str
    if text:
        pass
    elif all(_WHOLE.fullmatch(cell) for cell in there):
        kind = int
    elif all(_FLOAT.fullmatch(cell) for cell in there) and not any(map(_padded, there)):
        kind = float
    return [kind(cell) if cell else None for cell in cells]


def _padded(cell: str) -> bool:
    """Whether it is digits only, and no whole number: 007, or one with too many of them."""
    return cell.isdecimal() and not _WHOLE.fullmatch(cell)


def _check_names(path: str, names: list[str]) -> None:
    for name in names:
        if not name:
            raise FormatError("a column without a name", path=path, got=",".join(names)[:80])
        if names.count(name) > 1:
            raise FormatError(f"the column {name!r} is there twice", path=path)


def _parquet(path: str) -> Rows:
    try:
        import pyarrow
    except ImportError:
        raise MissingDependencyError("pyarrow", "arrow", "a list in Parquet") from None
    try:
        table = read_bounded(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise FormatError(f"the list cannot be read: {error}", path=path) from None
    _check_names(path, table.column_names)
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
        if not any(getattr(pyarrow.types, f"is_{plain}")(kind) for plain in _PLAIN):
            raise FormatError(
                "a column of no plain values",
                path=path,
                field=name,
                expected="whole numbers, floats, text or booleans",
                got=column.type,
            )
        columns[name] = column.to_pylist()
    return Rows(path, columns, None)


_PLAIN = ("integer", "floating", "string", "large_string", "boolean", "null")
