"""What AEDAT 4 holds beside events: triggers, IMU samples and images, gathered for a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats import flatbuffer
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

#: Fields of a frame: column, number in the schema, type there, type here.
FRAME_FIELDS = (
    ("t", 0, "<q", "i8"),
    ("begin", 1, "<q", "i8"),
    ("end", 2, "<q", "i8"),
    ("exposure_start", 3, "<q", "i8"),
    ("exposure_end", 4, "<q", "i8"),
    ("format", 5, "<b", "i1"),
    ("width", 6, "<h", "u2"),
    ("height", 7, "<h", "u2"),
    ("offset_x", 8, "<h", "i2"),
    ("offset_y", 9, "<h", "i2"),
    ("exposure", 11, "<q", "i8"),
    ("source", 12, "<b", "i1"),
)
PIXELS = 10

#: OpenCV's types of unsigned pixels: channels and bits of each.
FORMATS = {
    depth + 8 * (channels - 1): (channels, bits)
    for depth, bits in ((0, 8), (2, 16))
    for channels in (1, 2, 3, 4)
}

#: Rows of a packet that are decoded at once, and bytes after which a batch ends early.
ROWS = 4096
FULL_BYTES = 1_048_576

#: What differs between packets of rows: identifier, fields behind the time, bytes of each.
_ROWS_OF = {"IMUS": (len(IMU_FIELDS), 4), "TRIG": (1, 1)}

_IS_RISING = np.zeros(256, np.uint8)
_IS_RISING[list(RISING)] = 1

Side = dict[str, dict[str, NDArray[Any]]]


class Sides:
    """Rows of other streams since the last batch. ``mixed`` are kinds with several streams.

    Of these each row tells the stream's number, in a column ``stream``.
    """

    def __init__(self, mixed: frozenset[str], dropped: dict[str, int]) -> None:
        from evstore.formats import aedat4_kernels as kernels

        self._kernels = kernels
        self._mixed = mixed
        self._dropped = dropped
        self._triggers: list[Triggers] = []
        self._parts: dict[str, list[dict[str, NDArray[Any]]]] = {}
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether there is enough for a batch to end."""
        return self._bytes >= FULL_BYTES

    def add(self, kind: str, number: int, octets: NDArray[np.uint8]) -> Iterator[None]:
        """Take a packet; pauses where a batch may end."""
        if kind == "FRME":
            self._add_image(number, octets)
            yield
        else:
            yield from self._add_rows(kind, number, octets)

    def take(self) -> tuple[Triggers | None, Side | None]:
        """What was gathered, and begin anew."""
        triggers, side = None, None
        if self._triggers:
            t, id, p = (np.concatenate(parts) for parts in zip(*self._triggers, strict=True))
            triggers = Triggers(t, id, p)
        if self._parts:
            side = {
                stream: {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
                for stream, parts in self._parts.items()
            }
        self._triggers, self._parts, self._bytes = [], {}, 0
        return triggers, side

    def _add_rows(self, kind: str, number: int, octets: NDArray[np.uint8]) -> Iterator[None]:
        fields, width = _ROWS_OF[kind]
        start, count = locate(octets, kind, 4)
        for first in range(0, count, ROWS):
            wanted = min(ROWS, count - first)
            t = np.empty(wanted, np.int64)
            values = np.empty(wanted * fields, np.uint32)
            got = self._kernels.rows(
                octets, octets.size, start + 4 * first, wanted, fields, width, t, values
            )
            if kind == "TRIG":
                self._add_triggers(t[:got], values[:got])
            else:
                floats = values[: got * fields].view(np.float32).reshape(got, fields)
                columns = {name: floats[:, k] for k, name in enumerate(IMU_FIELDS)}
                self._append("imu", kind, number, {"t": t[:got], **columns})
            if got < wanted:
                raise CorruptError(
                    f"row {first + got} of a packet {kind} points outside it",
                    expected=f"0..{octets.size}",
                )
            yield

    def _add_triggers(self, t: NDArray[np.int64], types: NDArray[np.uint32]) -> None:
        id = types.astype(np.uint8)
        self._triggers.append(Triggers(t, id, _IS_RISING[id]))
        self._bytes += t.nbytes + 2 * id.nbytes

    def _add_image(self, number: int, octets: NDArray[np.uint8]) -> None:
        view = octets.data
        if octets.size < 4 or int.from_bytes(view[:4], "little") != octets.size - 4:
            raise CorruptError("a packet FRME does not say its own size", got=octets.size)
        frame = flatbuffer.root(view, b"FRME", 4)
        said = {name: frame.number(field, code) for name, field, code, _ in FRAME_FIELDS}
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
        columns = {name: np.array([said[name]], dtype) for name, _, _, dtype in FRAME_FIELDS}
        columns["channels"] = np.array([channels], np.uint8)
        columns["bits"] = np.array([bits], np.uint8)
        columns["size"] = np.array([size], np.int64)
        self._append("images", "FRME", number, columns)
        self._append("image_bytes", "", number, {"value": np.frombuffer(pixels, np.uint8).copy()})

    def _append(
        self, stream: str, kind: str, number: int, columns: dict[str, NDArray[Any]]
    ) -> None:
        if kind in self._mixed:
            columns["stream"] = np.full(columns["t"].size, number, np.int32)
        self._parts.setdefault(stream, []).append(columns)
        self._bytes += sum(column.nbytes for column in columns.values())


def locate(octets: NDArray[np.uint8], kind: str, item_bytes: int) -> tuple[int, int]:
    """Where the items of a packet begin, and how many there are.

    Raises CorruptError where the packet is of another kind, or points outside itself.
    """
    from evstore.formats import aedat4_kernels as kernels

    identifier = int.from_bytes(kind.encode("ascii"), "little")
    start, count = kernels.locate(octets, octets.size, identifier, item_bytes)
    if start >= 0:
        return start, count
    what = {
        kernels.SHORT: f"a packet {kind} is too short to be one",
        kernels.PREFIX: f"a packet {kind} does not say its own size",
        kernels.KIND: f"a packet of another kind in a stream {kind}",
        kernels.TABLE: f"the table of a packet {kind} lies outside it",
        kernels.VECTOR: f"the items of a packet {kind} lie outside it",
    }[-start]
    raise CorruptError(what, got=f"{bytes(octets[:12].data).hex(' ', 4)} in {octets.size} bytes")
