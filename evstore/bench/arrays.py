"""numpy's own files: records, columns, and archives of columns."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfColumns
from evstore.events import COLUMNS, PACKED_DTYPE, Events

DTYPES = {"t": np.int64, "x": np.uint16, "y": np.uint16, "p": np.uint8}


class Records(Contender):
    """Packed records of 13 bytes, one after the other."""

    name = "numpy records, 13 B"
    has_reuse = True

    def write(self, events: Events) -> None:
        events.to_structured(PACKED_DTYPE).tofile(self.path)

    def open(self) -> None:
        count = os.path.getsize(self.path) // PACKED_DTYPE.itemsize
        self._buffer = np.empty(count, PACKED_DTYPE)

    def read(self) -> NDArray[Any]:
        return np.fromfile(self.path, PACKED_DTYPE)

    def reuse(self) -> NDArray[Any]:
        with open(self.path, "rb", buffering=0) as file:
            file.readinto(self._buffer.view(np.uint8).data)
        return self._buffer

    def events_of(self, found: NDArray[Any]) -> Events:
        return Events.from_structured(found)


class Columns(OfColumns):
    """Four .npy files; windows by memmap, searchsorted and a copy."""

    name = "numpy columns (.npy)"
    has_windows = True

    def write(self, events: Events) -> None:
        for name in COLUMNS:
            np.save(f"{self.path}.{name}.npy", getattr(events, name))

    def open(self) -> None:
        self._maps = [np.load(f"{self.path}.{name}.npy", mmap_mode="r") for name in COLUMNS]

    def read(self) -> list[NDArray[Any]]:
        return [np.load(f"{self.path}.{name}.npy") for name in COLUMNS]

    def window(self, start: int, stop: int) -> list[NDArray[Any]]:
        low, high = np.searchsorted(self._maps[0], (start, stop))
        return [np.array(column[low:high]) for column in self._maps]

    def close(self) -> None:
        self._maps = []


class Archive(OfColumns):
    """An .npz of the four columns, compressed as `numpy.savez_compressed` does."""

    name = "numpy .npz, compressed"

    def write(self, events: Events) -> None:
        np.savez_compressed(f"{self.path}.npz", **{n: getattr(events, n) for n in COLUMNS})

    def read(self) -> list[NDArray[Any]]:
        with np.load(f"{self.path}.npz") as archive:
            return [archive[name] for name in COLUMNS]


class ZstdColumns(OfColumns):
    """Each column compressed by zstd, times as differences."""

    name = "zstd 3 on columns"

    def write(self, events: Events) -> None:
        import zstandard

        packer = zstandard.ZstdCompressor(level=3)
        for name in COLUMNS:
            column = getattr(events, name)
            if name == "t":
                column = np.diff(column, prepend=np.int64(0))
            with open(f"{self.path}.{name}.zst", "wb") as file:
                file.write(packer.compress(column.tobytes()))

    def read(self) -> list[NDArray[Any]]:
        import zstandard

        unpacker = zstandard.ZstdDecompressor()
        columns = []
        for name in COLUMNS:
            with open(f"{self.path}.{name}.zst", "rb") as file:
                raw = unpacker.decompress(file.read())
            columns.append(np.frombuffer(raw, DTYPES[name]))
        columns[0] = np.cumsum(columns[0])
        return columns
