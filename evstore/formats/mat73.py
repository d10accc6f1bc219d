"""MAT v7.3: MATLAB's variables in an HDF5 file behind 512 bytes of text.

https://www.mathworks.com/help/matlab/import_export/mat-file-versions.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, UnsupportedError
from evstore.formats import hdf5_file, mat_streams
from evstore.formats.hdf5_file import MAX_CHUNK_BYTES, SIGNATURE, hdf5_errors
from evstore.formats.mat_streams import Column, File, Variable
from evstore.formats.reading import Reading, ReadOptions

NAME = "mat73"
TITLE = "MATLAB MAT v7.3 (HDF5)"
SUFFIXES = (".mat",)
INPUT_FORMATS = (NAME,)
WRITES = False
SEEKS = True
KEEPS = ("exposure",)
CHECKED = ("h5py",)
MEMORY = "a whole chunk of each column, at most 16 MiB"

#: HDF5 is a C library: what it does with damaged bytes is tested in processes of their own.
C_PARSED = True

MAGIC = b"MATLAB 7.3 MAT-file"
USER_BLOCK_BYTES = 512
TEXT_BYTES = 116
VARIABLE_LIMIT = 1000

_NUMBERS = {"double", "single", "logical"} | {
    f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)
}
DAMAGED = "the HDF5 file is damaged"

_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32"}


def probe(head: bytes, size: int | None) -> bool:
    """Whether MATLAB's text and the HDF5 file behind it are there."""
    return head.startswith(MAGIC) and head[USER_BLOCK_BYTES:].startswith(SIGNATURE)


def streams(stream: BinaryIO, options: ReadOptions) -> list[str]:
    """Names of the event streams, in the order of their names."""
    with hdf5_errors(DAMAGED):
        return mat_streams.names(_file(stream))


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The variables' headers now, events lazily.

    Raises ArgumentError where the variable, its columns or the unit of time must be said,
    MissingDependencyError without h5py.
    """
    with hdf5_errors(DAMAGED):
        reading = mat_streams.read(NAME, _file(stream), options)
    reading.batches = _checked(reading.batches)
    return reading


def _checked(batches: Iterator[Any]) -> Iterator[Any]:
    with hdf5_errors(DAMAGED):
        yield from batches


def _file(stream: BinaryIO) -> File:
    if not stream.seekable():
        raise UnsupportedError("HDF5 cannot be read from a pipe", hint="read it from a file")
    stream.seek(0)
    head = stream.read(USER_BLOCK_BYTES + len(SIGNATURE))
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    if not probe(head, None):
        raise FormatError(
            "no MAT v7.3 header",
            offset=0,
            expected=f"{MAGIC!r}, and {SIGNATURE!r} at byte {USER_BLOCK_BYTES}",
            got=head[:20],
        )
    opened = hdf5_file.open_hdf5(stream)
    import h5py

    variables = []
    for name in _names(opened):
        member = opened[name]
        if isinstance(member, h5py.Dataset):
            variables.append(_array(name, member))
        elif _class_of(member) == "struct":
            variables.append(_struct(name, member))
    text = head[:TEXT_BYTES].rstrip(b" \x00").decode("ascii", "replace")
    return File(variables, None, {"header": text})


def _names(group: Any) -> list[str]:
    """Members that lie in this file itself; MATLAB's own, such as #refs#, left out."""
    import h5py

    links = ((n, group.get(n, getlink=True)) for n in hdf5_file.names(group, VARIABLE_LIMIT))
    return [n for n, link in links if isinstance(link, h5py.HardLink) and not n.startswith("#")]


def _class_of(member: Any) -> str:
    value = member.attrs.get("MATLAB_class", b"")
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _struct(name: str, group: Any) -> Variable:
    import h5py

    fields = _names(group)

    def load() -> dict[str, Column | None]:
        found: dict[str, Column | None] = {}
        for field in fields:
            member = group[field]
            is_vector = isinstance(member, h5py.Dataset) and _kind(field, member) == "vector"
            found[field] = _Slice(member, _shape(member)) if is_vector else None
        return found

    return Variable(name, "struct", 1, load, tuple(fields))


