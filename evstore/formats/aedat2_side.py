"""AEDAT 2.0: what a DAVIS samples beside events, gathered for a batch: images, and its IMU."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.formats import aedat_header
from evstore.formats.aedat_header import Header, Sensor
from evstore.formats.sides import Sides, joined

#: Words that wait to be assembled, and rows of the IMU that wait to be taken.
SAMPLE_LIMIT = 4096
IMU_LIMIT = 1024

#: From so many bytes on, a batch ends early; what an image counts beside its pixels.
FULL_BYTES = 1_048_576
IMAGE_BYTES = 1000

#: What an address has room for.
MAX_WIDTH, MAX_HEIGHT = 1024, 512

#: The order of a sample's words.
_IMU = (
    *("accelerometer_x", "accelerometer_y", "accelerometer_z", "temperature"),
    *("gyroscope_x", "gyroscope_y", "gyroscope_z"),
)

#: By full scale in g and degrees a second: what a unit is in the IMU's numbers (InvenSense).
ACCELEROMETER = {2: 16384.0, 4: 8192.0, 8: 4096.0, 16: 2048.0}
GYROSCOPE = {250: 131.0, 500: 65.5, 1000: 32.8, 2000: 16.4}
TEMPERATURE, TEMPERATURE_ZERO = 340.0, 35.0

#: Where the header is silent: what jAER took before it had a setting, and what AedatTools takes.
ASSUMED_G, ASSUMED_DEG_S = 4, 500

_SETTING = re.compile(
    rb'<entry key="([^"]{1,80})" value="(ImuAccelScaleG|GyroFullScaleDegPerSec)([0-9]{1,4})"'
)

_TIMES = ("t", "begin", "end", "exposure_start", "exposure_end")
_IMAGE = {
    **dict.fromkeys(_TIMES, np.int64),
    **dict.fromkeys(("width", "height"), np.uint16),
    **dict.fromkeys(("channels", "bits"), np.uint8),
    "size": np.int64,
}


class Scale(NamedTuple):
    """Full scales of the IMU, and what says so: `header` or `assumed`."""

    g: int
    deg_s: int
    said_by: str


def scale(header: Header) -> Scale:
    """What jAER's preferences in the header say: of this chip, or, as they were once, of any."""
    chip = aedat_header.short_name(header.fields.get("aechip", [""])[0])
    found = {
        (kind, key.decode("latin-1")): int(number)
        for key, kind, number in _SETTING.findall(header.raw)
    }
    g = _first(found, b"ImuAccelScaleG", (f"{chip}.IMU.AccelScale", "ImuAccelScale"))
    deg_s = _first(found, b"GyroFullScaleDegPerSec", (f"{chip}.IMU.GyroScale", "ImuGyroScale"))
    if g in ACCELEROMETER and deg_s in GYROSCOPE:
        return Scale(g, deg_s, "header")
    return Scale(ASSUMED_G, ASSUMED_DEG_S, "assumed")


def _first(found: dict[tuple[bytes, str], int], kind: bytes, keys: tuple[str, ...]) -> int:
    return next((found[kind, key] for key in keys if (kind, key) in found), 0)


