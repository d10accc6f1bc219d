"""What AEDAT 4 holds beside events: triggers, IMU samples and images, gathered for a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats import aedat4_kernels as kernels
from evstore.formats import flatbuffer
from evstore.formats.aedat4_header import FRAMES, IMU, TRIGGERS
from evstore.formats.aedat4_items import locate
from evstore.formats.reading import Triggers

#: Trigger types that are not a rising edge or a beginning have polarity 0.
TRIGGER_TYPES = (
    "timestamp_reset",
    "external_rising",
    "external_falling",
    "external_pulse",
    "generator_rising",
    "generator_falling",
    "frame_begin",
    "frame_end",
    "exposure_begin",
    "exposure_end",
)
RISING = (1, 3, 4, 6, 8)

#: Fields of an IMU sample behind its time, in the order of the schema.
IMU_FIELDS = (
    "temperature",
    *(
        f"{what}_{axis}"
        for what in ("accelerometer", "gyroscope", "magnetometer")
        for axis in "xyz"
    ),
)

#: Fields of a frame: column, number in the schema, type there.
FRAME_FIELDS = (
    ("t", 0, "<q"),
    ("begin", 1, "<q"),
    ("end", 2, "<q"),
    ("exposure_start", 3, "<q"),
    ("exposure_end", 4, "<q"),
    ("format", 5, "<b"),
    ("width", 6, "<h"),
    ("height", 7, "<h"),
    ("offset_x", 8, "<h"),
    ("offset_y", 9, "<h"),
    ("exposure", 11, "<q"),
    ("source", 12, "<b"),
)
PIXELS = 10

#: OpenCV's types of unsigned pixels: channels and bits of each.
FORMATS = {
    depth + 8 * (channels - 1): (channels, bits)
    for depth, bits in ((0, 8), (2, 16))
    for channels in (1, 2, 3, 4)
}

#: Columns of `images`; the last only where there are several streams of them.
IMAGE_COLUMNS = {
    **dict.fromkeys(("t", "begin", "end", "exposure_start", "exposure_end", "exposure"), np.int64),
    **dict.fromkeys(("width", "height"), np.uint16),
    **dict.fromkeys(("offset_x", "offset_y"), np.int16),
    **dict.fromkeys(("channels", "bits"), np.uint8),
    **dict.fromkeys(("format", "source"), np.int8),
    "size": np.int64,
    "stream": np.int32,
}

#: What an image is counted as, beside its pixels: an empty one takes memory too.
IMAGE_BYTES = 1000

#: Rows of a packet that are decoded at once, and bytes after which a batch ends early.
ROWS = 4096
FULL_BYTES = 1_048_576

#: Rows are tables, each found by an offset.
OFFSET_BYTES = 4

#: What differs between packets of rows: identifier, fields behind the time, bytes of each.
_ROWS_OF = {IMU: (len(IMU_FIELDS), 4), TRIGGERS: (1, 1)}

_IS_RISING = np.zeros(256, np.uint8)
_IS_RISING[list(RISING)] = 1

Side = dict[str, dict[str, NDArray[Any]]]


class Sides:
    """Rows of other streams since the last batch. ``mixed`` are kinds with several streams.

    Of these each row tells the stream's number, in a column ``stream``.
    """

    def __init__(self, mixed: frozenset[str], dropped: dict[str, int]) -> None:
        self._mixed = mixed
        self._dropped = dropped
        self._triggers: list[tuple[NDArray[np.int64], NDArray[np.uint32]]] = []
        self._imu: list[tuple[int, NDArray[np.int64], NDArray[np.uint32]]] = []
        self._images: list[dict[str, int]] = []
        self._pixels: list[NDArray[np.uint8]] = []
        self._bytes = 0

    @property
    def any(self) -> bool:
        """Whether there is any row."""
        return bool(self._triggers or self._imu or self._images)

    @property
    def full(self) -> bool:
        """Whether there is enough for a batch to end."""
        return self._bytes >= FULL_BYTES

    def add(self, kind: str, number: int, octets: NDArray[np.uint8]) -> Iterator[None]:
        """Take a packet; pauses where a batch may end."""
        if kind == FRAMES:
            self._add_image(number, octets)
            yield
        else:
            yield from self._add_rows(kind, number, octets)

    def take(self) -> tuple[Triggers | None, Side | None]:
        """What was gathered, and begin anew."""
        triggers = None
        if self._triggers:
            t, types = (np.concatenate(parts) for parts in zip(*self._triggers, strict=True))
            id = types.astype(np.uint8)
            triggers = Triggers(t, id, _IS_RISING[id])
        side = {**self._imu_side(), **self._image_sides()}
        self._triggers, self._imu, self._images, self._pixels = [], [], [], []
        self._bytes = 0
        return triggers, side or None

    def _imu_side(self) -> Side:
        if not self._imu:
            return {}
        numbers, t, values = zip(*self._imu, strict=True)
        floats = np.concatenate(values).view(np.float32).reshape(-1, len(IMU_FIELDS))
        columns: dict[str, NDArray[Any]] = {"t": np.concatenate(t)}
        columns |= {name: floats[:, k].copy() for k, name in enumerate(IMU_FIELDS)}
        if IMU in self._mixed:
            columns["stream"] = np.repeat(np.array(numbers, np.int32), [part.size for part in t])
        return {"imu": columns}

    def _image_sides(self) -> Side:
        if not self._images:
            return {}
        columns: dict[str, NDArray[Any]] = {
            name: np.array([image[name] for image in self._images], dtype)
            for name, dtype in IMAGE_COLUMNS.items()
            if name != "stream" or FRAMES in self._mixed
        }
        return {"images": columns, "image_bytes": {"value": np.concatenate(self._pixels)}}

    def _add_rows(self, kind: str, number: int, octets: NDArray[np.uint8]) -> Iterator[None]:
        fields, width = _ROWS_OF[kind]
        start, count = locate(octets, kind, OFFSET_BYTES)
        for first in range(0, count, ROWS):
            wanted = min(ROWS, count - first)
            t = np.empty(wanted, np.int64)
            values = np.empty(wanted * fields, np.uint32)
            got = kernels.rows(
                octets, octets.size, start + 4 * first, wanted, fields, width, t, values
            )
            if kind == TRIGGERS:
                self._triggers.append((t[:got], values[:got]))
                self._bytes += 12 * got
            else:
                self._imu.append((number, t[:got], values[: got * fields]))
                self._bytes += 4 * (fields + 3) * got
            if got < wanted:
                raise CorruptError(
                    f"row {first + got} of a packet {kind} points outside it",
                    expected=f"0..{octets.size}",
                )
            yield

    def _add_image(self, number: int, octets: NDArray[np.uint8]) -> None:
        view = octets.data
        if octets.size < 4 or int.from_bytes(view[:4], "little") != octets.size - 4:
            raise CorruptError("a packet FRME does not say its own size", got=octets.size)
        frame = flatbuffer.root(view, b"FRME", 4)
        said = {name: frame.number(field, code) for name, field, code in FRAME_FIELDS}
        if said["format"] not in FORMATS:
            kind = f"images_of_format_{said['format']}"
            self._dropped[kind] = self._dropped.get(kind, 0) + 1
            return
        channels, bits = FORMATS[said["format"]]
        pixels = frame.octets(PIXELS) or memoryview(b"")
        size = said["width"] * said["height"] * channels * bits // 8
        if min(said["width"], said["height"]) < 0 or size != len(pixels):
            raise CorruptError(
                f"an image of {said['width']}x{said['height']} with other pixels",
                expected=f"{size} bytes",
                got=len(pixels),
            )
        self._images.append(
            {**said, "channels": channels, "bits": bits, "size": size, "stream": number}
        )
        self._pixels.append(np.frombuffer(pixels, np.uint8).copy())
        self._bytes += size + IMAGE_BYTES
