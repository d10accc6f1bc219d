"""Arrow IPC, the file (Feather V2) and the stream: a table with the columns t, x, y and p.

https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.array_table import Columns, piece_length
from evstore.formats.arrow_messages import (
    CONTINUATION,
    DICTIONARY,
    MAGIC,
    RECORDS,
    SCHEMA,
    Message,
    Messages,
    Placed,
    begins_with_schema,
    footer_is_big_endian,
    is_big_endian,
    read_footer,
)
from evstore.formats.arrow_rows import Rows, has_rows
from evstore.formats.arrow_table import Plan, arrow_errors, plan, require_pyarrow
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.records import read_head

if TYPE_CHECKING:
    from evstore.formats.arrow_writer import Writer

NAME = "arrow"
TITLE = "Arrow IPC, file or stream (columns t, x, y, p)"
SUFFIXES = (".arrow", ".arrows", ".feather", ".ipc")
INPUT_FORMATS = (NAME,)
WRITES = True
SEEKS = False
KEEPS = ()
CHECKED = ("pyarrow", "polars")
ASKS = ("--columns", "--time-unit")
MEMORY = "bounded; from a pipe, or compressed: a whole record batch"

#: pyarrow is a C++ library: what it does with damaged bytes is tested in processes of their own.
C_PARSED = True

FILE_START = 8

_WHAT = "the Arrow data"


def probe(head: bytes, size: int | None) -> bool:
    """Whether it is an IPC file, or a stream that begins with a schema."""
    return head.startswith(MAGIC + b"\x00\x00") or begins_with_schema(head)


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The schema now, record batches lazily.

    A file without its footer, or from a pipe, is read as the stream that it holds.

    Raises ArgumentError where the columns or the unit of time must be said,
    MissingDependencyError without pyarrow.
    """
    require_pyarrow()
    head = read_head(stream)
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    is_file = head.startswith(MAGIC)
    marked = head.startswith(CONTINUATION.to_bytes(4, "little"))
    if not is_file and not marked and not begins_with_schema(head):
        raise FormatError("no Arrow IPC", offset=0, expected=MAGIC, got=head[:16])
    footer = read_footer(stream) if is_file and stream.seekable() else None
    messages: Messages | Placed
    if footer is not None:
        schema, messages = _schema_of_file(stream, footer), Placed(stream, footer)
    else:
        at = min(FILE_START, len(head)) if is_file else 0
        messages = Messages(stream, head[at:], at)
        first = next(iter(messages), None)
        if first is None:
            raise TruncatedError("the file ends before its schema", safe_events=0, offset=len(head))
        schema = _schema(first)
    with arrow_errors(_WHAT):
        _require_plain(schema)
        how = plan(schema, options)
        messages.by_rows = has_rows(schema)
    dropped: dict[str, int] = {}
    metadata = {"container": "file" if is_file else "stream", **how.metadata}
    pieces = _pieces(messages, schema, how, piece_length(options.batch_events, 8))
    events = _events(pieces, messages, how, is_file, dropped)
    return Reading(NAME, how.resolution, events, metadata, b"", dropped)


def writer(
    stream: BinaryIO, resolution: tuple[int, int] | None, metadata: dict[str, Any]
) -> Writer:
    """Give back what takes events and writes an IPC file, uncompressed: it can be mapped."""
    from evstore.formats.arrow_writer import ipc_writer

    return ipc_writer(stream, resolution)


def _schema(message: Message) -> Any:
    import pyarrow as pa

    if message.kind != SCHEMA:
        raise CorruptError("the first message is no schema", offset=message.at, got=message.kind)
    if is_big_endian(message.metadata):
        raise UnsupportedError("big-endian Arrow data")
    with arrow_errors(_WHAT):
        schema = pa.ipc.read_schema(pa.py_buffer(message.data))
    return schema


def _schema_of_file(stream: BinaryIO, footer: bytes) -> Any:
    import pyarrow as pa

    if footer_is_big_endian(footer):
        raise UnsupportedError("big-endian Arrow data")
    with arrow_errors(_WHAT):
        return pa.ipc.open_file(stream).schema


def _require_plain(schema: Any) -> None:
    import pyarrow as pa

    coded = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    if coded:
        raise UnsupportedError("columns that are coded by a dictionary", got=", ".join(coded)[:200])


def _pieces(messages: Messages | Placed, schema: Any, how: Plan, length: int) -> Iterator[Columns]:
    import pyarrow as pa

    for message in messages:
        if message.kind == DICTIONARY:
            continue
        if message.kind != RECORDS:
            raise CorruptError("no record batch", offset=message.at, got=message.kind)
        if message.body_at is not None:
            yield from Rows(messages.stream, message, schema).pieces(how, length)
            continue
        with arrow_errors(_WHAT):
            batch = pa.ipc.read_record_batch(pa.py_buffer(message.data), schema)
            batch = pa.RecordBatch.from_arrays(
                [batch.column(k) for k in how.indices], [f"{k}" for k in range(len(how.indices))]
            )
            batch.validate(full=True)
        for start in range(0, batch.num_rows, length):
            yield how.columns(batch.slice(start, length))


def _events(
    pieces: Iterator[Columns],
    messages: Messages | Placed,
    how: Plan,
    is_file: bool,
    dropped: dict[str, int],
) -> Iterator[Batch]:
    events = 0
    extra = len(how.layout.extra)
    try:
        for columns in pieces:
            made = how.converter.batch(*columns)
            events += made.t.size
            if extra:
                dropped["extra_column_values"] = extra * events
            yield made
    except TruncatedError as error:
        error.safe_events = events
        raise
    if isinstance(messages, Messages):
        _require_end(messages, is_file, events)


def _require_end(messages: Messages, is_file: bool, events: int) -> None:
    """Raises for a file without its end, and for bytes behind the end of a stream.

    A stream may end with a mark, or just end.
    """
    count, last = messages.rest()
    if is_file and not (messages.ended and last.endswith(MAGIC)):
        raise TruncatedError(
            "the file ends before its footer does",
            safe_events=events,
            offset=messages.at + count,
        )
    if not is_file and count:
        raise CorruptError(
            "the file goes on behind its table",
            offset=messages.at,
            got=f"{count:,} bytes",
            hint="it may hold a second stream",
        )
