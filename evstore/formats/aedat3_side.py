"""What AEDAT 3.1 packets hold beside polarity events: trigger edges, IMU samples, images."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats.aedat3_packets import Packet, Payload, rows
from evstore.formats.fresh import fresh
from evstore.formats.reading import Batch, Triggers

FRAME_HEADER_BYTES = 36
_FRAME = struct.Struct("<I8i")

#: The most that an image may take; a sensor of 4096x4096 in colour takes as much.
FRAME_LIMIT = 134_217_728

#: From so many bytes of other streams on, a batch ends early.
SIDE_LIMIT = 1_048_576

#: What an array takes beside its values: packets may hold one event each.
ARRAY_BYTES = 128

RISING, FALLING = {2: 0, 6: 1, 9: 2}, {3: 0, 7: 1, 10: 2}  # type of edge: channel
_UNKEPT = {
    1: "timestamp_resets",
    **dict.fromkeys((4, 8, 11), "external_pulses"),
    5: "row_only_events",
    **dict.fromkeys((12, 13), "generator_edges"),
    **dict.fromkeys((14, 15, 16, 17), "frame_marks"),
}
_WRAP = 0  # says what the packets' eventTSOverflow says too: nothing is lost with it

_IMU = (
    *("accelerometer_x", "accelerometer_y", "accelerometer_z"),
    *("gyroscope_x", "gyroscope_y", "gyroscope_z", "temperature"),
)
_MAGNETOMETER = ("magnetometer_x", "magnetometer_y", "magnetometer_z")

_IMAGE = {
    "t": np.int64,
    "width": np.uint16,
    "height": np.uint16,
    "channels": np.uint8,
    "bits": np.uint8,
    "size": np.int64,
    "frame_end": np.int64,
    "exposure_start": np.int64,
    "exposure_end": np.int64,
    "offset_x": np.uint16,
    "offset_y": np.uint16,
    "color_filter": np.uint8,
    "roi": np.uint8,
}


class Gathered:
    """The batch in the making: kernels fill ``into`` up to ``filled``, the rest is appended."""

    def __init__(self, limit: int, dropped: dict[str, int]) -> None:
        self.imu_names: tuple[str, ...] = ()
        self._limit = limit
        self._dropped = dropped
        self._fresh()

    @property
    def full(self) -> bool:
        """Whether the batch should be taken before more is gathered."""
        return self.filled == self._limit or self._side_bytes >= SIDE_LIMIT

    @property
    def any(self) -> bool:
        """Whether there is anything to take."""
        return self.filled > 0 or self._side_bytes > 0

    def count(self, what: str, more: int) -> None:
        """Note that so many of a kind are not kept."""
        if more:
            self._dropped[what] = self._dropped.get(what, 0) + more

    def triggers(self, t: NDArray[Any], id: NDArray[Any], p: NDArray[Any]) -> None:
        """Append trigger edges."""
        self._edges.append((t, id, p))
        self._side_bytes += ARRAY_BYTES + 10 * t.size

    def rows(self, stream: str, columns: dict[str, NDArray[Any]]) -> None:
        """Append rows of another stream."""
        parts = self._side.setdefault(stream, {})
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
            self._side_bytes += ARRAY_BYTES + column.nbytes

    def take(self) -> Batch:
        """The batch; a new one begins."""
        n = self.filled
        t, x, y, p = (column[:n] for column in self.into)
        edges = zip(*self._edges, strict=True)
        triggers = Triggers(*(np.concatenate(part) for part in edges)) if self._edges else None
        side = {
            stream: {name: np.concatenate(parts) for name, parts in columns.items()}
            for stream, columns in self._side.items()
        }
        self._fresh()
        return Batch(t, x, y, p, triggers, side or None)

    def _fresh(self) -> None:
        self.into: tuple[Any, ...] = fresh(self._limit)[:4]
        self.filled = 0
        self._side_bytes = 0
        self._edges: list[tuple[NDArray[Any], ...]] = []
        self._side: dict[str, dict[str, list[NDArray[Any]]]] = {}


def special(payload: Payload, packet: Packet, out: Gathered) -> Iterator[None]:
    """Edges of external inputs become triggers; other special events are counted."""
    for piece in rows(payload, packet, "a special event"):
        words = np.frombuffer(piece, "<u4")
        valid = (words[::2] & 1) == 1
        out.count("invalid_special_events", int((~valid).sum()))
        kinds = (words[::2][valid] >> 1 & 127).astype(np.uint8)
        times = _times(packet, words[1::2][valid])
        for kind, many in zip(*np.unique(kinds, return_counts=True), strict=True):
            if kind != _WRAP and kind not in RISING and kind not in FALLING:
                out.count(_UNKEPT.get(int(kind), "unknown_special_events"), int(many))
        edges = np.isin(kinds, (*RISING, *FALLING))
        if edges.any():
            channels = [{**RISING, **FALLING}[int(kind)] for kind in kinds[edges]]
            rising = np.isin(kinds[edges], tuple(RISING)).astype(np.uint8)
            out.triggers(times[edges], np.array(channels, np.uint8), rising)
        yield


def imu(payload: Payload, packet: Packet, out: Gathered, nine: bool) -> Iterator[None]:
    """Samples in g, degrees a second, degrees Celsius and, of nine axes, microtesla."""
    names = _IMU + (_MAGNETOMETER if nine else ())
    out.imu_names = out.imu_names or names
    kind = np.dtype([("info", "<u4"), ("t", "<u4"), *((name, "<f4") for name in names)])
    for piece in rows(payload, packet, "an IMU sample"):
        table = np.frombuffer(piece, kind)
        valid = (table["info"] & 1) == 1
        out.count("invalid_imu_samples", int((~valid).sum()))
        if names != out.imu_names:
            # The columns of a stream are the same throughout: those of its first samples.
            out.count("imu_samples_of_other_axes", int(valid.sum()))
        elif valid.any():
            columns = {"t": _times(packet, table["t"][valid])}
            columns |= {name: table[name][valid].astype(np.float32) for name in names}
            out.rows("imu", columns)
        yield


def frames(payload: Payload, packet: Packet, out: Gathered) -> Iterator[None]:
    """Images and their pixels, 16 bits a channel; what is behind an image's pixels is padding."""
    for _ in range(packet.number):
        offset = payload.offset
        if packet.event_bytes < FRAME_HEADER_BYTES:
            raise CorruptError(
                "a frame smaller than its header",
                offset=packet.offset,
                field="eventSize",
                expected=f"at least {FRAME_HEADER_BYTES}",
                got=packet.event_bytes,
            )
        info, *fields = _FRAME.unpack(payload.need(FRAME_HEADER_BYTES, "a frame"))
        left = packet.event_bytes - FRAME_HEADER_BYTES
        if info & 1 == 0:
            payload.skip(left, "a frame")
            out.count("invalid_frames", 1)
            yield
            continue
        row = _image(info, fields, left, packet, offset)
        pixels = _pixels(payload, row["size"])
        payload.skip(left - row["size"], "a frame")
        out.rows("images", {name: np.array([row[name]], kind) for name, kind in _IMAGE.items()})
        out.rows("image_bytes", {"value": pixels})
        yield


