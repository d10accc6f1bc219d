"""The pages of a Parquet column: where they are, and how large each becomes.

A page's header is Thrift's compact protocol, of which only what gives lengths is read,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md and
https://parquet.apache.org/docs/file-format/metadata/. pyarrow makes room for whatever a page
claims, so it is asked here first.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from evstore.errors import CorruptError, UnsupportedError

#: Bytes of a page once decompressed: this, and twice the file's size.
PAGE_BYTES = 16_777_216

#: Bytes of a page's header, at most: it may hold the least and greatest value.
HEADER_BYTES = 65_536

_FIRST_READ = 256
_DEPTH = 8

# Types of Thrift's compact protocol.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


def check_column(stream: BinaryIO, column: Any, size: int) -> None:
    """Raises unless a column chunk lies in the file, and its pages become no larger than they may.

    ``column`` is pyarrow's ColumnChunkMetaData.
    """
    at = column.data_page_offset
    if column.has_dictionary_page and column.dictionary_page_offset is not None:
        at = min(at, column.dictionary_page_offset)
    end = at + column.total_compressed_size
    name = column.path_in_schema
    if not 0 <= at <= end <= size:
        raise CorruptError(
            "a column lies outside the file",
            field=name,
            expected=f"within {size:,} bytes",
            got=f"{at:,}..{end:,}",
        )
    while at < end:
        try:
            length, plain, stored = _page(stream, at, end)
        except IndexError:
            raise CorruptError("a page's header is damaged", offset=at, field=name) from None
        if plain > PAGE_BYTES + 2 * size:
            raise UnsupportedError(
                "a page is too large once decompressed",
                offset=at,
                field=name,
                expected=f"at most {PAGE_BYTES + 2 * size:,} bytes",
                got=f"{plain:,}",
                hint="write it with smaller pages",
            )
        if length + stored > end - at or plain < 0 or stored < 0:
            raise CorruptError("a page is longer than its column", offset=at, field=name)
        at += length + stored


def _page(stream: BinaryIO, at: int, end: int) -> tuple[int, int, int]:
    """Bytes of a page's header, of its values, and of these as they are stored."""
    for most in (_FIRST_READ, HEADER_BYTES):
        stream.seek(at)
        header = _Compact(stream.read(min(most, end - at)))
        try:
            sizes = header.integers()
        except IndexError:
            continue
        return header.at, sizes.get(2, -1), sizes.get(3, -1)
    raise IndexError


class _Compact:
    """Values one after the other. Raises IndexError where the bytes end, or cannot be Thrift."""

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    def integers(self) -> dict[int, int]:
        """The 32-bit integers of a struct by the numbers of their fields; the rest is skipped."""
        found: dict[int, int] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            if head & 15 == _I32:
                found[number] = self._zigzag()
            else:
                self._skip(head & 15, 0)
        return found

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise IndexError

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEPTH:
            raise IndexError
        if kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _BYTE:
            self._byte()
        elif kind in (_DOUBLE, _BINARY):
            length = 8 if kind == _DOUBLE else self._varint()
            self.at += length
        elif kind == _STRUCT:
            while head := self._byte():
                if not head >> 4:
                    self._varint()
                self._skip(head & 15, depth + 1)
        elif kind not in (_TRUE, _FALSE):  # no page's header has lists
            raise IndexError
