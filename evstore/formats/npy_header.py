"""The header of an NPY array: dtype, shape and order, checked before anything is allocated.

Layout: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.records import fill

MAGIC = b"\x93NUMPY"

#: Bytes the header's text may have: numpy itself refuses more, for its parser's sake.
HEADER_LIMIT = 10_000

#: Bytes one record may have: an event has some 16, an (N, 4) row at most 64.
RECORD_LIMIT = 4096

#: Bytes an array may claim: far beyond any disk, far below where offsets overflow.
SIZE_LIMIT = 2**56

_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}


@dataclass(frozen=True)
class Header:
    """What the file says of its array; ``raw`` are the header's bytes, magic included."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    raw: bytes

    @property
    def data_bytes(self) -> int:
        """Bytes the values take behind the header."""
        return math.prod(self.shape) * self.dtype.itemsize


def take(stream: BinaryIO, count: int, what: str) -> bytes:
    """Exactly ``count`` bytes; raises TruncatedError where there are fewer."""
    buffer = bytearray(count)
    got = fill(stream, memoryview(buffer))
    if got < count:
        raise TruncatedError(
            f"the file ends inside {what}", safe_events=0, expected=f"{count} bytes", got=got
        )
    return bytes(buffer)


def read_header(stream: BinaryIO) -> Header:
    """Read the header, and leave the stream where the values begin.

    Raises UnsupportedError for Python objects (they would have to be unpickled) and for newer
    versions, CorruptError for a header that cannot be, TruncatedError for one that is cut.
    """
    start = take(stream, len(MAGIC) + 2, "the NPY header")
    if not start.startswith(MAGIC):
        raise FormatError("not an NPY file", expected=MAGIC, got=start[: len(MAGIC)])
    major = start[len(MAGIC)]
    if major not in _LENGTH_BYTES:
        raise UnsupportedError("an NPY version that is not read", expected="1, 2 or 3", got=major)
    size_bytes = take(stream, _LENGTH_BYTES[major], "the NPY header")
    size = int.from_bytes(size_bytes, "little")
    if size > HEADER_LIMIT:
        raise CorruptError(
            "the NPY header is too long", expected=f"at most {HEADER_LIMIT} bytes", got=size
        )
    text = take(stream, size, "the NPY header")
    dtype, shape, fortran_order = _parse(text, "utf-8" if major == 3 else "latin-1")
    if dtype.itemsize == 0 or dtype.itemsize > RECORD_LIMIT:
        raise UnsupportedError(
            "an NPY record of this size",
            expected=f"1 to {RECORD_LIMIT} bytes",
            got=dtype.itemsize,
        )
    header = Header(dtype, shape, fortran_order, start + size_bytes + text)
    if header.data_bytes > SIZE_LIMIT:
        raise CorruptError("the NPY header has a shape that no disk holds", got=shape)
    return header


def _parse(text: bytes, encoding: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """The header's text is a Python literal; hostile ones must not get further than here."""
    if b"\\" in text or b"\x00" in text:  # an escape makes Python warn, a NUL raise
        raise CorruptError("the NPY header is no dictionary of three entries")
    try:
        entries = ast.literal_eval(text.decode(encoding).strip())
        described, shape, fortran_order = (
            entries[key] for key in ("descr", "shape", "fortran_order")
        )
        if len(entries) != 3 or type(fortran_order) is not bool:
            raise ValueError("not the three entries")
        if type(shape) is not tuple or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError("not a shape")
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError) as error:
        raise CorruptError("the NPY header is no dictionary of three entries") from error
    try:
        # Older numpy has no types for it.
        to_dtype: Callable[[Any], np.dtype[Any]] = np.lib.format.descr_to_dtype
        dtype = to_dtype(described)
    except Exception as error:  # whatever numpy makes of a hostile description
        raise CorruptError("the NPY header has a dtype that numpy does not know") from error
    if dtype.hasobject:
        raise UnsupportedError(
            "an array of Python objects, which would have to be unpickled",
            field="descr",
            got=dtype,
            hint="unpickling a file can run any code: save plain arrays instead",
        )
    return dtype, shape, fortran_order
