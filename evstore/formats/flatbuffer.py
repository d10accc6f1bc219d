"""Reads FlatBuffers without a schema compiler: tables, and their fields by number.

https://flatbuffers.dev/internals/. Every position is checked before it is used. Vectors of many
items are read by kernels; this is for what there are few of: headers and images.
"""

from __future__ import annotations

import struct

from evstore.errors import CorruptError

Octets = bytes | memoryview

#: Bytes of the offset that leads to the root table, and of the identifier behind it.
HEAD_BYTES = 8


def root(octets: Octets, identifier: bytes, start: int = 0) -> Table:
    """The root table of the buffer at ``start``.

    Raises CorruptError where another identifier stands there, or nothing that can be a table.
    """
    if len(octets) < start + HEAD_BYTES:
        raise CorruptError("a FlatBuffer is too short", expected="8 bytes or more")
    found = bytes(octets[start + 4 : start + HEAD_BYTES])
    if found != identifier:
        raise CorruptError("a FlatBuffer of another kind", expected=identifier, got=found)
    return Table(octets, start + _number(octets, "<I", start))


class Table:
    """One table of a FlatBuffer. A field that is left out has its default.

    >>> octets = bytes.fromhex("0e000000 54455354 0600 0600 0400 06000000 0700")
    >>> root(octets, b"TEST").number(0, "<h")
    7
    """

    def __init__(self, octets: Octets, at: int) -> None:
        self._octets = octets
        self._at = at
        self._fields = at - _number(octets, "<i", at)
        self._length = _number(octets, "<H", self._fields)

    def number(self, field: int, code: str, default: int = 0) -> int:
        """The scalar in ``field``, of the struct module's type ``code``."""
        slot = self._slot(field)
        return default if slot is None else _number(self._octets, code, slot)

    def octets(self, field: int) -> memoryview | None:
        """What a vector of bytes, or a string, holds; a view. None where it is left out."""
        slot = self._slot(field)
        if slot is None:
            return None
        start = slot + _number(self._octets, "<I", slot)
        length = _number(self._octets, "<I", start)
        if length > len(self._octets) - start - 4:
            raise CorruptError(
                "a vector runs past the end of its FlatBuffer",
                expected=f"at most {len(self._octets) - start - 4} bytes",
                got=length,
            )
        return memoryview(self._octets)[start + 4 : start + 4 + length]

    def _slot(self, field: int) -> int | None:
        """Where the field's value is; None where it is left out."""
        entry = 4 + 2 * field
        if entry + 2 > self._length:
            return None
        offset = _number(self._octets, "<H", self._fields + entry)
        return self._at + offset if offset else None


def _number(octets: Octets, code: str, at: int) -> int:
    # Of a negative position struct would count from the end.
    if not 0 <= at <= len(octets) - struct.calcsize(code):
        raise CorruptError(
            "a FlatBuffer points outside itself", expected=f"0..{len(octets)}", got=at
        )
    value: int = struct.unpack_from(code, octets, at)[0]
    return value
