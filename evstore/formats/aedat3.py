"""AEDAT 3.1 of cAER: packets of events of one kind and one source, little-endian.

https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-3.1.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from evstore.errors import (
    ArgumentError,
    CorruptError,
    FormatError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats import aedat_header
from evstore.formats.aedat3_packets import PACKET_HEADER_BYTES as PACKET_HEADER_BYTES
from evstore.formats.aedat3_packets import Packet, Payload, rows
from evstore.formats.aedat3_side import FRAME_HEADER_BYTES as FRAME_HEADER_BYTES
from evstore.formats.aedat3_side import Gathered, frames, imu, special
from evstore.formats.aedat_header import Header
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.streams import choose

NAME = "aedat3"
TITLE = "AEDAT 3.1 (cAER)"
SUFFIXES = (".aedat", ".aedat3")
INPUT_FORMATS = (NAME,)
WRITES = False
SEEKS = False
KEEPS = ("triggers", "imu", "images")
CHECKED = ()

VERSION = "3.1"
TIME_BITS = 31
SPECIAL, POLARITY, FRAME, IMU6, IMU9 = 0, 1, 2, 3, 4
EVENT_BYTES = 8
IMU6_BYTES, IMU9_BYTES = 36, 48

_OTHER_KINDS = {
    5: "sample",
    6: "ear",
    7: "config",
    **{kind: f"point{kind - 7}d" for kind in (8, 9, 10, 11)},
    12: "spike",
    13: "matrix4x4",
}
_EVENT_BYTES = {
    SPECIAL: EVENT_BYTES,
    POLARITY: EVENT_BYTES,
    IMU6: IMU6_BYTES,
    IMU9: IMU9_BYTES,
}
_SOURCE = re.compile(r"source ([0-9]{1,5})")
_STREAM = re.compile(r"source([0-9]{1,5})")

#: Why an AEDAT file of another version is not read; the registry asks.
refusal = aedat_header.refusal


def probe(head: bytes, size: int | None) -> bool:
    """Whether the first line names version 3.1."""
    return aedat_header.version(head) == VERSION


def streams(stream: BinaryIO, options: ReadOptions) -> list[str]:
    """`source0` and so on: the sources that have polarity events, in the order they come."""
    header = _header(stream)
    return _names(_sources(header, Payload(stream, header.rest, len(header.raw))))


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, events lazily; ``options.stream`` names one of several sources.

    Raises UnsupportedError for other versions and for packets that are not RAW, CorruptError
    where a packet cannot be one, ArgumentError where there are several sources and none is named.
    """
    if options.batch_events < 1:
        raise ArgumentError(f"batch_events must be at least 1, got {options.batch_events}")
    header = _header(stream)
    source, sure = _chosen(stream, header, options)
    payload = Payload(stream, header.rest, len(header.raw))
    metadata = aedat_header.metadata(header)
    device, key = _device(header, source)
    known = None
    if device is not None:
        metadata.update(sensor=device, sensor_from=key)
        known = aedat_header.sensor(device)
    size = None if known is None else known.size
    reading = Reading(NAME, size, iter(()), metadata, header.raw)
    reading.batches = _Walk(payload, source, sure, options, reading).batches()
    return reading


def _header(stream: BinaryIO) -> Header:
    header = aedat_header.read(stream)
    if header.version is None:
        raise FormatError("no AEDAT header", offset=0, expected=f"#!AER-DAT{VERSION}")
    if header.version != VERSION:
        raise UnsupportedError(
            f"the file is AEDAT {header.version}", expected=VERSION, got=header.version
        )
    if not header.ended:
        raise CorruptError("the header has no end", offset=len(header.raw), expected="#!END-HEADER")
    kinds = {value.upper() for value in header.fields.get("format", [])} - {"RAW"}
    if kinds:
        raise UnsupportedError(
            "the packets are not raw", field="Format", expected="RAW", got=", ".join(sorted(kinds))
        )
    return header


def _sources(header: Header, payload: Payload) -> list[int]:
    """Sources of polarity events; the first of all where there are none. Stops where the file is
    damaged: reading says so.
    """
    seen: dict[int, bool] = {}
    try:
        while (packet := payload.packet()) is not None:
            events = packet.kind == POLARITY and packet.number > 0
            seen[packet.source] = seen.get(packet.source, False) or events
            payload.skip(packet.number * packet.event_bytes, "a packet")
    except FormatError:
        pass
    found = [source for source, events in seen.items() if events]
    return found or list(seen)[:1] or list(_devices(header))[:1] or [0]


def _names(sources: Iterable[int | None]) -> list[str]:
    return [f"source{source}" for source in sources]


