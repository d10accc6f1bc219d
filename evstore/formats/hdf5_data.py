"""Rows of HDF5 datasets in bounded slices: what they claim is checked against what is there.

libhdf5 trusts the file: it would return rows that were never written, and its filters allocate
what a chunk claims to unpack to. So a dataset is refused here before it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, BinaryIO

from evstore.errors import CorruptError, UnsupportedError
from evstore.formats.hdf5_file import Chunks, find, hdf5_errors
from evstore.formats.hdf5_filters import Pipeline
from evstore.formats.hdf5_spool import Spool

#: Bytes that the chunks of one recording may take, beyond the file's own size: each column
#: keeps one unpacked chunk, or it would be unpacked again for every slice.
CHUNK_ROOM = 16_777_216

#: Slots of the table by which libhdf5 finds a kept chunk: a prime, as it advises.
CHUNK_SLOTS = 521


class Rows:
    """A dataset whose first dimension counts events: ``rows[start:stop]`` is a fresh array.

    Raises CorruptError where not every row is stored, UnsupportedError for filters that cannot
    be checked or are not installed and for chunks that are too large for the file.
    """

    def __init__(self, stream: BinaryIO, size: int, file: Any, path: str) -> None:
        self.path = path
        self._stream = stream
        self._size = size
        with hdf5_errors(f"the dataset {path!r} is damaged"):
            kept = _kept_bytes(find(file, path))  # must be let go of before it is opened anew
            self._dataset = _open(file, path, kept)
            self.shape: tuple[int, ...] = self._dataset.shape
            self.dtype = self._dataset.dtype
            self._chunks = self._dataset.chunks
            self._row_bytes = _item_bytes(self._dataset)
            self.chunk_bytes = kept
            self._pipeline = Pipeline(self._dataset, path)
            self._require_stored()
            flat = self._dataset if len(self.shape) < 2 else _Flat(self._dataset)
            self._places = None if self._chunks is None else Chunks(flat, size)
            self._spools = self._is_one_large_chunk()
            if self._spools:
                self.chunk_bytes = 0
        self._spool: Spool | None = None
        self._fields: tuple[str, ...] | None = None
        self._checked = 0  # rows from the first on whose chunks were looked at

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 1

    def only(self, fields: tuple[str, ...]) -> None:
        """Read no other fields of a compound dataset."""
        self._fields = fields

    def read(self, start: int, stop: int) -> Any:
        """The rows from ``start`` up to ``stop``, which must be there."""
        with hdf5_errors(f"the dataset {self.path!r} is damaged at row {start:,} or behind"):
            if self._spools:
                return self._spooled().read(start, stop)
            if self._chunks is not None:
                self._look_at_chunks(start, stop)
            source = self._dataset
            return (source if self._fields is None else source.fields(self._fields))[start:stop]

    def scalar(self) -> Any:
        """The one value of a dataset of shape () or (1,)."""
        require_room([self], self._size)
        with hdf5_errors(f"the dataset {self.path!r} is damaged"):
            if self._chunks is not None:
                self._look_at_chunks(0, 1)
            return self._dataset[()].reshape(-1)[0].item()

    def _is_one_large_chunk(self) -> bool:
        """Plain values in one gzip chunk that is too large to keep: it is inflated to a file.

        One without a filter that it should have (gzip made it longer) is no longer than the file.
        """
        return (
            self._places is not None
            and len(self.shape) == 1
            and self._chunks[0] >= self.shape[0] > 0
            and self.chunk_bytes > CHUNK_ROOM
            and self._pipeline.deflates(self._row_bytes)
            and self.dtype.kind in "iuf"
            and self.dtype.itemsize == self._row_bytes
            and self._places.place(0)[2] == 0
        )

    def _spooled(self) -> Spool:
        if self._spool is None:
            assert self._places is not None
            place, packed, _ = self._places.place(0)
            self._spool = Spool(
                self._stream, place, packed, self._chunks[0], self.dtype, self._pipeline.shuffles
            )
        return self._spool

    def _require_stored(self) -> None:
        """Every row has bytes in the file that stand for it."""
        events, dataset = math.prod(self.shape), self._dataset
        stored, needed = dataset.id.get_storage_size(), events * self._row_bytes
        place = "" if self._pipeline else f"{needed:,} bytes"
        if stored > self._size:
            raise self._not_stored("its chunks lie over each other", f"<= {self._size:,}", stored)
        if self._chunks is None:
            end = (dataset.id.get_offset() or 0) + needed
            if events and (stored < needed or end > self._size):
                raise self._not_stored("its values are not in the file", place, f"{stored:,}")
            return
        wanted = math.prod(-(-n // c) for n, c in zip(self.shape, self._chunks, strict=True))
        there = dataset.id.get_num_chunks() if wanted else 0
        if there < wanted:
            raise self._not_stored(
                "rows were never written, or the file lost them", f"{wanted:,} chunks", there
            )

    def _not_stored(self, what: str, expected: object, got: object) -> CorruptError:
        return CorruptError(
            f"the dataset {self.path!r} has {len(self):,} rows, but {what}",
            expected=expected,
            got=got,
        )

    def _look_at_chunks(self, start: int, stop: int) -> None:
        assert self._places is not None
        chunk, columns = self._chunks, math.prod(self.shape[1:])
        in_order = start <= self._checked  # or the last rows are looked at before the others
        first = (self._checked if in_order else start) // chunk[0] * chunk[0]
        size, room = math.prod(chunk) * self._row_bytes, self._size + CHUNK_ROOM
        across = range(0, columns, math.prod(chunk[1:]))
        for row in range(first, stop, chunk[0]):
            for column in across:
                place, packed, mask = self._places.place(row * columns + column)
                self._pipeline.check(self._stream, place, packed, mask, size, room)
            if in_order:
                self._checked = row + chunk[0]


class _Flat:
    """A dataset of two dimensions whose chunks are found by the place of their first value."""

    def __init__(self, dataset: Any) -> None:
        self.name = dataset.name
        self.id = self
        self._chunk_iter = dataset.id.chunk_iter
        self._columns = dataset.shape[1]

    def chunk_iter(self, keep: Callable[[Any], Any]) -> None:
        """As h5py's, for offsets of one number."""

        def flat(about: Any) -> Any:
            row, column = about.chunk_offset
            return keep(about._replace(chunk_offset=(row * self._columns + column,)))

        self._chunk_iter(flat)


