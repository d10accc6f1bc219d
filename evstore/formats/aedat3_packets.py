"""The packets of an AEDAT 3.1 file: bytes in, one packet header after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from evstore.errors import CorruptError, TruncatedError
from evstore.formats.records import BUFFER_BYTES, fill

PACKET_HEADER_BYTES = 28
_HEADER = struct.Struct("<hhiiiiii")


class Packet(NamedTuple):
    """A packet's header; ``offset`` is where in the file it begins."""

    kind: int
    source: int
    event_bytes: int
    time_at: int
    overflow: int
    capacity: int
    number: int
    valid: int
    offset: int


class Payload:
    """The bytes behind the file's header, taken in pieces of a bounded buffer.

    ``offset`` is where in the file the next piece begins.
    """

    def __init__(self, stream: BinaryIO, start: bytes, offset: int) -> None:
        self.offset = offset
        self._stream = stream
        self._buffer = bytearray(max(BUFFER_BYTES, len(start)))
        self._view = memoryview(self._buffer)
        self._view[: len(start)] = start
        self._at, self._end = 0, len(start)

    def some(self, at_most: int, of: int = 1) -> memoryview:
        """The next bytes, a view that the next call overwrites: as many as there are at hand, a
        multiple of ``of``, and fewer than ``of`` only at the end of the file.
        """
        if self._end - self._at < min(of, at_most):
            kept = bytes(self._view[self._at : self._end])
            self._view[: len(kept)] = kept
            self._at, self._end = 0, len(kept) + fill(self._stream, self._view[len(kept) :])
        count = min(at_most, self._end - self._at)
        if count > of:
            count -= count % of
        piece = self._view[self._at : self._at + count]
        self._at += count
        self.offset += count
        return piece

    def need(self, count: int, what: str) -> memoryview:
        """Exactly ``count`` bytes, at most a buffer of them. Raises TruncatedError."""
        begin = self.offset
        piece = self.some(count, count)
        if len(piece) < count:
            raise TruncatedError(
                f"the file ends inside {what}", offset=begin, expected=f"{count} bytes",
                got=len(piece),
            )  # fmt: skip
        return piece

    def skip(self, count: int, what: str) -> None:
        """Pass over ``count`` bytes. Raises TruncatedError."""
        while count:
            piece = len(self.some(count))
            if piece == 0:
                raise TruncatedError(
                    f"the file ends inside {what}",
                    offset=self.offset,
                    expected=f"{count} more bytes",
                )
            count -= piece

    def packet(self) -> Packet | None:
        """The next packet's header, None at the end of the file. Raises CorruptError for one that
        cannot be.
        """
        offset = self.offset
        first = self.some(PACKET_HEADER_BYTES, PACKET_HEADER_BYTES)
        if len(first) == 0:
            return None
        if len(first) < PACKET_HEADER_BYTES:
            raise TruncatedError("the file ends inside a packet's header", offset=offset)
        packet = Packet._make((*_HEADER.unpack(first), offset))
        _check(packet)
        return packet


def _check(packet: Packet) -> None:
    kind, source, size, time_at, overflow, capacity, number, valid, _ = packet
    if (
        min(kind, source, overflow, time_at, valid) >= 0
        and time_at <= size - 4
        and valid <= number <= capacity
    ):
        return
    limits = (
        ("eventType", kind, 0, 0x7FFF),
        ("eventSource", source, 0, 0x7FFF),
        ("eventSize", size, 4, 0x7FFFFFFF),
        ("eventTSOffset", time_at, 0, size - 4),
        ("eventTSOverflow", overflow, 0, 0x7FFFFFFF),
        ("eventCapacity", capacity, 0, 0x7FFFFFFF),
        ("eventNumber", number, 0, capacity),
        ("eventValid", valid, 0, number),
    )
    for field, value, least, most in limits:
        if not least <= value <= most:
            raise CorruptError(
                "no packet header where one must be",
                offset=packet.offset,
                field=field,
                expected=f"{least}..{most}",
                got=value,
            )


def rows(payload: Payload, packet: Packet, what: str) -> Iterator[memoryview]:
    """The packet's events, some whole ones at a time: views that the next step overwrites.

    Raises TruncatedError where the file ends before the packet.
    """
    left = packet.number * packet.event_bytes
    while left:
        begin = payload.offset
        piece = payload.some(min(left, BUFFER_BYTES), packet.event_bytes)
        if len(piece) < packet.event_bytes:
            raise TruncatedError(f"the file ends inside {what}, or before it", offset=begin)
        left -= len(piece)
        yield piece
