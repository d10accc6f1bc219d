"""AEDAT 4, what DV and dv-processing write. https://docs.inivation.com and `formats/aedat4`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.formats import aedat4_header
from evstore.formats.aedat4_compression import (
    LZ4,
    LZ4_HIGH,
    MAX_PACKET_BYTES,
    NAMES,
    NONE,
    ZSTD,
    ZSTD_HIGH,
    unpacker,
)
from evstore.formats.aedat4_header import EVENT_BYTES, HEADER_AT, MAGIC, MAX_HEADER_BYTES
from evstore.formats.reading import Reading, ReadOptions
from evstore.formats.records import read_head
from evstore.formats.streams import choose

if TYPE_CHECKING:
    from evstore.formats.aedat4_writer import Writer

# What SPEC.md lists, in the one place where it is looked up.
__all__ = [
    "EVENT_BYTES",
    "HEADER_AT",
    "LZ4",
    "LZ4_HIGH",
    "MAX_HEADER_BYTES",
    "MAX_PACKET_BYTES",
    "NONE",
    "ZSTD",
    "ZSTD_HIGH",
    "probe",
    "read",
    "streams",
    "writer",
]

NAME = "aedat4"
TITLE = "AEDAT 4 (DV)"
SUFFIXES = (".aedat4",)
INPUT_FORMATS = (NAME,)
WRITES = True
ORIGIN = "top-left"  # of what `writer` writes
TAKES = ("triggers", "imu", "images", "image_bytes")
SEEKS = False
KEEPS = ("triggers", "imu", "images")
CHECKED = ("files", "aedat", "dv_processing", "faery")


def probe(head: bytes, size: int | None) -> bool:
    """By its magic, which has the version."""
    return head.startswith(MAGIC)


def streams(stream: BinaryIO, options: ReadOptions) -> list[str]:
    """The names of the event streams, in the header's order.

    Raises UnsupportedError where there is none.
    """
    header, _ = aedat4_header.read(stream, read_head(stream))
    return list(aedat4_header.event_names(header))


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, packets lazily.

    Raises UnsupportedError where there is no event stream, ArgumentError where there are several
    and ``options.stream`` does not say which.
    """
    from evstore.formats import aedat4_events
    from evstore.formats.aedat4_packets import Packets

    header, start = aedat4_header.read(stream, read_head(stream))
    named = aedat4_header.event_names(header)
    name = choose(list(named), options.stream)
    chosen = named[name]
    unpack = unpacker(header.compression)
    packets = Packets(stream, start, len(header.raw), header.table_at)
    metadata: dict[str, Any] = {
        "compression": NAMES[header.compression],
        "stream": name,
        "trigger_ids": "aedat4",
    }
    if chosen.source:
        metadata["source"] = chosen.source
    if chosen.ts_offset is not None:
        metadata["ts_offset"] = chosen.ts_offset
    reading = Reading(NAME, chosen.resolution, iter(()), metadata, header.raw)
    reading.stated = aedat4_header.stated(header, chosen)
    limit = options.batch_events
    reading.batches = aedat4_events.batches(packets, unpack, header, chosen, limit, reading)
    return reading


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int],
    metadata: dict[str, Any],
    compression: str = "zstd",
) -> Writer:
    """Give back what takes events; ``compression`` is none, lz4, lz4_high, zstd or zstd_high."""
    from evstore.formats.aedat4_writer import Writer

    return Writer(stream, resolution, metadata, compression)