def require_room(columns: list[Rows], file_size: int) -> None:
    """Raises UnsupportedError where the kept chunks would take more memory than they may."""
    size = sum(rows.chunk_bytes for rows in columns)
    if size > CHUNK_ROOM + file_size:
        raise UnsupportedError(
            "chunks that are too large to read in bounded memory",
            field=columns[0].path,
            expected=f"at most {CHUNK_ROOM + file_size:,} bytes unpacked",
            got=f"{size:,}",
            hint="make them smaller: h5repack -l CHUNK=65536 IN OUT",
        )


def _kept_bytes(dataset: Any) -> int:
    """Bytes of the chunks that hold one row, unpacked."""
    if dataset.chunks is None:
        return 0
    across = dataset.chunks[1:]
    beside = math.prod(-(-n // c) for n, c in zip(dataset.shape[1:], across, strict=True))
    return int(math.prod(dataset.chunks) * _item_bytes(dataset) * beside)


def _item_bytes(dataset: Any) -> int:
    """Bytes of one value in the file: numpy's dtype may have others, where it holds objects."""
    return int(dataset.id.get_type().get_size())


def _open(file: Any, path: str, kept: int) -> Any:
    """The dataset with room for ``kept`` bytes of unpacked chunks."""
    import h5py

    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(CHUNK_SLOTS, kept, 1.0)
    return h5py.Dataset(h5py.h5d.open(file.id, path.encode("utf-8"), access))
