"""Thrift's compact protocol, of which Parquet's footer and page headers are made.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md. Only what is
asked for is kept, so that memory does not grow with what a hostile file says.
"""

from __future__ import annotations

from typing import Any

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

#: Structs within structs; Parquet has fewer.
_DEPTH = 16

#: What to keep of a struct: True, or what of a struct (or of a list's structs), by field number.
Wanted = dict[int, Any]


class Compact:
    """Values one after the other; ``at`` is how many bytes were read.

    Raises IndexError where the bytes end, or cannot be Thrift.
    """

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    def struct(self, wanted: Wanted, depth: int = 0) -> dict[int, Any]:
        """The fields of a struct that are wanted, by number: integers, bytes, lists, dicts."""
        if depth > _DEPTH:
            raise IndexError
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            if kind not in (_TRUE, _FALSE):  # which have no value of their own
                value = self._value(kind, wanted.get(number), depth)
                if number in wanted:
                    found[number] = value
        return found

    def _value(self, kind: int, wanted: Any, depth: int) -> Any:
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind in (_BYTE, _TRUE, _FALSE):
            return self._byte()
        if kind in (_DOUBLE, _BINARY):
            length = 8 if kind == _DOUBLE else self._varint()
            self.at += length
            if self.at > len(self._data):
                raise IndexError
            return self._data[self.at - length : self.at] if wanted else None
        if kind in (_LIST, _SET):
            return self._list(wanted, depth)
        if kind == _STRUCT:
            return self.struct(wanted if isinstance(wanted, dict) else {}, depth + 1)
        raise IndexError  # a map, which Parquet has none of

    def _list(self, wanted: Any, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        found = []
        for _ in range(count):  # each takes a byte at least
            value = self._value(head & 15, wanted, depth + 1)
            if wanted:
                found.append(value)
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

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
