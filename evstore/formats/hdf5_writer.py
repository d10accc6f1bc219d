"""Write HDF5 as DSEC keeps it: columns in blosc chunks, an index of milliseconds, an offset."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError, MissingDependencyError, UnsupportedError
from evstore.events import Events
from evstore.formats.columns import is_size

#: Events of a chunk, and entries of a chunk of ``ms_to_idx``.
CHUNK_EVENTS = 65_536

#: The largest time that uint32 holds, in microseconds after ``t_offset``.
TIME_MAX = 4_294_967_295

DTYPES = {
    "events/t": "<u4",
    "events/x": "<u2",
    "events/y": "<u2",
    "events/p": "|u1",
    "ms_to_idx": "<u8",
}
ZSTD_LEVEL = 5

_COPY_BYTES = 1 << 20


class Writer:
    """Takes events in order; `close` copies the file to the stream and leaves that open.

    HDF5 is written by going back and forth, so it grows in a temporary file first. Every value
    and the order are kept exactly: ``t_offset`` is the first event's time, or 0 with ``rebase``,
    which makes the first time 0. Raises UnsupportedError naming the first event that the layout
    cannot hold: one before the first in time, or more than 4294.97 s behind it.
    """

    def __init__(
        self, stream: BinaryIO, resolution: tuple[int, int] | None, rebase: bool = False
    ) -> None:
        if resolution is not None and not is_size(resolution):
            raise ArgumentError(f"resolution must be 1 to 65536 each way, got {resolution}")
        h5py, packing = _libraries()
        self.events = 0
        self.origin: int | None = None if rebase else 0
        self._stream = stream
        self._first: int | None = None
        self._latest = -1  # the largest time so far, after the first
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115
        self._file: Any = h5py.File(self._spool, "w", libver=("earliest", "v110"))
        for name, side in zip(("width", "height"), resolution or (), strict=False):
            self._file.attrs[name] = np.int64(side)
        # Kept open: a dataset that is closed packs its last chunk, full or not.
        self._datasets = {
            path: self._file.create_dataset(
                path, (0,), dtype, maxshape=(None,), chunks=(CHUNK_EVENTS,), **packing
            )
            for path, dtype in DTYPES.items()
        }
        self._append("ms_to_idx", np.zeros(1, np.uint64))

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        if len(events) == 0:
            return
        if self._first is None:
            self._first = int(events.t[0])
            self.origin = self._first if self.origin is None else 0
        times = self._after_first(events)
        self._index(times)
        columns: dict[str, NDArray[Any]] = {"t": times, "x": events.x, "y": events.y, "p": events.p}
        for name, column in columns.items():
            self._append(f"events/{name}", column)
        self.events += len(events)

    def close(self) -> None:
        """Write the file to the stream."""
        try:
            offset = 0 if self.origin else self._first or 0
            self._file.create_dataset("t_offset", data=np.int64(offset))
            if self.events:
                self._append("ms_to_idx", np.array([self.events], np.uint64))
            self._file.close()
            self._spool.seek(0)
            shutil.copyfileobj(self._spool, self._stream, _COPY_BYTES)
        finally:
            self.discard()

    def discard(self) -> None:
        """Throw the temporary file away."""
        self._file.close()
        self._spool.close()

    def _append(self, path: str, values: NDArray[Any]) -> None:
        dataset = self._datasets[path]
        done = dataset.shape[0]
        dataset.resize(done + len(values), axis=0)
        dataset[done:] = values.astype(dataset.dtype, copy=False)

    def _after_first(self, events: Events) -> NDArray[np.int64]:
        assert self._first is not None
        most = min(self._first + TIME_MAX, np.iinfo(np.int64).max)
        good = (events.t >= self._first) & (events.t <= most)
        if not good.all():
            k = int(np.argmin(good))
            time, x, y = (int(column[k]) for column in (events.t, events.x, events.y))
            raise UnsupportedError(
                f"DSEC's layout cannot hold event {self.events + k:,} (t {time}, x {x}, y {y})",
                field="t",
                expected=f"{self._first} (the first event's time) to {most}",
                got=time,
            )
        return np.asarray(events.t - self._first)

    def _index(self, times: NDArray[np.int64]) -> None:
        """For every new millisecond, the first event that is not before it."""
        latest = np.maximum(np.maximum.accumulate(times), self._latest)
        begun = self._latest // 1000 + 1 if self._latest >= 0 else 1
        marks = np.arange(begun, int(latest[-1]) // 1000 + 1, dtype=np.int64)
        if marks.size:
            places = np.searchsorted(latest, marks * 1000, side="left") + self.events
            self._append("ms_to_idx", places.astype(np.uint64))
        self._latest = int(latest[-1])


def _libraries() -> tuple[Any, Any]:
    """(h5py, what to pass for blosc with zstd behind a byte shuffle)."""
    try:
        import h5py
    except ImportError:
        raise MissingDependencyError("h5py", "hdf5", "writing HDF5") from None
    try:
        import hdf5plugin
    except ImportError:
        raise MissingDependencyError("hdf5plugin", "hdf5", "writing DSEC's layout") from None
    shuffle = hdf5plugin.Blosc.SHUFFLE
    return h5py, hdf5plugin.Blosc(cname="zstd", clevel=ZSTD_LEVEL, shuffle=shuffle)
