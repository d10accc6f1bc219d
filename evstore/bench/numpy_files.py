"""numpy's own files, and pickle: records, columns, and archives of columns."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfColumns, OfRecords, variant
from evstore.events import COLUMNS, PACKED_DTYPE, Events

FAMILY = "numpy"


class Records(OfRecords):
    """Packed records of 13 bytes, one after the other."""

    name, family = "numpy records, 13 B", FAMILY
    has_reuse = True

    def take(self, events: Events) -> NDArray[Any]:
        return events.to_structured(PACKED_DTYPE)

    def write(self, taken: NDArray[Any]) -> None:
        taken.tofile(self.path)

    def read(self) -> NDArray[Any]:
        return np.fromfile(self.path, PACKED_DTYPE)

    def buffers(self) -> None:
        self._buffer = np.empty(os.path.getsize(self.path) // PACKED_DTYPE.itemsize, PACKED_DTYPE)

    def reuse(self) -> NDArray[Any]:
        with open(self.path, "rb", buffering=0) as file:
            file.readinto(self._buffer.view(np.uint8).data)
        return self._buffer


class Npy(OfColumns):
    """Four .npy files; windows by memmap, searchsorted and a copy."""

    name, family = ".npy columns", FAMILY
    has_open = has_windows = True

    def write(self, taken: Events) -> None:
        for name in COLUMNS:
            np.save(f"{self.path}.{name}.npy", getattr(taken, name))

    def read(self) -> list[NDArray[Any]]:
        return [np.load(f"{self.path}.{name}.npy") for name in COLUMNS]

    def open(self) -> None:
        self._maps = [np.load(f"{self.path}.{name}.npy", mmap_mode="r") for name in COLUMNS]

    def window(self, start: int, stop: int) -> list[NDArray[Any]]:
        low, high = np.searchsorted(self._maps[0], (start, stop))
        return [np.array(column[low:high]) for column in self._maps]

    def close(self) -> None:
        self._maps = []


class Npz(OfColumns):
    """An .npz of the four columns, as `numpy.savez` writes it."""

    name, family = ".npz", FAMILY
    save = staticmethod(np.savez)

    def write(self, taken: Events) -> None:
        self.save(f"{self.path}.npz", **{name: getattr(taken, name) for name in COLUMNS})

    def read(self) -> list[NDArray[Any]]:
        with np.load(f"{self.path}.npz") as archive:
            return [archive[name] for name in COLUMNS]


class Pickle(OfRecords):
    """The structured array, pickled with the newest protocol."""

    name, family = "pickle", FAMILY

    def take(self, events: Events) -> NDArray[Any]:
        return events.to_structured(PACKED_DTYPE)

    def write(self, taken: NDArray[Any]) -> None:
        with open(self.path, "wb") as file:
            pickle.dump(taken, file, pickle.HIGHEST_PROTOCOL)

    def read(self) -> Any:
        with open(self.path, "rb") as file:
            return pickle.load(file)


CONTENDERS: tuple[type[Contender], ...] = (
    Records,
    Npy,
    Npz,
    variant(Npz, ".npz, compressed", save=staticmethod(np.savez_compressed)),
    Pickle,
)