def image_size(sensor: Sensor, name: str, given: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of a sensor's images, (0, 0) where its samples cannot be put together."""
    size = sensor.size or given
    # It reads the signal before the reset, and its events and pixels are on two grids.
    if size is None or "rgbw" in name.lower():
        return 0, 0
    return size if size[0] <= MAX_WIDTH and size[1] <= MAX_HEIGHT else (0, 0)


class Samples:
    """Room for words that are samples, ``columns``; what they became since the last batch."""

    def __init__(self, size: tuple[int, int], imu_scale: Scale) -> None:
        from evstore.formats import aedat2_sample_kernels as kernels

        self.columns = np.empty(SAMPLE_LIMIT, np.uint32), np.empty(SAMPLE_LIMIT, np.int64)
        self.scale = imu_scale
        self.imu_rows = 0
        self._kernels = kernels
        self._size = size
        self._reads = np.zeros(size[0] * size[1], np.int64)
        self._pixels = np.zeros(size[0] * size[1], np.uint16)
        self._imu_t = np.empty(IMU_LIMIT, np.int64)
        self._imu_values = np.empty(IMU_LIMIT * kernels.IMU_CODES, np.int16)
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[kernels.BEFORE] = kernels.NOTHING
        self._parts: list[Sides] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether there is enough for a batch to end."""
        return self._bytes >= FULL_BYTES

    def assemble(self, count: int) -> None:
        """Take the first ``count`` words of ``columns``."""
        kernels, state, position = self._kernels, self._state, 0
        while position < count:
            position = kernels.assemble(
                *self.columns, position, count, *self._size, self._reads, self._pixels,
                self._imu_t, self._imu_values, state,
            )  # fmt: skip
            if state[kernels.WHOLE]:
                state[kernels.WHOLE] = 0
                self._take_image()
            if state[kernels.IMU_ROWS] == IMU_LIMIT:
                self._take_imu()

    def take(self) -> Sides | None:
        """The rows since the last call, None where there were none."""
        if self._state[self._kernels.IMU_ROWS]:
            self._take_imu()
        parts, self._parts, self._bytes = self._parts, [], 0
        return joined(parts) or None

    def dropped(self, end: bool = False) -> dict[str, int]:
        """What was not kept so far, by kind; at the ``end``, also what waits for more words."""
        state, kernels = self._state, self._kernels
        found = {
            "aps_words": state[kernels.APS_WORDS],
            "incomplete_images": state[kernels.INCOMPLETE] + end * state[kernels.OPEN],
            "imu_words": state[kernels.IMU_WORDS] + end * state[kernels.IMU_NEXT],
        }
        return {kind: int(count) for kind, count in found.items() if count}

    def _take_image(self) -> None:
        state, kernels = self._state, self._kernels
        start, reset_end, signal_start, signal_end = (
            int(state[k])
            for k in (kernels.START, kernels.RESET_END, kernels.SIGNAL_START, kernels.SIGNAL_END)
        )
        # Where reads are mixed the shutter is a rolling one; it is the first column's exposure.
        exposed = start if state[kernels.MIXED] else reset_end
        times = (start, start, signal_end, exposed, signal_start)
        size = 2 * self._pixels.size
        values = (*times, *self._size, 1, 16, size)
        image = {
            name: np.array([value], kind)
            for (name, kind), value in zip(_IMAGE.items(), values, strict=True)
        }
        octets = self._pixels.astype("<u2").view(np.uint8)
        self._parts.append({"images": image, "image_bytes": {"value": octets}})
        self._bytes += size + IMAGE_BYTES

    def _take_imu(self) -> None:
        rows, codes = int(self._state[self._kernels.IMU_ROWS]), self._kernels.IMU_CODES
        values = self._imu_values[: codes * rows].reshape(rows, codes).astype(np.float64)
        values[:, :3] /= ACCELEROMETER[self.scale.g]
        values[:, 3] = values[:, 3] / TEMPERATURE + TEMPERATURE_ZERO
        values[:, 4:] /= GYROSCOPE[self.scale.deg_s]
        columns: dict[str, NDArray[Any]] = {"t": self._imu_t[:rows].copy()}
        columns |= {name: values[:, k].astype(np.float32) for k, name in enumerate(_IMU)}
        self._parts.append({"imu": columns})
        self.imu_rows += rows
        self._bytes += 4 * (codes + 2) * rows
        self._state[self._kernels.IMU_ROWS] = 0
        if rows < IMU_LIMIT:  # a sample that is not whole yet
            self._imu_t[0] = self._imu_t[rows]
            self._imu_values[:codes] = self._imu_values[codes * rows : codes * (rows + 1)]
