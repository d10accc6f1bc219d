"""Event Stream 2: ``.es`` files of DVS and ATIS events.

https://github.com/neuromorphic-paris/event_stream
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import (
    ArgumentError,
    CorruptError,
    FormatError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats.fresh import fresh
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.records import BUFFER_BYTES, fill, read_head

if TYPE_CHECKING:
    from evstore.formats.es_writer import AtisWriter, Writer

NAME = "es"
TITLE = "Event Stream 2 (.es), DVS and ATIS"
SUFFIXES = (".es",)
INPUT_FORMATS = (NAME,)
WRITES = True
SEEKS = False
KEEPS = ("exposure",)
CHECKED = ("files", "event_stream", "faery")
RESTORES = "byte for byte (ATIS: event for event)"

MAGIC = b"Event Stream"
MAJOR = 2
HEADER_BYTES = 20
EVENT_BYTES = 5
GENERIC, DVS, ATIS, AMD, COLOR = 0, 1, 2, 3, 4

#: The stream types read and written, as the metadata calls them.
STREAM_TYPES = {DVS: "dvs", ATIS: "atis"}

#: Where (0, 0) is; what the metadata of a file with rows counted upwards says.
ORIGIN = "bottom-left"

#: Exposure events that a batch may hold for each of its events: an ATIS pixel sends two.
EXPOSURES_PER_EVENT = 2

_VERSION_BYTES = 16  # magic, version and type: what every stream type has
_REFUSED = {
    GENERIC: "generic events (bytes of any meaning)",
    AMD: "AMD events (asynchronous modular display)",
    COLOR: "color (colour) events",
}


class _Header(NamedTuple):
    version: str
    kind: int
    resolution: tuple[int, int]


def probe(head: bytes, size: int | None) -> bool:
    """Whether it is an Event Stream of major version 2 with DVS or ATIS events."""
    whole = head.startswith(MAGIC) and len(head) >= HEADER_BYTES
    return whole and head[12] == MAJOR and head[15] in STREAM_TYPES


def refusal(head: bytes) -> FormatError | None:
    """Why an Event Stream is not read: its version, its type, a cut header; None for others."""
    if not head.startswith(MAGIC):
        return None
    try:
        _header(head)
    except FormatError as error:
        return error
    return None


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, events lazily; exposure events of ATIS are the side stream ``exposure``.

    Raises UnsupportedError for other versions and for streams of other events, FormatError where
    there is no header.
    """
    head = read_head(stream)
    header = _header(head)
    return Reading(
        NAME,
        header.resolution,
        _batches(stream, head[HEADER_BYTES:], header.kind, options.batch_events),
        metadata={
            "version": header.version,
            "stream_type": STREAM_TYPES[header.kind],
            "origin": ORIGIN,
        },
        header=head[:HEADER_BYTES],
        stated={"events": None, **({"exposure": None} if header.kind == ATIS else {})},
    )


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int],
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer | AtisWriter:
    """Write the header and give back what takes events; ``rebase`` makes the first time 0.

    A stream of ATIS events where the metadata's ``stream_type`` is "atis", else of DVS events.
    Rows are turned around unless the metadata's ``origin`` is "bottom-left" already. Raises
    UnsupportedError for a resolution beyond 16 bits, ArgumentError for one that is no size.
    """
    from evstore.formats.es_writer import AtisWriter, Writer

    flip = metadata.get("origin") != ORIGIN
    if metadata.get("stream_type") == STREAM_TYPES[ATIS]:
        return AtisWriter(stream, resolution, flip, rebase)
    return Writer(stream, resolution, flip, rebase)


