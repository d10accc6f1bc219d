"""MAT v7.3: MATLAB's variables in an HDF5 file behind 512 bytes of text.

https://www.mathworks.com/help/matlab/import_export/mat-file-versions.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import (
    CorruptError,
    EvstoreError,
    FormatError,
    MissingDependencyError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats import mat_streams
from evstore.formats.mat_streams import Column, File, Variable
from evstore.formats.reading import Reading, ReadOptions

NAME = "mat73"
TITLE = "MATLAB MAT v7.3 (HDF5)"
SUFFIXES = (".mat",)
INPUT_FORMATS = (NAME,)
WRITES = False
SEEKS = True

#: HDF5 is a C library: what it does with damaged bytes is tested in processes of their own.
C_PARSED = True

MAGIC = b"MATLAB 7.3 MAT-file"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
USER_BLOCK_BYTES = 512
TEXT_BYTES = 116
VARIABLE_LIMIT = 1000

#: A chunk is inflated whole; each column keeps one.
CHUNK_LIMIT = 16_777_216

#: No deflate stream grows by more, https://zlib.net/zlib_tech.html.
DEFLATE_RATIO = 1032

_NUMBERS = {"double", "single", "logical"} | {
    f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)
}
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32"}


def probe(head: bytes, size: int | None) -> bool:
    """Whether MATLAB's text and the HDF5 file behind it are there."""
    return head.startswith(MAGIC) and head[USER_BLOCK_BYTES:].startswith(HDF5_MAGIC)


def streams(stream: BinaryIO, options: ReadOptions) -> list[str]:
    """Names of the event streams, in the order of their names."""
    with _hdf5_errors():
        return mat_streams.names(_file(stream))


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The variables' headers now, events lazily.

    Raises ArgumentError where the variable, its columns or the unit of time must be said,
    MissingDependencyError without h5py.
    """
    with _hdf5_errors():
        reading = mat_streams.read(NAME, _file(stream), options)
    reading.batches = _checked(reading.batches)
    return reading


def _checked(batches: Iterator[Any]) -> Iterator[Any]:
    with _hdf5_errors():
        yield from batches


def _file(stream: BinaryIO) -> File:
    try:
        import h5py
    except ImportError:
        raise MissingDependencyError("h5py", "hdf5", "reading MAT v7.3") from None
    if not stream.seekable():
        raise UnsupportedError("HDF5 cannot be read from a pipe", hint="read it from a file")
    stream.seek(0)
    head = stream.read(USER_BLOCK_BYTES + len(HDF5_MAGIC))
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    if not probe(head, None):
        raise FormatError(
            "no MAT v7.3 header",
            offset=0,
            expected=f"{MAGIC!r}, and {HDF5_MAGIC!r} at byte {USER_BLOCK_BYTES}",
            got=head[:20],
        )
    opened = h5py.File(stream, "r", rdcc_nbytes=CHUNK_LIMIT)
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

    if len(group) > VARIABLE_LIMIT:
        raise UnsupportedError("too many variables", expected=f"<= {VARIABLE_LIMIT}")
    links = ((name, group.get(name, getlink=True)) for name in group)
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
        self._dataset = dataset
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
    chunk = math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    if chunk > CHUNK_LIMIT:
        raise UnsupportedError(
            "too large chunks", field=name, expected=f"<= {CHUNK_LIMIT}", got=chunk
        )
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > stored * DEFLATE_RATIO + CHUNK_LIMIT:
        raise CorruptError(
            "a variable claims more values than its bytes can hold",
            field=name,
            expected=f"at most {stored * DEFLATE_RATIO:,} bytes",
            got=f"{dataset.nbytes:,}",
        )


@contextmanager
def _hdf5_errors() -> Iterator[None]:
    """What h5py raises for damaged files, as CorruptError or TruncatedError."""
    try:
        yield
    except EvstoreError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's
            raise
        text = f"{error}"[:200]
        if "truncated file" in text:
            raise TruncatedError(
                "the HDF5 file ends early",
                safe_events=0,
                hint="an HDF5 file is readable only when whole",
            ) from error
        raise CorruptError(f"the HDF5 file is damaged: {text}") from error
