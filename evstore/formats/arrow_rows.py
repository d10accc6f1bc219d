"""The rows of a long record batch, a piece at a time, straight from the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from evstore.errors import CorruptError, TruncatedError
from evstore.formats.array_table import Columns
from evstore.formats.arrow_messages import FlatTable, Message
from evstore.formats.arrow_table import Plan, arrow_errors
from evstore.formats.records import fill

#: A row of booleans starts in the middle of a byte, but each eighth does not.
STEP = 8


def has_rows(schema: Any) -> bool:
    """Whether every column is values of a fixed width behind a bitmap of nulls.

    Others (texts, lists, columns of nothing) have more buffers, or fewer: where a column's are
    among all those of a batch, its schema alone would not tell.
    """
    import pyarrow as pa

    return all(
        pa.types.is_primitive(kind) or pa.types.is_fixed_size_binary(kind) for kind in schema.types
    )


class Rows:
    """A record batch whose body stays where it is, of a schema that `has_rows`.

    Raises CorruptError where a column does not hold what the batch says.
    """

    def __init__(self, stream: BinaryIO, message: Message, schema: Any) -> None:
        batch = FlatTable.root(message.metadata).table(2)
        assert batch is not None
        assert message.body_at is not None
        self._stream = stream
        self._message = message
        self._types = schema.types
        self._count = batch.number(0, "<q")
        self._nodes = batch.structs(1, "<qq")
        self._buffers = batch.structs(2, "<qq")
        if len(self._nodes) != len(schema) or len(self._buffers) != 2 * len(schema):
            raise CorruptError(
                "a record batch has not the columns that the schema says", offset=message.at
            )

    def pieces(self, how: Plan, length: int) -> Iterator[Columns]:
        """At most ``length`` rows at a time."""
        import pyarrow as pa

        self._require_there(how.indices)
        step = max(STEP, length // STEP * STEP)
        for start in range(0, self._count, step):
            with arrow_errors("the Arrow data"):
                count = min(step, self._count - start)
                arrays = [self._array(k, start, count) for k in how.indices]
                piece = pa.RecordBatch.from_arrays(arrays, [f"{k}" for k in range(len(arrays))])
            for at in range(0, count, length):
                yield how.columns(piece.slice(at, length))
        assert self._message.body_at is not None
        self._stream.seek(self._message.body_at + self._message.body_bytes)

    def _array(self, column: int, start: int, count: int) -> Any:
        import pyarrow as pa

        kind = self._types[column]
        (nulls_at, nulls), (values_at, _) = self._buffers[2 * column : 2 * column + 2]
        parts = [
            self._read(nulls_at, 1, start, count) if nulls else None,
            self._read(values_at, _bits(kind), start, count),
        ]
        return pa.Array.from_buffers(kind, count, parts)

    def _read(self, at: int, bits: int, start: int, count: int) -> Any:
        import pyarrow as pa

        assert self._message.body_at is not None
        self._stream.seek(self._message.body_at + at + start * bits // 8)
        data = bytearray((count * bits + 7) // 8)
        if fill(self._stream, memoryview(data)) < len(data):
            raise TruncatedError("the file ends inside a record batch", safe_events=0)
        return pa.py_buffer(data)

    def _require_there(self, columns: Sequence[int]) -> None:
        """The columns that are read have the rows, and these are in the body."""
        good = self._count >= 0
        for k in columns:
            (at, size), (values_at, values) = self._buffers[2 * k : 2 * k + 2]
            no_nulls = size == 0  # then there is no bitmap of them
            good = good and self._nodes[k][0] == self._count
            good = good and self._holds(values_at, values, self._count * _bits(self._types[k]))
            good = good and (no_nulls or self._holds(at, size, self._count))
        if not good:
            raise CorruptError(
                "a record batch does not hold the rows that it says", offset=self._message.at
            )

    def _holds(self, at: int, size: int, bits: int) -> bool:
        return at >= 0 and 8 * size >= bits and at + size <= self._message.body_bytes


def _bits(kind: Any) -> int:
    """The width of a value of a column that `plan` takes: a number, or a time."""
    return int(kind.bit_width)
