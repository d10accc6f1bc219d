"""Where a Parquet file's columns and pages are, and how large they become: checked before pyarrow
is asked, which makes room for whatever a page claims, and aborts on some damaged footers.

https://parquet.apache.org/docs/file-format/metadata/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

from evstore.errors import CorruptError, UnsupportedError
from evstore.formats.parquet_thrift import Compact

#: Bytes of a page once decompressed: this, and twice the file's size.
PAGE_BYTES = 16_777_216

#: Bytes of a page's header, at most: it may hold the least and greatest value.
HEADER_BYTES = 65_536

#: Rows for each byte of the file, at most: run lengths can promise any number of equal rows.
ROWS_PER_BYTE = 1032

_FIRST_READ = 256

# Numbers of the fields of FileMetaData, RowGroup, ColumnChunk, ColumnMetaData, PageHeader.
_ROWS, _GROUPS, _CREATED_BY = 3, 4, 6
_COLUMNS, _GROUP_ROWS = 1, 3
_ELSEWHERE, _ABOUT = 1, 3
_VALUES, _STORED, _DATA_AT, _DICTIONARY_AT = 5, 7, 9, 11
_PLAIN_SIZE, _STORED_SIZE = 2, 3

_FOOTER = {
    _ROWS: True,
    _GROUPS: {
        _COLUMNS: {
            _ELSEWHERE: True,
            _ABOUT: {_VALUES: True, _STORED: True, _DATA_AT: True, _DICTIONARY_AT: True},
        },
        _GROUP_ROWS: True,
    },
    _CREATED_BY: True,
}


@dataclass(frozen=True)
class Group:
    """A row group: its rows, and where each column begins and ends."""

    rows: int
    columns: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layout:
    """The row groups, and the program that wrote the file."""

    groups: tuple[Group, ...]
    created_by: str

    @property
    def rows(self) -> int:
        """Of all groups together."""
        return sum(group.rows for group in self.groups)


def read_footer(footer: bytes, size: int) -> Layout:
    """What a footer says. Raises CorruptError where that cannot be of a file of ``size`` bytes."""
    try:
        found = Compact(footer).struct(_FOOTER)
    except IndexError:
        raise CorruptError("the footer is damaged", offset=size - len(footer) - 8) from None
    groups = found.get(_GROUPS, [])
    if not isinstance(groups, list):
        raise CorruptError("the footer is damaged", offset=size - len(footer) - 8)
    made_by = found.get(_CREATED_BY)
    text = made_by[:200].decode("utf-8", "replace") if isinstance(made_by, bytes) else ""
    layout = Layout(tuple(_group(group, size) for group in groups), text)
    if found.get(_ROWS) != layout.rows:
        raise CorruptError(
            "the row groups do not hold the table's rows",
            expected=found.get(_ROWS),
            got=layout.rows,
        )
    if layout.rows > size * ROWS_PER_BYTE:
        raise CorruptError(
            "the table claims more rows than the file can hold",
            expected=f"at most {size * ROWS_PER_BYTE:,}",
            got=f"{layout.rows:,}",
        )
    return layout


def _group(found: Any, size: int) -> Group:
    rows, columns = _number(found, _GROUP_ROWS), found.get(_COLUMNS, [])
    if not isinstance(columns, list):
        raise CorruptError("a row group is damaged")
    return Group(rows, tuple(_column(column, rows, size) for column in columns))


def _column(found: Any, rows: int, size: int) -> tuple[int, int]:
    about = found.get(_ABOUT) if isinstance(found, dict) else None
    if found and isinstance(found, dict) and found.get(_ELSEWHERE):
        raise UnsupportedError("a column that lies in another file")
    values, stored, at = (_number(about, k) for k in (_VALUES, _STORED, _DATA_AT))
    first = (
        _number(about, _DICTIONARY_AT) if isinstance(about, dict) and _DICTIONARY_AT in about else 0
    )
    at = min(at, first) if first else at
    if at + stored > size or (values and not stored):
        raise CorruptError(
            "a column lies outside the file",
            expected=f"within {size:,} bytes",
            got=f"{stored:,} bytes at {at:,}",
        )
    return at, at + stored


def _number(found: Any, key: int) -> int:
    value = found.get(key) if isinstance(found, dict) else None
    if not isinstance(value, int) or value < 0:
        raise CorruptError("a number of the footer cannot be", got=value)
    return value


def check_pages(stream: BinaryIO, at: int, end: int, size: int) -> None:
    """Raises unless the pages of a column fill it, and become no larger than they may."""
    while at < end:
        length, plain, stored = _page(stream, at, end)
        if plain > PAGE_BYTES + 2 * size:
            raise UnsupportedError(
                "a page is too large once decompressed",
                offset=at,
                expected=f"at most {PAGE_BYTES + 2 * size:,} bytes",
                got=f"{plain:,}",
                hint="write it with smaller pages",
            )
        if length + stored > end - at:
            raise CorruptError("a page is longer than its column", offset=at)
        at += length + stored


def _page(stream: BinaryIO, at: int, end: int) -> tuple[int, int, int]:
    """Bytes of a page's header, of its values, and of these as they are stored."""
    for most in (_FIRST_READ, HEADER_BYTES):
        stream.seek(at)
        header = Compact(stream.read(min(most, end - at)))
        try:
            found = header.struct({_PLAIN_SIZE: True, _STORED_SIZE: True})
            return header.at, _number(found, _PLAIN_SIZE), _number(found, _STORED_SIZE)
        except (IndexError, CorruptError):
            continue
    raise CorruptError("a page's header is damaged", offset=at)
