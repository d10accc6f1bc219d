"""The packets of an AEDAT 4 file, one after the other, through one reused buffer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from evstore.errors import CorruptError, TruncatedError
from evstore.formats import aedat4_kernels as kernels
from evstore.formats.aedat4_compression import MAX_PACKET_BYTES
from evstore.formats.records import BUFFER_BYTES, fill
from evstore.memory import room

#: A packet as it is stored: what packs it may make it larger.
_MOST_BYTES = 2 * MAX_PACKET_BYTES

PACKET_HEADER = struct.Struct("<ii")

TABLE_ID = b"FTAB"

#: How a table of packets begins: as a frame of LZ4 or of Zstandard. No stream has such a number.
_FRAMES = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")

#: Packets that are found by one call.
_FOUND = 256


class Packet(NamedTuple):
    """``octets`` is a view that the next packet overwrites."""

    offset: int
    stream: int
    octets: memoryview


class Packets:
    """Reads packets up to the table of packets, or to the end of the file where there is none.

    The table is not read: it repeats what the packets say. It is known by its first bytes, since
    a wrong ``table_at`` would hide packets.
    """

    def __init__(self, stream: BinaryIO, start: bytes, offset: int, table_at: int) -> None:
        self._stream = stream
        self._buffer = room(max(BUFFER_BYTES, len(start)))
        self._view = self._buffer.data
        self._view[: len(start)] = start
        self._at, self._end = 0, len(start)
        self._offset = offset
        self._table_at = table_at
        self._found = np.empty(3 * _FOUND, np.int64)

    def __iter__(self) -> Iterator[Packet]:
        """Every packet: `read` until it gives None, but what is whole in the buffer at once."""
        while True:
            count = kernels.find(self._buffer, self._at, self._end, _MOST_BYTES, self._found)
            for number, start, end in self._found[: 3 * count].reshape(-1, 3).tolist():
                packet = Packet(self._offset, number, self._view[start:end])
                self._at = end
                self._offset += PACKET_HEADER.size + end - start
                yield packet
            if not count:
                plain = self.read()
                if plain is None:
                    return
                yield plain

    def read(self) -> Packet | None:
        """The next packet, None behind the last.

        Raises TruncatedError where the file ends inside a packet, or before the table that its
        header promises; CorruptError for a size that cannot be.
        """
        have = self._have(PACKET_HEADER.size + len(TABLE_ID))
        if have < PACKET_HEADER.size + len(TABLE_ID) and self._offset == self._table_at:
            return None  # a cut table
        if have == 0:
            if self._table_at > self._offset:
                raise self._cut(f"before its table of packets at byte {self._table_at}")
            return None
        if bytes(self._view[self._at : self._at + 4]) in _FRAMES:
            return None
        if have < PACKET_HEADER.size:
            raise self._cut("inside a packet's header")
        number, size = PACKET_HEADER.unpack_from(self._view, self._at)
        if not 0 <= size <= _MOST_BYTES:
            raise CorruptError(
                "a packet's size cannot be",
                offset=self._offset + 4,
                expected=f"0..{_MOST_BYTES}",
                got=size,
            )
        whole = PACKET_HEADER.size + size
        have = self._have(whole)
        octets = self._view[self._at + PACKET_HEADER.size : self._at + min(have, whole)]
        if octets[:4] == TABLE_ID:
            return None
        if have < whole:
            raise self._cut(f"inside a packet: {have} of its {whole} bytes are there")
        packet = Packet(self._offset, number, octets)
        self._at += whole
        self._offset += whole
        return packet

    def _have(self, wanted: int) -> int:
        """How many bytes of the next ``wanted`` and more are in the buffer, after reading."""
        while self._end - self._at < wanted:
            self._make_room(wanted)
            got = fill(self._stream, self._view[self._end :])
            self._end += got
            if self._end < len(self._buffer):
                break
        return self._end - self._at

    def _make_room(self, wanted: int) -> None:
        """Move what is left to the front; double the buffer if it was full of it.

        It grows with what was read, not with what a size claims.
        """
        left = self._view[self._at : self._end]
        if len(left) == len(self._buffer):
            self._buffer = room(min(wanted, 2 * len(left)))
            self._view = self._buffer.data
        self._view[: len(left)] = left
        self._at, self._end = 0, len(left)

    def _cut(self, where: str) -> TruncatedError:
        return TruncatedError(f"the file ends {where}", offset=self._offset)
