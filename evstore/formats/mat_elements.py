"""MAT v5 data elements: tags and array headers, each length checked against what holds it.

https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, TruncatedError, UnsupportedError
from evstore.formats.records import fill

MI_INT8, MI_INT32, MI_UINT32, MI_UTF8 = 1, 5, 6, 16
MI_MATRIX = 14
MI_COMPRESSED = 15
LAST_TYPE = 18

#: Numeric storage types as numpy codes; an array of doubles may be stored as small integers.
STORAGE = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}

MX_STRUCT = 2
MX_DOUBLE, MX_UINT64 = 6, 15
COMPLEX_FLAG = 0x08

TAG_BYTES = 8
DIMENSION_LIMIT = 32
NAME_LIMIT = 4096  # bytes
FIELD_LIMIT = 256


class Region:
    """Bytes that are read at any place: a file, or what a compressed element holds."""

    def __init__(self, stream: BinaryIO, size: int, order: str) -> None:
        self.size = size
        self.order = order
        self._stream = stream

    def array(self, at: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """``count`` values at ``at``; fewer where the region ends."""
        whole = max(0, min(count, (self.size - at) // dtype.itemsize))
        values = np.empty(whole, dtype)
        self._stream.seek(at)
        got = fill(self._stream, values.view(np.uint8).data) if whole else 0
        return values[: got // dtype.itemsize]

    def read(self, at: int, count: int) -> bytes:
        """Exactly ``count`` bytes. Raises TruncatedError where the region ends before."""
        data = self.array(at, np.dtype(np.uint8), count).tobytes()
        if len(data) < count:
            raise TruncatedError(
                "the file ends inside a data element", safe_events=0, offset=at + len(data)
            )
        return data

    def words(self, at: int, count: int) -> tuple[int, ...]:
        """``count`` unsigned integers of 32 bits."""
        return struct.unpack(f"{self.order}{count}I", self.read(at, 4 * count))


@dataclass(frozen=True)
class Tag:
    """A data element's type, and where its ``size`` bytes are; ``next`` is where it ends."""

    type: int
    at: int
    size: int
    next: int