def _chosen(stream: BinaryIO, header: Header, options: ReadOptions) -> tuple[int | None, bool]:
    """The source to read, None where only reading tells, and whether it is the only one or named.

    A pipe can be read once only: its first packet says which source it is.
    """
    if stream.seekable():
        position = stream.tell()
        found = _sources(header, Payload(stream, header.rest, len(header.raw)))
        stream.seek(position)
        return found[_names(found).index(choose(_names(found), options.stream))], True
    if options.stream is None:
        return None, False
    named = _STREAM.fullmatch(options.stream)
    if named is None:
        raise ArgumentError(f"the file has no event stream {options.stream!r}, but source0 ...")
    return int(named[1]), True


def _devices(header: Header) -> dict[int, str]:
    """What the header calls each source; older logs that went into this one begin with a minus."""
    found: dict[int, str] = {}
    for key, values in header.fields.items():
        number = _SOURCE.fullmatch(key)
        if number:
            found[int(number[1])] = values[0]
    return found


def _device(header: Header, source: int | None) -> tuple[str | None, str | None]:
    """The device of a source and the header's key; the only one there is fits any source."""
    devices = _devices(header)
    if source not in devices and len(devices) == 1:
        source = next(iter(devices))
    return (devices[source], f"Source {source}") if source in devices else (None, None)


class _Walk:
    """Packet by packet through the payload, into batches of one source."""

    def __init__(
        self,
        payload: Payload,
        source: int | None,
        sure: bool,
        options: ReadOptions,
        reading: Reading,
    ) -> None:
        from evstore.formats import aedat3_kernels as kernels

        self._kernels = kernels
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._payload = payload
        self._source, self._sure = source, sure
        self._named = options.stream
        self._met: dict[int | None, None] = {}  # sources of polarity events
        self._reading = reading
        self._out = Gathered(options.batch_events, reading.dropped)

    def batches(self) -> Iterator[Batch]:
        """What is whole comes before the error."""
        events, error = 0, None
        try:
            while (packet := self._payload.packet()) is not None:
                for _ in self._packet(packet):
                    if self._out.full:
                        events += self._out.filled
                        yield self._out.take()
        except FormatError as caught:
            error = caught
        events += self._out.filled
        if self._out.any:
            yield self._out.take()
        if isinstance(error, TruncatedError):
            error.safe_events = events
        if error is not None:
            raise error
        if self._named is not None and self._met and self._source not in self._met:
            choose(_names(self._met), self._named)

    def _packet(self, packet: Packet) -> Iterator[None]:
        """Gather a packet's events; yields now and then, and always where the batch is full."""
        if self._source is None:
            self._source = packet.source
        if packet.kind == POLARITY and packet.number:
            self._met[packet.source] = None
        if packet.source != self._source:
            self._other_source(packet)
            return
        expected = _EVENT_BYTES.get(packet.kind, packet.event_bytes)
        if packet.event_bytes != expected:
            raise CorruptError(
                f"events of kind {packet.kind} are of another size",
                offset=packet.offset,
                field="eventSize",
                expected=expected,
                got=packet.event_bytes,
            )
        if packet.kind == POLARITY:
            yield from self._polarity(packet)
        elif self._reading.events_only:
            self._payload.skip(packet.number * packet.event_bytes, "a packet")
        elif packet.kind == SPECIAL:
            yield from special(self._payload, packet, self._out)
        elif packet.kind == FRAME:
            yield from frames(self._payload, packet, self._out)
        elif packet.kind in (IMU6, IMU9):
            yield from imu(self._payload, packet, self._out, packet.kind == IMU9)
        else:
            self._payload.skip(packet.number * packet.event_bytes, "a packet")
            self._out.count(f"{_OTHER_KINDS.get(packet.kind, 'unknown')}_events", packet.number)

    def _other_source(self, packet: Packet) -> None:
        if packet.kind == POLARITY and packet.number and not self._sure:
            choose(_names({self._source: None, **self._met}), None)
        self._payload.skip(packet.number * packet.event_bytes, "a packet")
        self._out.count("packets_of_other_sources", 1)

    def _polarity(self, packet: Packet) -> Iterator[None]:
        out, state, kernels = self._out, self._state, self._kernels
        base = packet.overflow << TIME_BITS
        for piece in rows(self._payload, packet, "a polarity event"):
            words: Any = np.frombuffer(piece, "<u4")
            if not words.flags.aligned:
                words = words.copy()  # numba would compile once more for such arrays
            begin, position = self._payload.offset - len(piece), 0
            while True:
                state[kernels.INVALID] = 0
                position, out.filled = kernels.decode(
                    words, position, base, *out.into, out.filled, state
                )
                out.count("invalid_events", int(state[kernels.INVALID]))
                if state[kernels.FAULT]:
                    raise CorruptError(
                        "a negative time",
                        offset=begin + 4 * position,
                        field="timestamp",
                        expected="0..2147483647",
                        got=int(words[position + 1]) - (1 << 32),
                    )
                if position >= words.size:
                    break
                yield
            yield