def _array(name: str, dataset: Any) -> Variable:
    shape, kind = _shape(dataset), _kind(name, dataset)

    def load() -> dict[str, Column | None]:
        if kind == "matrix":
            rows = range(mat_streams.ROW_COLUMNS)
            return {str(k): _Slice(dataset, shape, k) for k in rows}
        return {name: _Slice(dataset, shape)}

    return Variable(name, kind, math.prod(shape), load)


def _kind(name: str, dataset: Any) -> str:
    if dataset.dtype.kind not in "iufb" or _class_of(dataset) not in _NUMBERS | {""}:
        return "other"
    return mat_streams.kind_of(_shape(dataset), name)


def _shape(dataset: Any) -> tuple[int, ...]:
    """MATLAB's shape: HDF5's backwards; that of an empty array is its value."""
    if dataset.attrs.get("MATLAB_empty", 0):
        return (0, 0)
    return tuple(reversed(dataset.shape or (0, 0)))


class _Slice:
    """A vector, or a column of an array of four: each is a row of the HDF5 dataset."""

    def __init__(self, dataset: Any, shape: tuple[int, ...], column: int | None = None) -> None:
        self.dtype: np.dtype[Any] = dataset.dtype
        self.count = shape[0] if column is not None else math.prod(shape)
        self._dataset = _with_cache(dataset) if dataset.chunks else dataset
        self._row = [column] if column is not None else []
        if self.count:
            _require_plain(dataset)
        if column is None and self.count:
            self._long = dataset.shape.index(max(dataset.shape))

    def values(self, start: int, count: int) -> NDArray[Any]:
        """Some of the numbers."""
        stop = min(start + count, self.count)
        if start >= stop:
            return np.empty(0, self.dtype)
        if self._row:
            return np.asarray(self._dataset[self._row[0], start:stop])
        index: list[Any] = [0] * self._dataset.ndim
        index[self._long] = slice(start, stop)
        return np.asarray(self._dataset[tuple(index)])


def _require_plain(dataset: Any) -> None:
    """Raises unless the values lie in this file, in chunks of a bounded size, and can be there."""
    name = dataset.name
    if dataset.is_virtual or dataset.external:
        raise UnsupportedError("a variable whose values lie in another file", field=name)
    properties = dataset.id.get_create_plist()
    codes = [properties.get_filter(k)[0] for k in range(properties.get_nfilters())]
    for code in codes:
        if code not in _FILTERS or codes.count(code) > 1:
            raise UnsupportedError(
                "a filter that MATLAB does not use",
                field=name,
                expected=", ".join(_FILTERS.values()),
                got=code,
            )
    if dataset.chunks is None:
        promised, there = dataset.nbytes, dataset.id.get_storage_size()
    else:
        _require_bounded(dataset)
        pairs = zip(dataset.shape, dataset.chunks, strict=True)
        promised, there = math.prod(-(-s // c) for s, c in pairs), dataset.id.get_num_chunks()
    if promised != there:  # HDF5 would give zeros
        raise CorruptError(
            "values are not in the file",
            field=name,
            expected=f"{promised:,} {'bytes' if dataset.chunks is None else 'chunks'}",
            got=f"{there:,}",
        )


def _require_bounded(dataset: Any) -> None:
    chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if chunk > MAX_CHUNK_BYTES:
        raise UnsupportedError(
            "too large chunks",
            field=dataset.name,
            expected=f"<= {MAX_CHUNK_BYTES}",
            got=chunk,
        )


def _with_cache(dataset: Any) -> Any:
    """The same dataset, keeping one chunk: a chunk that is not kept is inflated at every read."""
    import h5py

    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(1009, MAX_CHUNK_BYTES, 1.0)
    return h5py.Dataset(h5py.h5d.open(dataset.file.id, dataset.name.encode("utf-8"), access))
