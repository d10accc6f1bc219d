"""Write Prophesee HDF5 as the vendor's writer does: ECF chunks, triggers, an index of both."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError, MissingDependencyError, UnsupportedError
from evstore.events import Events
from evstore.formats import prophesee_hdf5_writer_kernels as kernels
from evstore.formats.evt3_writer import HEADER_KEYS
from evstore.formats.prophesee_hdf5 import (
    CHUNK_EVENTS,
    ECF_FILTER,
    EVENTS,
    INDEX_PERIOD,
    INDEXES,
    TRIGGER_INDEXES,
    TRIGGERS,
    VERSION,
)
from evstore.formats.prophesee_hdf5_events import RECORD
from evstore.formats.reading import Batch

#: A day: the index has 16 bytes for each 2 ms of it, whether there are events or not.
MAX_SPAN = 24 * 3600 * 1_000_000

#: Times are added up in 64 bits.
MAX_TIME = 1 << 62

#: Trigger edges name their channel in a byte here.
MAX_CHANNEL = 255

#: Coordinates have 11 bits.
SIDE = 2048

TRIGGER = np.dtype(
    {
        "names": ["p", "t", "id"],
        "formats": ["<i2", "<i8", "<i2"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
INDEX = np.dtype([("id", "<u8"), ("ts", "<i8")])


class Writer:
    """Takes batches of events in order; the file is made in the temporary folder.

    `close` copies it to the stream, which is the caller's and stays open. Every value and the
    order are kept. Raises UnsupportedError naming the first event that cannot be held (x or y
    of 2048 and more, a time more than a day after the first), and writes nothing of its batch.
    """

    def __init__(
        self,
        stream: BinaryIO,
        resolution: tuple[int, int],
        metadata: dict[str, Any],
        rebase: bool = False,
    ) -> None:
        if not all(0 < side <= 65_536 for side in resolution):
            raise ArgumentError(f"resolution must be 1 to 65536 each way, got {resolution}")
        try:
            import h5py
        except ImportError:
            raise MissingDependencyError("h5py", "hdf5", "writing HDF5") from None
        self.events = 0
        self.origin: int | None = None if rebase else 0
        self._first: int | None = None
        self._first_trigger: int | None = None
        self._stream = stream
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115
        self._file = h5py.File(self._spool, "w", libver="earliest")
        for group in ("CD", "EXT_TRIGGER"):
            self._file.create_group(group)
        self._blocks = _Blocks(_dataset(self._file, EVENTS, RECORD, (ECF_FILTER,)))
        self._index = _Index(_Table(_dataset(self._file, INDEXES, INDEX)))
        self._triggers = _Table(_dataset(self._file, TRIGGERS, TRIGGER))
        self._trigger_index = _Index(_Table(_dataset(self._file, TRIGGER_INDEXES, INDEX)))
        for name, value in _attributes(resolution, metadata).items():
            _set(self._file, name, value)

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
        if len(events) == 0:
            return
        self._check(events)
        if self._first is None:
            self._first = int(events.t[0])
        if self.origin is None:
            self.origin = self._first
        t = np.ascontiguousarray(events.t - self.origin)
        self._index.add(t)
        self._blocks.add(t, events.x, events.y, events.p)
        self.events += len(events)

    def write_batch(self, batch: Batch) -> None:
        """Append what a reader gives: events and triggers."""
        self.write(*batch[:4])
        if batch.triggers is not None:
            self.trigger(*batch.triggers)

    def trigger(self, t: ArrayLike, id: ArrayLike, p: ArrayLike) -> None:
        """Append external trigger edges: t in microseconds, channel, p 1 = rising."""
        times, channels, values = (np.atleast_1d(np.asarray(a, np.int64)) for a in (t, id, p))
        if times.size == 0:
            return
        low, high = _span(int(times[0]) if self._first_trigger is None else self._first_trigger)
        wrong = (times < low) | (times > high) | (channels < 0) | (channels > MAX_CHANNEL)
        if wrong.any():
            k = int(np.argmax(wrong))
            raise UnsupportedError(
                "Prophesee HDF5 cannot hold this trigger",
                expected=f"id 0 to {MAX_CHANNEL}, t at most a day after the first",
                got=f"id {channels[k]}, t {times[k]}",
            )
        if self._first_trigger is None:
            self._first_trigger = int(times[0])
        rows = np.zeros(times.size, TRIGGER)
        rows["t"] = times - (self.origin or 0)
        rows["id"], rows["p"] = channels, values != 0
        self._trigger_index.add(np.ascontiguousarray(rows["t"]))
        self._triggers.add(rows)

    def close(self) -> None:
        """Finish the file and copy it to the stream."""
        try:
            for part in (self._trigger_index, self._triggers, self._index, self._blocks):
                part.close()
            self._file.close()
            self._spool.seek(0)
            shutil.copyfileobj(self._spool, self._stream, 1 << 20)
            self._stream.flush()
        finally:
            self.discard()

    def discard(self) -> None:
        """Throw the unfinished file away."""
        with contextlib.suppress(Exception):  # a full disk has said so before
            self._file.close()
        self._spool.close()

    def _check(self, events: Events) -> None:
        """Raise for the first event that cannot be held."""
        low, high = _span(int(events.t[0]) if self._first is None else self._first)
        widest = max(int(events.x.max()), int(events.y.max()))
        if low <= events.t.min() and events.t.max() <= high and widest < SIDE:
            return
        faults = {
            "t": (events.t < low) | (events.t > high),
            "x": events.x >= SIDE,
            "y": events.y >= SIDE,
        }
        k, field = min((int(np.argmax(w)), field) for field, w in faults.items() if w.any())
        t, x, y = (int(column[k]) for column in (events.t, events.x, events.y))
        raise UnsupportedError(
            f"Prophesee HDF5 cannot hold event {self.events + k:,} (t {t}, x {x}, y {y})",
            field=field,
            expected="at most a day after the first" if field == "t" else f"0..{SIDE - 1}",
            got={"t": t, "x": x, "y": y}[field],
        )


def _span(first: int) -> tuple[int, int]:
    """The least and the most time that can be written behind the first."""
    return -MAX_TIME, min(first + MAX_SPAN, MAX_TIME)


def _dataset(file: Any, path: str, dtype: np.dtype[Any], filters: tuple[int, ...] = ()) -> Any:
    """A dataset that grows, of chunks that are written as they are. Times are not kept."""
    from h5py import h5d, h5p, h5s, h5t, h5z

    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((CHUNK_EVENTS,))
    plist.set_obj_track_times(False)  # equal events give equal bytes
    for number in filters:
        plist.set_filter(number, h5z.FLAG_OPTIONAL, ())
    space = h5s.create_simple((0,), (h5s.UNLIMITED,))
    return h5d.create(file.id, path.encode("ascii"), h5t.py_create(dtype), space, plist)


def _set(dataset: Any, name: str, value: str) -> None:
    """An attribute as the vendor writes it: a text of variable length, in ASCII."""
    import h5py

    dataset.attrs.create(name, value, dtype=h5py.string_dtype("ascii"))


def _attributes(resolution: tuple[int, int], metadata: dict[str, Any]) -> dict[str, str]:
    width, height = resolution
    found = {"version": VERSION, "format": "ECF", "geometry": f"{width}x{height}"}
    for key, spelling in HEADER_KEYS.items():
        value = str(metadata.get(key, "")).strip()
        if value and value.isascii() and value.isprintable() and len(value) < 1024:
            found[spelling] = value
    return found


class _Table:
    """Rows collected to whole chunks, which are not compressed."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self._rows = np.zeros(CHUNK_EVENTS, dataset.dtype)
        self._filled = 0
        self._written = 0

    def add(self, rows: NDArray[Any]) -> None:
        while len(rows):
            taken = rows[: CHUNK_EVENTS - self._filled]
            self._rows[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rows = rows[len(taken) :]
            if self._filled == CHUNK_EVENTS:
                self.close()

    def close(self) -> None:
        """Write what is there, in a chunk that is whole."""
        if self._filled:
            self._rows[self._filled :] = np.zeros((), self._rows.dtype)
            _append(self.dataset, self._written, self._filled, self._rows.tobytes())
            self._written += self._filled
            self._filled = 0


class _Blocks:
    """Events collected to chunks, which are encoded."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._columns = tuple(
            np.empty(CHUNK_EVENTS, dtype) for dtype in (np.int64, np.uint16, np.uint16, np.uint8)
        )
        self._out = np.empty(kernels.HEADER_BYTES + kernels.MOST_BYTES * CHUNK_EVENTS, np.uint8)
        self._filled = 0
        self._written = 0

    def add(self, *columns: NDArray[Any]) -> None:
        done, count = 0, columns[0].size
        while done < count:
            taken = min(CHUNK_EVENTS - self._filled, count - done)
            for into, column in zip(self._columns, columns, strict=True):
                into[self._filled : self._filled + taken] = column[done : done + taken]
            self._filled += taken
            done += taken
            if self._filled == CHUNK_EVENTS:
                self.close()

    def close(self) -> None:
        """Write what is there, in a chunk that may be the last."""
        if self._filled:
            t, x, y, p = self._columns
            size = kernels.encode(t, x, y, p, self._filled, self._out)
            assert size
            _append(self._dataset, self._written, self._filled, self._out[:size].tobytes())
            self._written += self._filled
            self._filled = 0


class _Index:
    """Where each 2 ms after the first row begin."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self._first: int | None = None
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[[kernels.TIME, kernels.LAST_TIME]] = -1
        self._ids = np.empty(CHUNK_EVENTS, np.int64)
        self._times = np.empty(CHUNK_EVENTS, np.int64)

    def add(self, t: NDArray[np.int64]) -> None:
        if self._first is None:
            import h5py

            self._first = int(t[0])
            _set(h5py.Dataset(self._table.dataset), "offset", str(-self._first))
        done = 0
        while done < t.size:
            done, entries = kernels.index(
                t, done, self._first, INDEX_PERIOD, self._ids, self._times, self._state
            )
            self._put(self._ids[:entries], self._times[:entries])

    def close(self) -> None:
        """Write the last bin that has rows, which has no other entry yet."""
        if self._first is not None:
            last = self._state[[kernels.ID]], self._state[[kernels.TIME]]
            self._put(*last)
        self._table.close()

    def _put(self, ids: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        rows = np.empty(ids.size, INDEX)
        rows["id"], rows["ts"] = ids, times
        self._table.add(rows)


def _append(dataset: Any, written: int, count: int, chunk: bytes) -> None:
    dataset.set_extent((written + count,))
    dataset.write_direct_chunk((written,), chunk, 0)
