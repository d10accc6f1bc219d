"""Writes NPZ: columns spooled to temporary files, then zipped; memory is bounded."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import ArrayLike

from evstore.errors import ArgumentError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from evstore.formats.columns import is_size
from evstore.formats.npy_header import MAGIC

#: Bytes of a column kept in memory before it moves to a file of the temporary folder.
SPOOL_BYTES = 4_194_304

#: The least date a zip can say, so that equal events give equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
_READABLE_BY_ALL = 0o644 << 16
_ALIGNMENT = 64


class Writer:
    """Takes events in order; `close` writes the archive and leaves the stream open.

    As a context manager it closes at the end, and after an error only throws the spool away.
    The metadata has no place in an NPZ: it is not written.
    """

    def __init__(self, stream: BinaryIO, resolution: tuple[int, int] | None) -> None:
        if resolution is not None and not is_size(resolution):
            raise ArgumentError(f"resolution must be 1 to 65536 each way, got {resolution}")
        self._stream = stream
        self._resolution = resolution
        self._events = 0
        self._spools = {
            name: tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115
            for name in COLUMNS
        }

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        for name, spool in self._spools.items():
            column = getattr(events, name)
            spool.write(column.astype(_little(name), copy=False).tobytes())
        self._events += len(events)

    def close(self) -> None:
        """Write the archive: stored members t, x, y, p, then width and height where known."""
        try:
            with zipfile.ZipFile(self._stream, "w", zipfile.ZIP_STORED) as archive:
                for name, spool in self._spools.items():
                    spool.seek(0)
                    self._add(archive, name, _little(name), (self._events,), spool)
                for name, side in zip(("width", "height"), self._resolution or (), strict=False):
                    value = np.array(side, "<i8").tobytes()
                    self._add(archive, name, np.dtype("<i8"), (), value)
        finally:
            self.discard()

    def discard(self) -> None:
        """Throw the spooled columns away."""
        for spool in self._spools.values():
            spool.close()

    def _add(
        self,
        archive: zipfile.ZipFile,
        name: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        values: Any,
    ) -> None:
        info = zipfile.ZipInfo(f"{name}.npy", _DATE)
        info.create_system = 3  # the same bytes on every system
        info.external_attr = _READABLE_BY_ALL
        # Zip64 from the start where the size may need it: the stream may be a pipe.
        large = self._events * dtype.itemsize > zipfile.ZIP64_LIMIT // 2
        with archive.open(info, "w", force_zip64=large) as member:
            member.write(_header(dtype, shape))
            if isinstance(values, bytes):
                member.write(values)
            else:
                shutil.copyfileobj(cast(BinaryIO, values), member, 1 << 20)


def _little(name: str) -> np.dtype[Any]:
    dtype: np.dtype[Any] = COLUMN_DTYPES[name]  # type: ignore[assignment,unused-ignore]
    return dtype.newbyteorder("<")


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """NPY version 1.0, padded so that the values begin at a multiple of 64 bytes."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    start = len(MAGIC) + 4
    padding = -(start + len(text) + 1) % _ALIGNMENT
    body = text.encode("ascii") + b" " * padding + b"\n"
    return MAGIC + bytes([1, 0]) + len(body).to_bytes(2, "little") + body