def _header(head: bytes) -> _Header:
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    if not head.startswith(MAGIC[: len(head)]):
        raise FormatError("no Event Stream header", offset=0, expected=MAGIC, got=head[:12])
    if len(head) < _VERSION_BYTES:
        raise _cut(head)
    version, kind = ".".join(str(part) for part in head[12:15]), head[15]
    if head[12] != MAJOR:
        raise UnsupportedError(
            f"Event Stream version {version}",
            offset=12,
            field="major version",
            expected=MAJOR,
            got=head[12],
            hint="evstore reads version 2 only: convert the file with the software that wrote it",
        )
    if kind not in STREAM_TYPES:
        raise UnsupportedError(
            f"an Event Stream of {_REFUSED.get(kind, 'unknown events')}",
            offset=15,
            field="type",
            expected="1 (DVS) or 2 (ATIS)",
            got=kind,
            hint="it holds no change events, and those are what evstore reads",
        )
    if len(head) < HEADER_BYTES:
        raise _cut(head)
    resolution: tuple[int, int] = struct.unpack_from("<HH", head, _VERSION_BYTES)
    if 0 in resolution:
        raise CorruptError(
            "the header's geometry is no size",
            offset=_VERSION_BYTES,
            field="width, height",
            expected="1 to 65535",
            got=resolution,
        )
    return _Header(version, kind, resolution)


def _cut(head: bytes) -> TruncatedError:
    return TruncatedError("the file ends inside its header", safe_events=0, offset=len(head))


def _batches(stream: BinaryIO, start: bytes, kind: int, limit: int) -> Iterator[Batch]:
    """Batches of at most ``limit`` events; ``start`` is what was read behind the header.

    Raises TruncatedError after the last whole event where the stream ends inside one.
    """
    if limit < 1:
        raise ArgumentError(f"batch_events must be at least 1, got {limit}")
    decoder = _Decoder(kind, limit)
    buffer = bytearray(BUFFER_BYTES)
    view = memoryview(buffer)
    octets = np.frombuffer(buffer, np.uint8)
    view[: len(start)] = start
    kept, offset, ended = len(start), HEADER_BYTES, False
    while not ended:
        size = kept + fill(stream, view[kept:])
        ended = size < len(buffer)
        position = decoder.decode(octets[:size], 0)
        while size - position >= EVENT_BYTES:
            yield decoder.take()
            position = decoder.decode(octets[:size], position)
        kept = size - position
        view[:kept] = bytes(view[position:size])
        offset += position
    if decoder.holds:
        yield decoder.take()
    if kept:
        raise TruncatedError(
            f"the file ends inside an event: {kept} bytes of {EVENT_BYTES}",
            safe_events=decoder.events,
            offset=offset,
        )


class _Decoder:
    """Fills a batch, and beside it the exposure events that come between."""

    def __init__(self, kind: int, limit: int) -> None:
        from evstore.formats import es_kernels as kernels

        self._decode = kernels.decode_atis if kind == ATIS else kernels.decode_dvs
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._limit = limit
        self._into = fresh(limit)
        self._exposure = fresh(EXPOSURES_PER_EVENT * limit if kind == ATIS else 0)
        self._filled = self._exposed = 0
        self.events = 0

    @property
    def holds(self) -> bool:
        """Whether there is anything to take."""
        return self._filled > 0 or self._exposed > 0

    def decode(self, octets: NDArray[np.uint8], position: int) -> int:
        """Decode from ``position`` on; returns where it stopped.

        That is at an event: one with no room, or one whose last bytes are not there.
        """
        position, self._filled, self._exposed = self._decode(
            octets,
            position,
            *self._into[:4],
            self._filled,
            *self._exposure[:4],
            self._exposed,
            self._state,
        )
        return position

    def take(self) -> Batch:
        """What was decoded since the last call."""
        t, x, y, p = self._into[:4]
        n = self._filled
        taken = Batch(t[:n], x[:n], y[:n], p[:n])
        if self._exposed:
            # Copies, so that a few rows do not keep alive the room for many.
            rows = (column[: self._exposed].copy() for column in self._exposure[:4])
            taken = taken._replace(side={"exposure": dict(zip("txyp", rows, strict=True))})
        self.events += n
        self._into, self._filled, self._exposed = fresh(self._limit), 0, 0
        return taken
