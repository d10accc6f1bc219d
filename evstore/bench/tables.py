"""Stores of columns: zarr, Parquet, Arrow's IPC files."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

import shutil
import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfColumns, variant
from evstore.events import COLUMNS, Events

FAMILY = "columnar store"
CHUNK = 65_536  # events, of a chunk, row group or batch
SHARD = 16 * CHUNK


class Zarr(OfColumns):
    """A zarr 3 group of sharded columns, and the first event of each millisecond."""

    name, family = "zarr, blosc zstd 5", FAMILY
    packages: ClassVar[tuple[str, ...]] = ("zarr",)
    has_open = has_windows = True

    def codecs(self) -> dict[str, Any]:
        from zarr.codecs import BloscCodec

        return {"compressors": BloscCodec(cname="zstd", clevel=5, shuffle="shuffle")}

    def columns(self, events: Events) -> dict[str, NDArray[Any]]:
        return {name: getattr(events, name) for name in COLUMNS}

    def write(self, taken: Events) -> None:
        import zarr

        shutil.rmtree(self.path, ignore_errors=True)
        group = zarr.create_group(self.path)
        first, last = int(taken.t.min()) // 1000, int(taken.t.max()) // 1000
        steps = 1000 * np.arange(first, last + 2, dtype=np.int64)
        group.attrs["first_ms"] = first
        group["ms_to_idx"] = np.searchsorted(taken.t, steps)
        for name, column in self.columns(taken).items():
            array = group.create_array(
                name,
                shape=column.shape,
                dtype=column.dtype,
                chunks=(CHUNK,),
                shards=(SHARD,),
                **self.codecs(),
            )
            array[:] = column

    def read(self) -> list[NDArray[Any]]:
        import zarr

        group = zarr.open_group(self.path, mode="r")
        return [group[name][:] for name in COLUMNS]

    def open(self) -> None:
        import zarr

        group = zarr.open_group(self.path, mode="r")
        self._first_ms, self._firsts = group.attrs["first_ms"], group["ms_to_idx"][:]
        self._columns = [group[name] for name in COLUMNS]

    def window(self, start: int, stop: int) -> list[NDArray[Any]]:
        last = len(self._firsts) - 1
        low = int(self._firsts[start // 1000 - self._first_ms])
        high = int(self._firsts[min(-(-stop // 1000) - self._first_ms, last)])
        t = self._columns[0][low:high]
        first, end = np.searchsorted(t, (start, stop))
        piece = slice(low + int(first), low + int(end))
        return [t[first:end].copy(), *(column[piece] for column in self._columns[1:])]


class ZarrPcodec(Zarr):
    """The same with pcodec 8 as its serializer; p in 16 bits."""

    name = "zarr, pcodec 8"
    packages = ("zarr", "numcodecs", "pcodec")

    def codecs(self) -> dict[str, Any]:
        from zarr.codecs.numcodecs import PCodec

        with warnings.catch_warnings():  # that no other implementation of zarr may read it
            warnings.simplefilter("ignore")
            return {"serializer": PCodec(level=8), "compressors": None}

    def columns(self, events: Events) -> dict[str, NDArray[Any]]:
        return {**super().columns(events), "p": events.p.astype(np.uint16)}


class Parquet(OfColumns):
    """A table in row groups: times by differences, coordinates in byte planes, then zstd."""

    name, family = "Parquet, delta and zstd", FAMILY
    packages = ("pyarrow",)
    has_open = has_windows = True
    settings: ClassVar[dict[str, Any]] = {
        "compression": "zstd",
        "use_dictionary": False,
        "column_encoding": {
            "t": "DELTA_BINARY_PACKED",
            "x": "BYTE_STREAM_SPLIT",
            "y": "BYTE_STREAM_SPLIT",
        },
    }

    def take(self, events: Events) -> Any:
        return events.to_arrow()

    def write(self, taken: Any) -> None:
        from pyarrow import parquet

        parquet.write_table(taken, self.path + ".parquet", row_group_size=CHUNK, **self.settings)

    def read(self) -> list[NDArray[Any]]:
        from pyarrow import parquet

        table = parquet.ParquetFile(self.path + ".parquet").read(use_threads=False)
        return [table[name].to_numpy() for name in COLUMNS]

    def open(self) -> None:
        from pyarrow import parquet

        self._file = parquet.ParquetFile(self.path + ".parquet")
        meta = self._file.metadata
        times = [meta.row_group(i).column(0).statistics for i in range(meta.num_row_groups)]
        self._low = np.array([of.min for of in times])
        self._high = np.array([of.max for of in times])

    def window(self, start: int, stop: int) -> list[NDArray[Any]]:
        groups = np.flatnonzero((self._high >= start) & (self._low < stop))
        table = self._file.read_row_groups(groups.tolist(), use_threads=False)
        t, *rest = (table[name].to_numpy() for name in COLUMNS)
        inside = (t >= start) & (t < stop)
        return [column[inside] for column in (t, *rest)]

    def close(self) -> None:
        self._file.close()


class Arrow(OfColumns):
    """An IPC file in batches, each column of a batch compressed by zstd."""

    name, family = "Arrow IPC, zstd", FAMILY
    packages = ("pyarrow",)
    compression: ClassVar[str | None] = "zstd"

    def take(self, events: Events) -> Any:
        return events.to_arrow()

    def write(self, taken: Any) -> None:
        from pyarrow import ipc

        options = ipc.IpcWriteOptions(compression=self.compression, use_threads=False)
        with ipc.new_file(self.path + ".arrow", taken.schema, options=options) as file:
            file.write_table(taken, max_chunksize=CHUNK)

    def read(self) -> list[NDArray[Any]]:
        import pyarrow

        options = pyarrow.ipc.IpcReadOptions(use_threads=False)
        with (
            pyarrow.memory_map(self.path + ".arrow") as mapped,
            pyarrow.ipc.open_file(mapped, options=options) as file,
        ):
            table = file.read_all()
            return [self._array(table[name]) for name in COLUMNS]

    def _array(self, column: Any) -> NDArray[Any]:
        mapped = self.compression is None and column.num_chunks == 1
        found: NDArray[Any] = column.to_numpy()  # of several chunks, or unpacked: it is fresh
        return found.copy() if mapped else found


CONTENDERS: tuple[type[Contender], ...] = (
    Zarr,
    ZarrPcodec,
    variant(Parquet, "Parquet, as it comes", settings={}),
    Parquet,
    variant(Arrow, "Arrow IPC, plain", compression=None),
    Arrow,
)
