"""CSV: lines of fields, by their header's names or by ``--columns`` and ``--time-unit``.

There is no standard. Names with geometry inside (``t,x@320,y@240,on``) are faery's,
https://github.com/aestream/faery.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.errors import ArgumentError, CorruptError, FormatError, UnsupportedError
from evstore.formats import rpg
from evstore.formats.columns import UNIT_PLACES, Layout, chosen_unit, named_layout, told_layout
from evstore.formats.reading import Reading, ReadOptions
from evstore.formats.records import HEAD_BYTES, read_head
from evstore.formats.text_table import LINE_LIMIT, WHITESPACE, Table, batches, content_lines, split

if TYPE_CHECKING:
    from evstore.formats.csv_writer import Writer

NAME = "csv"
TITLE = "CSV (by header, or --columns and --time-unit)"
SUFFIXES = (".csv", ".tsv", ".txt")
INPUT_FORMATS = (NAME,)
WRITES = True
SEEKS = False
KEEPS = ()
CHECKED = ("files",)
ASKS = ("--columns", "--time-unit")

#: In order: a decimal comma may stand in a table of semicolons or tabs.
DELIMITERS = (b";", b"\t", b",")

#: Columns that a table may have.
COLUMN_LIMIT = 256

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|true|false", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class _Start:
    """Where the lines of events begin, and the fields of the header line, if there is one."""

    at: int
    number: int
    delimiter: bytes
    header: list[str] | None
    first: list[str] | None  # of the first event


def probe(head: bytes, size: int | None) -> bool:
    """Whether a line of four or more fields, names or numbers, stands before a line of numbers."""
    if b"\x00" in head or rpg.probe(head, size):
        return False
    try:
        start = _start(head)
    except FormatError:
        return False
    if start.header is None:
        return start.first is not None and start.delimiter != WHITESPACE
    layout = _layout(start.header)
    if start.first is None:
        return layout is not None
    roles = layout.roles if layout is not None else ("?",) * len(start.header)
    kept = [text for text, role in zip(start.first, roles, strict=False) if role]
    return len(start.first) == len(start.header) and _are_numbers(kept)


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The header now, events lazily.

    Raises ArgumentError where neither the header nor the options say what the columns are, and
    in which unit the times; UnsupportedError for quoted fields.
    """
    head = read_head(stream)
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    start = _start(head)
    layout, by_header = _choose(start, options)
    unit = chosen_unit(layout, options)
    assumed = unit is None
    if assumed:
        _require_whole_microseconds(layout, start)
    dropped: dict[str, int] = {}
    metadata: dict[str, Any] = {
        "columns": ",".join(layout.names),
        "columns_from": "header" if by_header else "options",
        "time_unit": unit or "us",
    }
    if layout.extra:
        metadata["extra_columns"] = layout.extra
    table = Table(
        layout,
        start.delimiter,
        UNIT_PLACES[unit or "us"],
        whole_times=assumed,
        first_line=start.number,
        dropped=dropped,
        metadata=metadata,
    )
    events = batches(stream, head[start.at :], start.at, table, options.batch_events)
    return Reading(NAME, layout.resolution, events, metadata, head[: start.at], dropped)


def writer(
    stream: BinaryIO, resolution: tuple[int, int] | None, metadata: dict[str, Any]
) -> Writer:
    """Write the header line ``t,x,y,p`` and give back what takes events: integers, t in us."""
    from evstore.formats.csv_writer import Writer

    return Writer(stream)


def _start(head: bytes) -> _Start:
    """Find the header line and the first event; raises FormatError where there is neither."""
    whole = len(head) < HEAD_BYTES
    bom = len(_BOM) if head.startswith(_BOM) else 0
    body = b" " * bom + head[bom:]
    lines = content_lines(body, whole)
    number, at, line = next(lines, (0, len(head), b""))
    if not line:
        raise FormatError("no line of a table in the first 64 KiB: only comments and blank lines")
    delimiter = next((d for d in DELIMITERS if d in line), WHITESPACE)
    fields = _fields(line, delimiter, at)
    if not _are_numbers(fields):
        next_number, next_at, second = next(lines, (number + 1, len(head), b""))
        first = _fields(second, delimiter, next_at) if second else None
        if not second and whole is False:
            raise FormatError("no event in the first 64 KiB", offset=at)
        return _Start(next_at, next_number, delimiter, fields, first)
    comment = _last_comment(body[:at])
    names = split(comment, delimiter) if comment else []
    header = names if len(names) == len(fields) and _layout(names) is not None else None
    return _Start(at, number, delimiter, header, fields)


def _fields(line: bytes, delimiter: bytes, at: int) -> list[str]:
    if len(line) > LINE_LIMIT:
        raise CorruptError(f"a line is longer than {LINE_LIMIT} bytes", offset=at)
    if any(c < 0x20 and c != 0x09 for c in line):
        raise CorruptError("a line holds control characters: it is no text", offset=at)
    if b'"' in line:
        raise UnsupportedError("a quoted field, which is not read", offset=at)
    fields = split(line, delimiter)
    if not 4 <= len(fields) <= COLUMN_LIMIT:
        raise FormatError(
            "the first line is no line of a table of events",
            offset=at,
            expected=f"4 to {COLUMN_LIMIT} fields between {', ; tab or spaces'}",
            got=len(fields),
        )
    return fields


def _last_comment(before: bytes) -> bytes:
    """numpy.savetxt writes its header as a comment: the last one may name the columns."""
    comments = [line.strip() for line in before.split(b"\n") if line.strip().startswith(b"#")]
    return comments[-1].lstrip(b"# ") if comments else b""


def _are_numbers(fields: list[str]) -> bool:
    return all(_NUMBER.fullmatch(text) for text in fields)


def _layout(names: list[str]) -> Layout | None:
    try:
        return named_layout(names)
    except FormatError:
        return None


def _choose(start: _Start, options: ReadOptions) -> tuple[Layout, bool]:
    """The layout, and whether the header gave it."""
    if start.header is None:
        assert start.first is not None
        return told_layout(options, len(start.first)), False
    if options.columns is None:
        layout = named_layout(start.header)
        if layout is not None:
            return layout, True
        raise ArgumentError(
            f"the header {','.join(start.header)!r:.200} does not name t, x, y and p: "
            "pass --columns (as in --columns x,y,p,t) and --time-unit"
        )
    by_name, told = _layout(start.header), told_layout(options, len(start.header))
    if by_name is not None and by_name.roles != told.roles:
        raise ArgumentError(
            f"--columns {','.join(options.columns)} contradicts the header "
            f"{','.join(start.header)!r:.200}: leave it out"
        )
    roles = told.roles
    resolution = by_name.resolution if by_name is not None else None
    unit = by_name.time_unit if by_name is not None else None
    return Layout(tuple(start.header), roles, unit, resolution), False


def _require_whole_microseconds(layout: Layout, start: _Start) -> None:
    """Whole numbers under the name ``t`` are microseconds; anything else must be said."""
    name = layout.name_of("t")
    first, at = start.first or [], layout.roles.index("t")
    time = first[at] if at < len(first) else "0"  # a line that ends before it is told of later
    if name.strip().lower() != "t" or not time.lstrip("+-").isdigit():
        raise ArgumentError(
            f"the column {name!r} does not say its unit (first time {time!r:.40}): "
            "pass --time-unit s, ms, us or ns"
        )