@dataclass(frozen=True)
class Matrix:
    """An array's header. ``kind`` is "numeric", "struct" or "other".

    ``at`` is where its values begin (numeric) or the arrays of its ``fields`` (struct), ``end``
    where the element ends; ``dtype`` is how numbers are stored, None for a struct.
    """

    region: Region = field(repr=False, compare=False)
    name: str
    kind: str
    shape: tuple[int, ...]
    at: int
    end: int
    dtype: np.dtype[Any] | None = None
    fields: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many values, or structs."""
        return math.prod(self.shape)

    def values(self, start: int, count: int) -> NDArray[Any]:
        """Numbers of the array, column by column; fewer where the file ends."""
        assert self.dtype is not None
        wanted = max(0, min(count, self.count - start))
        return self.region.array(self.at + start * self.dtype.itemsize, self.dtype, wanted)


def read_tag(region: Region, at: int, end: int) -> Tag:
    """The tag at ``at``, of an element that must end by ``end``, or CorruptError."""
    if at + TAG_BYTES > end:
        raise _overrun(at, end - at)
    first, second = region.words(at, 2)
    small = first >> 16
    if small:
        if small > 4:
            raise CorruptError("a small data element of more than 4 bytes", offset=at, got=small)
        return Tag(first & 0xFFFF, at + 4, small, at + TAG_BYTES)
    if not 0 < first <= LAST_TYPE:
        raise CorruptError(
            "no data element has this type", offset=at, expected=f"1..{LAST_TYPE}", got=first
        )
    stop = at + TAG_BYTES + second
    if stop > end:
        raise _overrun(at, second)
    padding = 0 if first == MI_COMPRESSED else -second % 8
    return Tag(first, at + TAG_BYTES, second, min(end, stop + padding))


def read_matrix(region: Region, at: int, end: int) -> Matrix:
    """The header of the array at ``at``; its values are not read.

    Raises CorruptError where it cannot be one, TruncatedError where the region ends inside it.
    """
    tag = read_tag(region, at, end)
    end = tag.at + tag.size
    if tag.type != MI_MATRIX:
        raise CorruptError("no array", offset=at, expected=f"type {MI_MATRIX}", got=tag.type)
    if tag.size == 0:
        return Matrix(region, "", "other", (0, 0), end, end)
    part = _part(region, tag.at, end, MI_UINT32, 8)
    flags = region.words(part.at, 2)[0]
    kind, is_complex = flags & 0xFF, flags >> 8 & COMPLEX_FLAG
    part = _part(region, part.next, end, MI_INT32, 4 * DIMENSION_LIMIT)
    shape = region.words(part.at, part.size // 4)
    if len(shape) < 2 or part.size % 4 or any(side >= 2**31 for side in shape):
        raise CorruptError("an array's dimensions cannot be", offset=part.at, got=shape)
    part = _part(region, part.next, end, MI_INT8, NAME_LIMIT)
    name = _text(region.read(part.at, part.size))
    if kind == MX_STRUCT:
        return _struct(region, part.next, end, name, shape)
    if is_complex or not MX_DOUBLE <= kind <= MX_UINT64:
        return Matrix(region, name, "other", shape, part.next, end)
    return _numeric(region, part.next, end, name, shape)


def _numeric(region: Region, at: int, end: int, name: str, shape: tuple[int, ...]) -> Matrix:
    if at == end and math.prod(shape) == 0:
        return Matrix(region, name, "numeric", shape, at, end, np.dtype("u1"))
    tag = read_tag(region, at, end)
    if tag.type not in STORAGE:
        raise CorruptError("an array's numbers are of no such type", offset=at, got=tag.type)
    dtype = np.dtype(region.order + STORAGE[tag.type])
    if math.prod(shape) * dtype.itemsize != tag.size:
        raise CorruptError(
            "an array does not fill its data element",
            field=name or None,
            offset=at,
            expected=f"{math.prod(shape) * dtype.itemsize:,} bytes by its dimensions",
            got=f"{tag.size:,}",
        )
    return Matrix(region, name, "numeric", shape, tag.at, end, dtype)


def _struct(region: Region, at: int, end: int, name: str, shape: tuple[int, ...]) -> Matrix:
    part = _part(region, at, end, MI_INT32, 4)
    length = region.words(part.at, 1)[0] if part.size == 4 else 0
    part = _part(region, part.next, end, MI_INT8, NAME_LIMIT * 4)
    if not 0 < length <= NAME_LIMIT or part.size % length:
        raise CorruptError("the names of a struct's fields cannot be", offset=part.at, got=length)
    if part.size // length > FIELD_LIMIT:
        raise UnsupportedError(
            "a struct of too many fields",
            field=name,
            expected=f"<= {FIELD_LIMIT}",
            got=part.size // length,
        )
    text = region.read(part.at, part.size)
    names = tuple(_text(text[k : k + length]) for k in range(0, part.size, length))
    return Matrix(region, name, "struct", shape, part.next, end, None, names)


def read_fields(parent: Matrix) -> dict[str, Matrix]:
    """The arrays of a struct's fields; those before the cut where the file ends early."""
    found: dict[str, Matrix] = {}
    at = parent.at
    for name in parent.fields:
        try:
            tag = read_tag(parent.region, at, parent.end)
            found[name] = read_matrix(parent.region, at, parent.end)
        except TruncatedError:
            break
        at = tag.next
    return found


def _part(region: Region, at: int, end: int, type_: int, most: int) -> Tag:
    tag = read_tag(region, at, end)
    known = (type_, MI_UTF8) if type_ == MI_INT8 else (type_,)
    if tag.type not in known or tag.size > most:
        raise CorruptError(
            "an array's header cannot be",
            offset=at,
            expected=f"type {type_} of at most {most} bytes",
            got=f"type {tag.type} of {tag.size}",
        )
    return tag


def _text(raw: bytes) -> str:
    return raw.split(b"\x00")[0].decode("utf-8", "replace")


def _overrun(at: int, size: int) -> CorruptError:
    return CorruptError("a data element is longer than what holds it", offset=at, got=size)