def _image(info: int, fields: list[int], left: int, packet: Packet, offset: int) -> dict[str, int]:
    times, (width, height, x, y) = fields[:4], fields[4:]
    channels = info >> 1 & 7
    size = 2 * width * height * channels
    sides = all(0 < side <= 65_535 for side in (width, height))
    places = all(0 <= place <= 65_535 for place in (x, y))
    if not (sides and places and channels in (1, 3, 4) and size <= min(left, FRAME_LIMIT)):
        raise CorruptError(
            "a frame that cannot be",
            offset=offset,
            expected=f"1, 3 or 4 channels of 16 bits in at most {min(left, FRAME_LIMIT)} bytes",
            got=f"{width}x{height}x{channels} at {x}, {y}",
        )
    if min(times) < 0:
        raise CorruptError("a negative time", offset=offset, field="timestamp", got=min(times))
    start, end, exposure_start, exposure_end = ((packet.overflow << 31) + t for t in times)
    return {
        **{"t": start, "width": width, "height": height, "channels": channels, "bits": 16},
        **{"size": size, "frame_end": end},
        **{"exposure_start": exposure_start, "exposure_end": exposure_end},
        **{"offset_x": x, "offset_y": y},
        **{"color_filter": info >> 4 & 15, "roi": info >> 8 & 127},
    }


def _pixels(payload: Payload, size: int) -> NDArray[np.uint8]:
    """Gathered as they come: a length is not believed before its bytes are there."""
    parts = bytearray()
    while len(parts) < size:
        piece = payload.some(size - len(parts))
        if len(piece) == 0:
            payload.need(1, "a frame")
        parts += piece
    return np.frombuffer(parts, np.uint8)


def _times(packet: Packet, stored: NDArray[Any]) -> NDArray[np.int64]:
    if stored.size and int(stored.max()) > 0x7FFFFFFF:
        raise CorruptError(
            "a negative time", offset=packet.offset, field="timestamp", expected="0..2147483647"
        )
    return (packet.overflow << 31) + stored.astype(np.int64)
