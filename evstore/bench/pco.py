"""pcodec, the strongest peer that is no event format: level 8, a file or a buffer a column."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfColumns
from evstore.events import COLUMNS, Events

LEVEL = 8


def compress(events: Events) -> dict[str, bytes]:
    """Each column; t by its first difference, p in 16 bits, since pcodec refuses 8."""
    from pcodec import ChunkConfig, DeltaSpec, standalone

    plain = ChunkConfig(compression_level=LEVEL)
    delta = ChunkConfig(compression_level=LEVEL, delta_spec=DeltaSpec.try_consecutive(1))
    columns: dict[str, NDArray[Any]] = {n: np.ascontiguousarray(getattr(events, n)) for n in "txy"}
    columns["p"] = events.p.astype(np.uint16)
    return {
        name: standalone.simple_compress(column, delta if name == "t" else plain)
        for name, column in columns.items()
    }


def decompress(columns: dict[str, bytes]) -> list[NDArray[Any]]:
    """The columns t, x, y, p in fresh arrays."""
    from pcodec import standalone

    return [standalone.simple_decompress(columns[name]) for name in COLUMNS]


class Files(OfColumns):
    """A file a column."""

    name, family = "pcodec 8, files", "pcodec"
    packages = ("pcodec",)
    first_reads = 5
    has_reuse = True

    def write(self, taken: Events) -> None:
        for name, packed in compress(taken).items():
            with open(f"{self.path}.{name}.pco", "wb") as file:
                file.write(packed)

    def read(self) -> list[NDArray[Any]]:
        return decompress(self.packed())

    def packed(self) -> dict[str, bytes]:
        columns = {}
        for name in COLUMNS:
            with open(f"{self.path}.{name}.pco", "rb") as file:
                columns[name] = file.read()
        return columns

    def buffers(self) -> None:
        self._buffers = self.read()

    def reuse(self) -> list[NDArray[Any]]:
        from pcodec import standalone

        packed = self.packed()
        for name, buffer in zip(COLUMNS, self._buffers, strict=True):
            standalone.simple_decompress_into(packed[name], buffer)
        return self._buffers


class Memory(Files):
    """The same from buffers in memory: no files, no container."""

    name = "pcodec 8, in memory"
    note = "no files: what it compresses stays in memory"
    _packed: dict[str, bytes] | None = None

    def write(self, taken: Events) -> None:
        self._packed = compress(taken)

    def packed(self) -> dict[str, bytes]:
        return super().packed() if self._packed is None else self._packed

    def open(self) -> None:  # in another process than the one that wrote
        self._packed = self.packed()

    def keep(self) -> None:
        for name, packed in self.packed().items():
            with open(f"{self.path}.{name}.pco", "wb") as file:
                file.write(packed)


CONTENDERS: tuple[type[Contender], ...] = (Files, Memory)
