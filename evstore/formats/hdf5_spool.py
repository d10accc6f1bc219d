"""A large deflated chunk of an HDF5 dataset, inflated into a temporary file."""

from __future__ import annotations

import tempfile
import weakref
import zlib
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats.hdf5_filters import DEFLATE_RATIO, INFLATE_AT_ONCE


class Spool:
    """``count`` values of a dtype; the temporary file goes when this does.

    ``shuffled``: the lowest byte of every value comes first, then the next of every value.
    Raises CorruptError where the chunk does not hold so many.
    """

    def __init__(
        self,
        stream: BinaryIO,
        place: int,
        packed: int,
        count: int,
        dtype: np.dtype[Any],
        shuffled: bool,
    ) -> None:
        self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - it outlives this
        weakref.finalize(self, self._file.close)
        self._count, self._dtype = count, dtype
        self._planes = dtype.itemsize if shuffled else 1
        size = count * dtype.itemsize
        if (
            size > packed * DEFLATE_RATIO
            or _inflate(stream, place, packed, size, self._file) != size
        ):
            raise CorruptError(
                "a gzip chunk does not hold what it says", offset=place, expected=f"{size:,} bytes"
            )

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Some of the values, in an array of their own."""
        width = self._dtype.itemsize // self._planes
        octets = np.empty((self._planes, (stop - start) * width), np.uint8)
        for k, plane in enumerate(octets):
            self._file.seek((k * self._count + start) * width)
            plane[:] = np.frombuffer(self._file.read(plane.size), np.uint8)
        if self._planes > 1:
            octets = np.ascontiguousarray(octets.T)
        return octets.reshape(-1).view(self._dtype)


def _inflate(stream: BinaryIO, place: int, packed: int, size: int, out: BinaryIO) -> int:
    """Bytes that a deflate stream unpacks to; it stops where these are more than ``size``."""
    inflate, total = zlib.decompressobj(), 0
    stream.seek(place)
    try:
        while total <= size and not inflate.eof:
            data = inflate.unconsumed_tail
            if not data:
                data = stream.read(min(packed, INFLATE_AT_ONCE))
                packed -= len(data)
            piece = inflate.decompress(data, INFLATE_AT_ONCE)
            if not data and not piece:
                break
            out.write(piece)
            total += len(piece)
    except zlib.error as error:
        raise CorruptError(f"a gzip chunk is damaged: {error}", offset=place) from error
    return total
