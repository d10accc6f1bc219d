"""Write AEDAT 4 as DV does: a stream each for events, frames, IMU samples and triggers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError, UnsupportedError
from evstore.events import COLUMNS, Events
from evstore.formats import aedat4_building as building
from evstore.formats.aedat4_compression import NAMES, packer
from evstore.formats.aedat4_packets import PACKET_HEADER
from evstore.formats.aedat4_sides import FORMATS, IMAGE_COLUMNS, IMU_FIELDS, RISING, TRIGGER_TYPES
from evstore.formats.columns import is_size
from evstore.formats.reading import Batch, Triggers

#: Events of a packet, and rows of a packet of IMU samples or triggers.
PACKET_EVENTS = 8192

#: The numbers of the streams, as DV gives them.
EVENTS_AT, FRAMES_AT, IMU_AT, TRIGGERS_AT = 0, 1, 2, 3

MAX_COORDINATE = 32_767


class Writer:
    """Takes batches of events in order and writes packets; ``close`` writes the rest.

    Where the stream can seek, the table of packets is written at its end, and the header says
    where; a pipe gets none, which readers make up by walking the packets.

    Raises UnsupportedError for an x or y of 32768 and more, for images of other pixels than 8 or
    16 bits, and for triggers of another channel than 0 where the source's are channels.

    >>> import io
    >>> stream = io.BytesIO()
    >>> writer = Writer(stream, (34, 34), {}, "none")
    >>> writer.write([10, 20], [1, 2], [3, 4], [1, 0])
    >>> writer.close()
    >>> stream.getvalue()[:12]
    b'#!AER-DAT4.0'
    """

    def __init__(
        self,
        stream: BinaryIO,
        resolution: tuple[int, int],
        metadata: dict[str, Any],
        compression: str = "zstd",
    ) -> None:
        if not is_size(resolution):
            raise ArgumentError(f"resolution must be 1 to 65536 each way, got {resolution}")
        self.events = 0
        self._stream = stream
        self._compression, self._pack = packer(compression)
        # Types of AEDAT 4, or channels of another format with a polarity each.
        self._typed = metadata.get("trigger_ids") == "aedat4"
        self._waiting = np.zeros(PACKET_EVENTS, building.EVENT)
        self._filled = 0
        self._table: list[tuple[int, int, int, int, int, int]] = []
        xml = building.xml(resolution, metadata, NAMES[self._compression])
        self._start = stream.tell() if stream.seekable() else None
        self._header = building.header(self._compression, xml)
        self._offset = len(self._header.octets)
        stream.write(self._header.octets)

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        self._refuse(events)
        done = 0
        while done < len(events):
            taken = min(len(events) - done, PACKET_EVENTS - self._filled)
            place, part = slice(self._filled, self._filled + taken), slice(done, done + taken)
            for name in COLUMNS:
                self._waiting[name][place] = getattr(events, name)[part]
            self._filled += taken
            done += taken
            if self._filled == PACKET_EVENTS:
                self._flush()
        self.events += len(events)

    def write_batch(self, batch: Batch) -> None:
        """Append what a reader gives: events, triggers, and of the side streams imu and images."""
        side = batch.side or {}
        if set(side) - {"imu", "images", "image_bytes"}:
            raise UnsupportedError("AEDAT 4 cannot hold these streams", got=sorted(side))
        self.write(*batch[:4])
        if batch.triggers is not None:
            self.trigger(batch.triggers)
        if "imu" in side:
            self.imu(side["imu"])
        if "images" in side:
            self.images(side["images"], side["image_bytes"]["value"])

    def trigger(self, edges: Triggers) -> None:
        """Append trigger edges: of the source's types, or the two external edges."""
        for part in _parts(len(edges.t)):
            cut = Triggers(edges.t[part], edges.id[part], edges.p[part])
            self._packet(TRIGGERS_AT, building.triggers(cut.t, self._types(cut)), cut.t)

    def imu(self, columns: dict[str, NDArray[Any]]) -> None:
        """Append IMU samples; what a column is missing for is 0."""
        unknown = set(columns) - {"t", *IMU_FIELDS}
        if unknown:
            raise UnsupportedError("AEDAT 4 cannot hold this of an IMU", got=sorted(unknown))
        for part in _parts(len(columns["t"])):
            cut = {name: column[part] for name, column in columns.items()}
            self._packet(IMU_AT, building.imu(cut), cut["t"])

    def images(self, columns: dict[str, NDArray[Any]], pixels: NDArray[np.uint8]) -> None:
        """Append images, whose pixels lie one after the other; each is a packet."""
        unknown = set(columns) - set(IMAGE_COLUMNS) | ({"stream"} & set(columns))
        if unknown:
            raise UnsupportedError("AEDAT 4 cannot hold this of an image", got=sorted(unknown))
        start = 0
        for k in range(len(columns["t"])):
            said = {name: int(column[k]) for name, column in columns.items()}
            said["format"] = _format(said)
            end = start + said["size"]
            if max(said["width"], said["height"]) > MAX_COORDINATE:
                raise UnsupportedError(
                    f"AEDAT 4 cannot hold the image at {said['t']} us",
                    expected="a width and height of at most 32767",
                    got=(said["width"], said["height"]),
                )
            self._packet(
                FRAMES_AT, building.frame(said, pixels[start:end]), columns["t"][k : k + 1]
            )
            start = end

    def close(self) -> None:
        """Write what waits, and the table where the stream can seek; the stream stays open."""
        self._flush()
        if self._start is not None:
            at = self._offset
            self._stream.write(self._pack(building.table(self._table)))
            end = self._stream.tell()
            self._stream.seek(self._start + self._header.table_at)
            self._stream.write(at.to_bytes(8, "little"))
            self._stream.seek(end)
        self._stream.flush()

    def _flush(self) -> None:
        if self._filled:
            events = self._waiting[: self._filled]
            self._packet(EVENTS_AT, building.events(events), events["t"])
            self._filled = 0

    def _packet(self, number: int, octets: bytes, times: NDArray[np.int64]) -> None:
        packed = self._pack(octets)
        self._stream.write(PACKET_HEADER.pack(number, len(packed)))
        self._stream.write(packed)
        row = (number, len(packed), len(times), int(times.min()), int(times.max()))
        self._offset += PACKET_HEADER.size
        self._table.append((self._offset, *row))
        self._offset += len(packed)

    def _refuse(self, events: Events) -> None:
        """Raise for the first event that has no place, before any of them is taken."""
        for name, column in (("x", events.x), ("y", events.y)):
            if len(events) and int(column.max()) > MAX_COORDINATE:
                at = int(np.argmax((events.x > MAX_COORDINATE) | (events.y > MAX_COORDINATE)))
                t, x, y = int(events.t[at]), int(events.x[at]), int(events.y[at])
                raise UnsupportedError(
                    f"AEDAT 4 cannot hold event {self.events + at:,} (t {t}, x {x}, y {y})",
                    field=name,
                    expected=f"0..{MAX_COORDINATE}",
                    got=int(column[at]),
                )

    def _types(self, edges: Triggers) -> NDArray[np.uint8]:
        """The type of each edge. Raises UnsupportedError where there is none that says it."""
        known = np.zeros(256, bool)
        known[: len(TRIGGER_TYPES) if self._typed else 1] = True
        rises = np.isin(edges.id, RISING) if self._typed else edges.p != 0
        wrong = ~known[edges.id] | (rises != (edges.p != 0))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise UnsupportedError(
                f"AEDAT 4 cannot hold the trigger at {int(edges.t[at])} us",
                field="id",
                expected="a type of AEDAT 4 and its polarity" if self._typed else "channel 0",
                got=(int(edges.id[at]), int(edges.p[at])),
            )
        external = np.where(edges.p != 0, 1, 2).astype(np.uint8)
        return edges.id if self._typed else external


def _parts(count: int) -> Iterator[slice]:
    for first in range(0, count, PACKET_EVENTS):
        yield slice(first, first + PACKET_EVENTS)


def _format(said: dict[str, int]) -> int:
    """The number of an image's pixels: of the source where it fits, else of channels and bits."""
    pixels = (said["channels"], said["bits"])
    size = said["width"] * said["height"] * said["channels"] * said["bits"] // 8
    found = [number for number, known in FORMATS.items() if known == pixels]
    if not found or size != said["size"]:
        raise UnsupportedError(
            f"AEDAT 4 cannot hold the image at {said['t']} us",
            expected=f"1 to 4 channels of 8 or 16 bits, {size} bytes",
            got=f"{pixels[0]} channels of {pixels[1]} bits, {said['size']} bytes",
        )
    return found[0]
