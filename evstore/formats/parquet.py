"""Apache Parquet: a table with the columns t, x, y and p.

https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.array_table import Columns, piece_length
from evstore.formats.arrow_table import Plan, arrow_errors, plan, require_pyarrow
from evstore.formats.parquet_layout import Layout, check_pages, read_footer
from evstore.formats.reading import Batch, Reading, ReadOptions

if TYPE_CHECKING:
    from evstore.formats.arrow_writer import Writer

NAME = "parquet"
TITLE = "Parquet (columns t, x, y, p)"
SUFFIXES = (".parquet", ".pq")
INPUT_FORMATS = (NAME,)
WRITES = True
SEEKS = True
KEEPS = ()
CHECKED = ("pyarrow", "duckdb", "polars")
ASKS = ("--columns", "--time-unit")

#: pyarrow is a C++ library: what it does with damaged bytes is tested in processes of their own.
C_PARSED = True

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
FOOTER_BYTES = 8

#: Bytes of a footer, at most: a million row groups need fewer.
FOOTER_LIMIT = 67_108_864

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
    layout, size = _footer(stream)
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
        schema = file.schema_arrow
        how = plan(schema, options)
    if any(len(group.columns) != len(schema.names) for group in layout.groups):
        raise UnsupportedError("a table with nested columns", got=f"{schema.names!r:.200}")
    dropped: dict[str, int] = {}
    metadata = {"created_by": layout.created_by, **how.metadata}
    checked = _checked_groups(stream, layout, how, size)
    pieces = _pieces(file, checked, how, piece_length(options.batch_events, 8))
    events = _events(pieces, how, layout.rows, dropped)
    stated = {"events": layout.rows}
    return Reading(NAME, how.resolution, events, metadata, b"", dropped, stated=stated)


def writer(
    stream: BinaryIO, resolution: tuple[int, int] | None, metadata: dict[str, Any]
) -> Writer:
    """Give back what takes events and writes row groups of a million."""
    from evstore.formats.arrow_writer import parquet_writer

    return parquet_writer(stream, resolution)


def _footer(stream: BinaryIO) -> tuple[Layout, int]:
    """What the footer at the file's end says, and the file's size."""
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
    if length > min(size - len(MAGIC) - FOOTER_BYTES, FOOTER_LIMIT):
        raise CorruptError(
            "the footer is longer than the file, or than it may be",
            offset=size - FOOTER_BYTES,
            expected=f"<= {min(size - len(MAGIC) - FOOTER_BYTES, FOOTER_LIMIT):,}",
            got=f"{length:,}",
        )
    stream.seek(size - FOOTER_BYTES - length)
    layout = read_footer(stream.read(length), size)
    stream.seek(0)
    return layout, size


def _checked_groups(stream: BinaryIO, layout: Layout, how: Plan, size: int) -> Iterator[int]:
    """The numbers of the row groups that have rows, each once its pages are known to be good."""
    for k, group in enumerate(layout.groups):
        if group.rows:  # else it has no pages, and no places of any
            for column in how.indices:
                check_pages(stream, *group.columns[column], size)
            yield k


def _pieces(file: Any, groups: Iterator[int], how: Plan, length: int) -> Iterator[Columns]:
    names = [how.layout.names[k] for k in how.indices]
    for group in groups:
        with arrow_errors(_WHAT):
            for batch in file.iter_batches(length, [group], names, use_threads=False):
                batch = batch.select(names)
                batch.validate(full=True)
                for start in range(0, batch.num_rows, length):
                    yield how.columns(batch.slice(start, length))


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
