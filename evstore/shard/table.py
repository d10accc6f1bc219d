"""Columns of int64, as the index keeps them: byte planes, compressed by zstd.

Equal high bytes lie together and cost next to nothing. Nothing here needs numpy.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import zstandard

from evstore.errors import CorruptError
from evstore.shard.layout import signed

LEVEL = 9


def pack_table(columns: Sequence[Any], tail: bytes = b"") -> bytes:
    """Columns of equal length, then ``tail``, as one zstd frame.

    Columns are arrays of int64, or integers modulo 2**64 in a sequence.
    """
    out = bytearray()
    for column in columns:
        raw = _little(column)
        for k in range(8):
            out += raw[k::8]
    return zstandard.ZstdCompressor(level=LEVEL, write_content_size=True).compress(
        bytes(out) + tail
    )


def _little(column: Any) -> bytes:
    """The values as little-endian int64."""
    if hasattr(column, "astype"):
        return bytes(column.astype("<i8").tobytes())
    values = array("q", map(signed, column))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def unpack_planes(
    data: bytes | memoryview, rows: int, columns: int, tail_limit: int, offset: int
) -> bytes:
    """The byte planes of each column, the lowest first, then at most ``tail_limit`` bytes of tail.

    Raises CorruptError; allocates no more than ``rows``, ``columns`` and ``tail_limit`` ask for.
    """
    size = rows * columns * 8
    try:
        found = zstandard.frame_content_size(bytes(data))
        if not size <= found <= size + tail_limit:
            raise CorruptError(
                "index has another size than its counts say",
                offset=offset,
                field="index",
                expected=f"{size} to {size + tail_limit} bytes",
                got=found,
            )
        return zstandard.ZstdDecompressor().decompress(bytes(data), max_output_size=max(found, 1))
    except zstandard.ZstdError as error:
        raise CorruptError("index does not decompress", offset=offset, field="index") from error


def unpack_table(
    data: bytes | memoryview, rows: int, columns: int, tail_limit: int, offset: int
) -> tuple[list[list[int]], bytes]:
    """The inverse of pack_table, raising and allocating as unpack_planes does."""
    raw = unpack_planes(data, rows, columns, tail_limit, offset)
    table = []
    for c in range(columns):
        plane = bytearray(8 * rows)
        for k in range(8):
            start = (8 * c + k) * rows
            plane[k::8] = raw[start : start + rows]
        values = array("q", bytes(plane))
        if sys.byteorder == "big":
            values.byteswap()
        table.append(values.tolist())
    return table, raw[rows * columns * 8 :]


def deltas(values: Sequence[int]) -> list[int]:
    """Each value less the one before."""
    return [b - a for a, b in zip([0, *values], values, strict=False)]


def sums(values: Sequence[int]) -> list[int]:
    """The inverse of deltas, for values that are int64."""
    return wrapped(list(accumulate(values)))


def wrapped(values: list[int]) -> list[int]:
    """The int64 that equal the values modulo 2**64: the same list where all are int64 already."""
    if not values or (min(values) >= -(1 << 63) and max(values) < 1 << 63):
        return values
    return [signed(v) for v in values]
