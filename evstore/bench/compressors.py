"""General compressors on what suits them: columns, with times as differences, or byte planes.

Differences of time are in the narrower of 32 and 64 bits, the first time apart. Byte planes are
the same columns with all their lowest bytes first, then the next ones: what is nearly always zero
lies together. Each compressor gets the layout that is smaller with it on most recordings; its name
says which.
"""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfColumns, variant
from evstore.events import Events

FAMILY = "general compressor"
_WIDTHS = {"x": 2, "y": 2, "p": 1}  # bytes


class Compressor(OfColumns):
    """Each column a compressed file. ``t.8`` is one of 64-bit differences, ``t.4`` of 32-bit."""

    family = FAMILY
    note = "compressed and timed as it is: tiles would be found"
    tiles = False
    codec: ClassVar[Callable[[], tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]]

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.pack, self.unpack = type(self).codec()

    def write(self, taken: Events) -> None:
        t = narrow_differences(taken.t)
        np.save(self.path + ".first.npy", taken.t[0])
        columns = {f"t.{t.itemsize}": t, "x": taken.x, "y": taken.y, "p": taken.p}
        for name, column in columns.items():
            with open(f"{self.path}.{name}", "wb") as file:
                file.write(self.pack(self.laid_out(column)))

    def read(self) -> list[NDArray[Any]]:
        width = 8 if os.path.exists(f"{self.path}.t.8") else 4
        t = self.column(f"t.{width}", width).astype(np.int64)
        t[0] = np.load(self.path + ".first.npy")
        np.cumsum(t, out=t)
        return [t, *(self.column(name, width) for name, width in _WIDTHS.items())]

    def column(self, name: str, width: int) -> NDArray[Any]:
        with open(f"{self.path}.{name}", "rb") as file:
            return self.of_layout(self.unpack(file.read()), width)

    def laid_out(self, column: NDArray[Any]) -> bytes:
        return column.tobytes()

    def of_layout(self, raw: bytes, width: int) -> NDArray[Any]:
        return np.frombuffer(raw, f"<i{width}" if width == 8 else f"<u{width}")


class PlaneCompressor(Compressor):
    """The same, each column in byte planes."""

    def laid_out(self, column: NDArray[Any]) -> bytes:
        octets = np.ascontiguousarray(column).view(np.uint8).reshape(len(column), -1)
        return octets.T.tobytes()

    def of_layout(self, raw: bytes, width: int) -> NDArray[Any]:
        planes = np.frombuffer(raw, np.uint8).reshape(width, -1)
        column: NDArray[Any] = planes[0].astype(f"u{width}")
        for place, plane in enumerate(planes[1:], 1):
            if plane.any():
                column |= np.left_shift(plane, 8 * place, dtype=column.dtype)
        return column.view(np.int64) if width == 8 else column


def narrow_differences(t: NDArray[np.int64]) -> NDArray[Any]:
    """Each time less the one before it, 0 for the first; in 32 bits if all fit."""
    found = np.diff(t, prepend=t[0])
    fits = found.min() >= 0 and found.max() < 1 << 32
    return found.astype(np.uint32) if fits else found


def brotli(quality: int) -> Any:
    """brotli at a quality."""

    def codec() -> Any:
        import brotli as module

        return lambda raw: module.compress(raw, quality=quality), module.decompress

    return codec


def zstd(level: int) -> Any:
    """zstd at a level."""

    def codec() -> Any:
        import zstandard

        packer, unpacker = zstandard.ZstdCompressor(level), zstandard.ZstdDecompressor()
        return packer.compress, unpacker.decompress

    return codec


def _of(base: type[Compressor], name: str, codec: Any, *packages: str) -> type[Compressor]:
    layout = "planes" if base is PlaneCompressor else "columns"
    return variant(base, f"{name}, {layout}", codec=staticmethod(codec), packages=packages)


CONTENDERS: tuple[type[Contender], ...] = (
    _of(PlaneCompressor, "zlib 6", lambda: (zlib.compress, zlib.decompress)),
    _of(PlaneCompressor, "brotli 1", brotli(1), "brotli"),
    _of(PlaneCompressor, "brotli 6", brotli(6), "brotli"),
    _of(PlaneCompressor, "brotli 11", brotli(11), "brotli"),
    _of(Compressor, "zstd 3", zstd(3), "zstandard"),
    _of(PlaneCompressor, "zstd 3", zstd(3), "zstandard"),
    _of(PlaneCompressor, "zstd 19", zstd(19), "zstandard"),
    _of(PlaneCompressor, "LZMA 6", lambda: (lzma.compress, lzma.decompress)),
    _of(Compressor, "bzip2 9", lambda: (bz2.compress, bz2.decompress)),
)
