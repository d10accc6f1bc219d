"""HDF5 files opened through h5py, which is imported only here: errors, links and limits.

libhdf5 is a C library that trusts what it reads. What can be checked before it is asked is
checked; what it raises becomes an EvstoreError. A file may name other files (external links,
external storage, virtual datasets): none of them is ever followed.
"""

from __future__ import annotations

import contextlib
import io
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, BinaryIO

from evstore.errors import (
    CorruptError,
    EvstoreError,
    FormatError,
    MissingDependencyError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats.hdf5_heap import heap_bytes, leads_astray
from evstore.formats.records import fill

#: The first bytes of every HDF5 file, here or behind a user block of 512, 1024, ... bytes.
SIGNATURE = b"\x89HDF\r\n\x1a\n"

#: The largest chunk that is decoded: libhdf5 holds it twice.
MAX_CHUNK_BYTES = 16 << 20

#: Bytes past the end of a cut file that one read may ask for; a damaged length asks for more.
MAX_PAST_END = 65_536

#: Longest text of an attribute that is kept.
MAX_TEXT = 4096


def open_hdf5(stream: BinaryIO, *, cut: bool = False) -> Any:
    """Open a seekable stream for reading; returns an ``h5py.File``, to be used as a context.

    With ``cut``, a file that ends before the end it states is opened nevertheless, as if bytes of 1
    followed: the caller then compares places with `size_of`. Raises MissingDependencyError
    without h5py, FormatError for what is no HDF5 file, TruncatedError for a cut one.
    """
    try:
        import h5py
    except ImportError:
        raise MissingDependencyError("h5py", "hdf5", "reading or writing HDF5") from None
    size, stated = size_of(stream), _stated_size(stream)
    if stated > size and not cut:
        raise TruncatedError(
            "the HDF5 file ends early",
            safe_events=0,
            offset=size,
            expected=f"{stated} bytes",
            got=size,
        )
    with hdf5_errors("not a readable HDF5 file"):
        return h5py.File(_Source(stream, size, max(size, stated)), "r")


def size_of(stream: BinaryIO) -> int:
    """The length of a seekable stream in bytes."""
    return stream.seek(0, os.SEEK_END)


def is_cut(stream: BinaryIO) -> bool:
    """Whether the file ends before the end it states. Raises FormatError for no HDF5 file."""
    return _stated_size(stream) > size_of(stream)


@contextlib.contextmanager
def hdf5_errors(what: str) -> Iterator[None]:
    """Whatever h5py raises within becomes CorruptError; evstore's own errors pass."""
    try:
        yield
    except EvstoreError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise CorruptError(f"{what}: {said[:300] or type(error).__name__}") from error


def names(group: Any, limit: int = 10_000) -> list[str]:
    """What a group holds, at most ``limit`` names.

    A damaged one, which h5py gives as bytes, is escaped: nothing is found by it.
    """
    found: list[str] = []
    with hdf5_errors("damaged HDF5 group"):
        for name in group:
            if len(found) >= limit:
                raise UnsupportedError("an HDF5 group of too many members", expected=limit)
            found.append(name if isinstance(name, str) else name.decode(errors="backslashreplace"))
    return found


def find(file: Any, path: str) -> Any:
    """The group or dataset at a path like ``CD/events``; None where there is none.

    Raises UnsupportedError where the path, or the values of the dataset, lie in another file.
    """
    import h5py

    node = file
    with hdf5_errors(f"damaged HDF5 at {path!r}"):
        for name in path.strip("/").split("/"):
            if not isinstance(node, h5py.Group):
                return None
            link = node.get(name, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise UnsupportedError(f"{path!r} is a link to elsewhere, which is not followed")
            node = node[name]
        if isinstance(node, h5py.Dataset) and (node.is_virtual or node.external):
            raise UnsupportedError(f"the values of {path!r} are in other files, which are not read")
    return node


def attributes(node: Any, limit: int = 1000) -> dict[str, Any]:
    """The attributes of a group or dataset that are a text or a number, as JSON values."""
    found: dict[str, Any] = {}
    with hdf5_errors("damaged HDF5 attributes"):
        for name in node.attrs:
            if len(found) >= limit:
                break
            value = _json_value(node.attrs, name)
            if value is not None:
                found[name] = value
    return found


class Chunks:
    """Where the chunks of a dataset of one dimension are, asked of libhdf5 once.

    (It looks for a single chunk among all of them, so asking for each takes quadratic time.)
    """

    def __init__(self, dataset: Any, size: int) -> None:
        self._name = dataset.name
        self._size = size
        self._lost: CorruptError | None = None
        found: tuple[array[int], ...] = tuple(array("q") for _ in range(4))
        if not hasattr(dataset.id, "chunk_iter"):
            raise MissingDependencyError("h5py with HDF5 1.12.3 or later", "hdf5", "reading chunks")

        def keep(about: Any) -> bool | None:
            values = (about.chunk_offset[0], about.byte_offset, about.size, about.filter_mask)
            if all(value is not None and 0 <= value < 1 << 63 for value in values):
                for column, value in zip(found, values, strict=True):
                    column.append(value)
            # An index that comes back to itself would give chunks without end.
            return True if len(found[0]) > size else None

        try:
            with hdf5_errors("damaged HDF5 chunk index"):
                dataset.id.chunk_iter(keep)
        except CorruptError as error:
            self._lost = error  # what was found before is good
        rows, *rest = found
        if any(a >= b for a, b in pairwise(rows)):
            order = sorted(range(len(rows)), key=rows.__getitem__)
            rows, *rest = (array("q", (column[k] for k in order)) for column in found)
        self._rows, (self._offsets, self._stored, self._masks) = rows, rest

    def place(self, row: int) -> tuple[int, int, int]:
        """Offset, stored bytes and filter mask of the chunk that begins at ``row``.

        Raises CorruptError where it is not there, or not within the file: HDF5 gives zeros for
        missing chunks, as many as the shape promises.
        """
        k = bisect_left(self._rows, row)
        if k == len(self._rows) or self._rows[k] != row or not self._stored[k]:
            raise self._lost or CorruptError(
                "a chunk is not in the file", field=self._name, got=f"row {row:,}"
            )
        offset, stored = self._offsets[k], self._stored[k]
        if not 0 <= offset <= self._size - stored:
            raise CorruptError(
                "a chunk lies behind the end of the file",
                field=self._name,
                expected=f"at most {self._size} bytes",
                got=f"{stored} bytes at {offset}",
            )
        return offset, stored, self._masks[k]


def row_pieces(dataset: Any, size: int, limit: int) -> Iterator[Any]:
    """The rows of a dataset of one dimension, decoded by h5py, a chunk or ``limit`` at a time.

    Rows that no byte of the file stands for raise CorruptError before they are asked for.
    """
    rows, item = dataset.shape[0], dataset.dtype.itemsize
    if dataset.chunks is None:
        with hdf5_errors("damaged HDF5 dataset"):
            offset, stored = dataset.id.get_offset(), dataset.id.get_storage_size()
        if stored != rows * item or (offset or 0) + stored > size:
            raise CorruptError(
                "the rows are not all in the file",
                field=dataset.name,
                expected=f"{rows * item} bytes",
                got=min(stored, max(0, size - (offset or 0))),
            )
        step, chunks = limit, None
    else:
        step = dataset.chunks[0]
        if step * item > MAX_CHUNK_BYTES:
            raise UnsupportedError(
                "a chunk is too large to be read at once",
                field=dataset.name,
                expected=f"at most {MAX_CHUNK_BYTES} bytes",
                got=step * item,
            )
        chunks = Chunks(dataset, size)
    for start in range(0, rows, step):
        if chunks is not None:
            chunks.place(start)
        with hdf5_errors(f"{dataset.name} cannot be read"):
            piece = dataset[start : min(start + step, rows)]
        yield from (piece[at : at + limit] for at in range(0, len(piece), limit))


def _json_value(attrs: Any, name: str) -> Any:
    """None for what is no single text or number, or is too long."""
    import h5py

    about = attrs.get_id(name)
    is_text = h5py.check_string_dtype(about.dtype) is not None
    if about.shape not in ((), (1,)) or not (is_text or about.dtype.kind in "biuf"):
        return None
    if about.dtype.itemsize > MAX_TEXT:
        return None
    value = attrs[name]
    if about.shape == (1,):
        value = value[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        # h5py keeps undecodable bytes as lone surrogates, which JSON cannot be written with.
        return value.encode("utf-8", "replace").decode("utf-8")[:MAX_TEXT]
    return value.item()


def _stated_size(stream: BinaryIO) -> int:
    """Where the superblock says that the file ends; 0 where it does not say."""
    place, size = 0, size_of(stream)
    while place < size:
        stream.seek(place)
        head = stream.read(56)
        if head.startswith(SIGNATURE):
            return _end_of(head)
        place = 512 if place == 0 else place * 2
    raise FormatError("not an HDF5 file: its signature is not there", expected=SIGNATURE)


def _end_of(superblock: bytes) -> int:
    """The end-of-file address of a superblock of version 0 to 3 with 8-byte offsets."""
    if len(superblock) < 56:
        raise TruncatedError("the file ends inside the HDF5 superblock", safe_events=0)
    version = superblock[8]
    old = version < 2
    if version > 3 or superblock[13 if old else 9] != 8:
        return 0
    at = (24 if version == 0 else 28) if old else 12
    base = int.from_bytes(superblock[at : at + 8], "little")
    end = int.from_bytes(superblock[at + 16 : at + 24], "little")
    # A whole file's base is the place of its superblock, and its end counts from the start.
    return end if base < 1 << 63 and end < 1 << 62 else 0


class _Source(io.RawIOBase):
    """A stream that seems ``stated`` bytes long, with bytes of 1 behind its own ``size``.

    libhdf5 takes a short read for a whole one, with whatever was in its buffer: here are none.
    """

    def __init__(self, stream: BinaryIO, size: int, stated: int) -> None:
        self._stream = stream
        self._size = size
        self._stated = stated
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._stated}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        there = max(0, min(len(view), self._size - self._at))
        got = 0
        if len(view) - there > MAX_PAST_END:
            raise OSError(f"a read of {len(view)} bytes goes far past the end of the file")
        if there:
            self._stream.seek(self._at)
            got = fill(self._stream, view[:there])
        # Zeros as the size of an object keep libhdf5 busy for ever, and 0xFF as the length of a
        # text makes it reserve 4 GiB before it looks.
        view[got:] = b"\x01" * (len(view) - got)
        if leads_astray(self._whole_heap(view[:got])):
            raise OSError(f"the objects of the heap at byte {self._at} do not follow one another")
        self._at += len(view)
        return len(view)

    def _whole_heap(self, block: memoryview) -> memoryview:
        """A block, and what follows of the heap it begins with: libhdf5 reads that by itself."""
        more = min(heap_bytes(block), self._size - self._at) - len(block)
        if more <= 0:
            return block
        self._stream.seek(self._at + len(block))
        whole = memoryview(bytearray(block) + bytes(more))
        got = fill(self._stream, whole[len(block) :])
        return whole[: len(block) + got]
