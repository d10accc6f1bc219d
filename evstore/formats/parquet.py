"""Apache Parquet: a table with the columns t, x, y and p.

https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats import parquet_pages
from evstore.formats.array_table import Columns, piece_length
from evstore.formats.arrow_table import Plan, arrow_errors, plan, require_pyarrow
from evstore.formats.reading import Batch, Reading, ReadOptions

if TYPE_CHECKING:
    from evstore.formats.arrow_writer import Writer

NAME = "parquet"
TITLE = "Parquet (columns t, x, y, p)"
SUFFIXES = (".parquet", ".pq")
INPUT_FORMATS = (NAME,)
WRITES = True
SEEKS = True

#: pyarrow is a C++ library: what it does with damaged bytes is tested in processes of their own.
C_PARSED = True

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
FOOTER_BYTES = 8

#: Rows for each byte of the file, at most: run lengths can promise any number of equal rows.
ROWS_PER_BYTE = 1032

#: Bytes of a text and members of a list in the footer, at most.
TEXT_LIMIT = 1_048_576
LIST_LIMIT = 1_000_000

READ_AT_ONCE = 1 << 20

_WHAT = "the Parquet file"


def probe(head: bytes, size: int | None) -> bool:
    """Whether the first bytes are Parquet's."""
    return head.startswith((MAGIC, ENCRYPTED_MAGIC))


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The footer now, row groups lazily, of each a few pages at a time.

    Raises TruncatedError for a file that is cut: its footer stands at the end. Raises
    ArgumentError where the columns or the unit of time must be said, MissingDependencyError
    without pyarrow.
    """
    require_pyarrow()
    size = _require_whole(stream)
    import pyarrow.parquet as pq

    with arrow_errors(_WHAT):
        file = pq.ParquetFile(
            stream,
            buffer_size=READ_AT_ONCE,
            pre_buffer=False,
            thrift_string_size_limit=TEXT_LIMIT,
            thrift_container_size_limit=LIST_LIMIT,
            page_checksum_verification=True,
        )
        about = file.metadata
        made_by = f"{about.created_by or ''}"[:200]
        how = plan(file.schema_arrow, options)
    _require_possible(about, size)
    dropped: dict[str, int] = {}
    metadata = {"created_by": made_by, **how.metadata}
    pieces = _pieces(stream, file, how, size, piece_length(options.batch_events, 8))
    events = _events(pieces, how, about.num_rows, dropped)
    return Reading(NAME, how.resolution, events, metadata, b"", dropped)


def writer(
    stream: BinaryIO, resolution: tuple[int, int] | None, metadata: dict[str, Any]
) -> Writer:
    """Give back what takes events and writes row groups of a million."""
    from evstore.formats.arrow_writer import parquet_writer

    return parquet_writer(stream, resolution)


def _require_whole(stream: BinaryIO) -> int:
    """The file's size, with a footer at its end that lies within it."""
    if not stream.seekable():
        raise UnsupportedError("Parquet cannot be read from a pipe", hint="read it from a file")
    size = stream.seek(0, 2)
    if size == 0:
        raise FormatError("the file is empty: there are no bytes to read")
    stream.seek(0)
    head = stream.read(len(MAGIC))
    if head == ENCRYPTED_MAGIC:
        raise UnsupportedError("an encrypted Parquet file")
    if head != MAGIC[: len(head)]:
        raise FormatError("no Parquet file", offset=0, expected=MAGIC, got=head)
    stream.seek(max(0, size - FOOTER_BYTES))
    end = stream.read(FOOTER_BYTES)
    if size < len(MAGIC) + FOOTER_BYTES or end[4:] != MAGIC:
        raise TruncatedError(
            "the Parquet file ends before its footer",
            safe_events=0,
            offset=size,
            hint="a Parquet file is readable only when whole",
        )
    length = int.from_bytes(end[:4], "little")
    if length > size - len(MAGIC) - FOOTER_BYTES:
        raise CorruptError(
            "the footer is longer than the file",
            offset=size - FOOTER_BYTES,
            expected=f"<= {size - len(MAGIC) - FOOTER_BYTES}",
            got=length,
        )
    stream.seek(0)
    return size


def _require_possible(about: Any, size: int) -> None:
    """Raises for row counts that contradict each other, or that no such file can hold."""
    with arrow_errors(_WHAT):
        rows = [about.row_group(k).num_rows for k in range(about.num_row_groups)]
    if any(count < 0 for count in rows) or sum(rows) != about.num_rows:
        raise CorruptError(
            "the row groups do not hold the table's rows",
            expected=f"{about.num_rows:,}",
            got=f"{sum(rows):,}",
        )
    if about.num_rows > size * ROWS_PER_BYTE:
        raise CorruptError(
            "the table claims more rows than the file can hold",
            expected=f"at most {size * ROWS_PER_BYTE:,}",
            got=f"{about.num_rows:,}",
        )


def _pieces(stream: BinaryIO, file: Any, how: Plan, size: int, length: int) -> Iterator[Columns]:
    names = [how.layout.names[k] for k in how.indices]
    for group in range(file.metadata.num_row_groups):
        _check_group(stream, file.metadata.row_group(group), names, size)
        with arrow_errors(_WHAT):
            for batch in file.iter_batches(length, [group], names, use_threads=False):
                batch = batch.select(names)
                batch.validate(full=True)
                for start in range(0, batch.num_rows, length):
                    yield how.columns(batch.slice(start, length))


def _check_group(stream: BinaryIO, group: Any, names: list[str], size: int) -> None:
    if group.num_rows == 0:  # which has no pages, and no places of any
        return
    for k in range(group.num_columns):
        with arrow_errors(_WHAT):
            column = group.column(k)
            needed = column.path_in_schema in names
            elsewhere = column.file_path if needed else ""
        if elsewhere:
            raise UnsupportedError("a column that lies in another file", got=elsewhere)
        if needed:
            parquet_pages.check_column(stream, column, size)


def _events(
    pieces: Iterator[Columns], how: Plan, promised: int, dropped: dict[str, int]
) -> Iterator[Batch]:
    events, extra = 0, len(how.layout.extra)
    for columns in pieces:
        made = how.converter.batch(*columns)
        events += made.t.size
        if extra:
            dropped["extra_column_values"] = extra * events
        yield made
    if events != promised:
        raise CorruptError(
            "the row groups hold another number of rows than they say",
            expected=f"{promised:,}",
            got=f"{events:,}",
        )
