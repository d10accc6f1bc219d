"""Writes tables of events: Arrow IPC files and Parquet, in pieces of a fixed number of events."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Protocol

from numpy.typing import ArrayLike

from evstore.events import COLUMNS, Events
from evstore.formats.arrow_table import schema_of

#: Events of a record batch: 1.7 MB, as large as a cache.
BATCH_ROWS = 131_072

#: Events of a row group: 13 MiB before compression.
GROUP_ROWS = 1_048_576


class _Sink(Protocol):
    def write_batch(self, batch: Any) -> None: ...

    def close(self) -> None: ...


class _Out(io.RawIOBase):
    """The caller's stream, which stays open, and gets nothing any more once ``muted``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.muted = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self.muted:
            self._stream.write(data)
        return len(data)


class Writer:
    """Takes events in order; the same events give the same bytes, however they come.

    The metadata has no place in it but for the resolution. `close` writes what remains and leaves
    the stream open.
    """

    def __init__(self, out: _Out, sink: _Sink, schema: Any, rows: int) -> None:
        self._out = out
        self._sink = sink
        self._schema = schema
        self._rows = rows
        self._filled = 0
        self._kept = Events.empty(length=rows)

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events, done = Events(t, x, y, p), 0
        while done < len(events):
            count = min(self._rows - self._filled, len(events) - done)
            for name in COLUMNS:
                kept = getattr(self._kept, name)
                kept[self._filled : self._filled + count] = getattr(events, name)[
                    done : done + count
                ]
            done += count
            self._filled += count
            if self._filled == self._rows:
                self._flush()

    def close(self) -> None:
        """Write the last events and what stands at the end."""
        if self._filled:
            self._flush()
        self._sink.close()

    def discard(self) -> None:
        """Write nothing any more, not even the end."""
        self._out.muted = True
        self._sink.close()

    def _flush(self) -> None:
        import pyarrow as pa

        arrays = [pa.array(getattr(self._kept, name)[: self._filled]) for name in COLUMNS]
        self._sink.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._filled = 0


def ipc_writer(stream: BinaryIO, resolution: tuple[int, int] | None) -> Writer:
    """Arrow IPC file, uncompressed."""
    schema = schema_of(resolution)
    import pyarrow as pa

    out = _Out(stream)
    return Writer(out, pa.ipc.new_file(out, schema), schema, BATCH_ROWS)


def parquet_writer(stream: BinaryIO, resolution: tuple[int, int] | None) -> Writer:
    """Parquet: times as differences, coordinates and polarity by dictionary, all of it zstd."""
    schema = schema_of(resolution)
    import pyarrow.parquet as pq

    out = _Out(stream)
    sink = pq.ParquetWriter(
        out,
        schema,
        compression="zstd",
        use_dictionary=["x", "y", "p"],
        column_encoding={"t": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    )
    return Writer(out, sink, schema, GROUP_ROWS)
