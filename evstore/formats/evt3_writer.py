"""Write EVT3 as sensors do: time on change, row on change, vectors where they are shorter."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError, UnsupportedError
from evstore.events import Events
from evstore.formats import evt3_writer_kernels as kernels
from evstore.formats.reading import Batch

#: Fields of a header that are carried over where the metadata has them.
HEADER_KEYS = {
    "camera_integrator_name": "camera_integrator_name",
    "date": "date",
    "firmware_version": "firmware_version",
    "generation": "generation",
    "integrator_name": "integrator_name",
    "plugin_integrator_name": "plugin_integrator_name",
    "plugin_name": "plugin_name",
    "sensor_generation": "sensor_generation",
    "serial_number": "serial_number",
    "system_id": "system_ID",
}

MAX_CHANNEL = 15
OUT_WORDS = 131_072


class Writer:
    """Takes batches of events in order and writes EVT3 words; state is carried over.

    Every value and the order are kept exactly. Raises UnsupportedError naming the first event
    that EVT3 cannot hold: x or y of 2048 and more, a negative time, a step back over a turn of
    the 24-bit clock or by 8.4 s, a silence of more than 12 days.

    >>> import io
    >>> stream = io.BytesIO()
    >>> writer = Writer(stream, (34, 34), {})
    >>> writer.write([10, 20], [1, 2], [3, 4], [1, 0])
    >>> writer.close()
    >>> stream.getvalue()[-16:].hex(" ", 2)
    '640a 0080 0a60 0300 0128 1460 0400 0220'
    """

    def __init__(
        self,
        stream: BinaryIO,
        resolution: tuple[int, int],
        metadata: dict[str, Any],
        rebase: bool = False,
    ) -> None:
        if not all(0 < side <= 65_536 for side in resolution):
            raise ArgumentError(f"resolution must be 1 to 65536 each way, got {resolution}")
        self.events = 0
        self._stream = stream
        self._rebase = rebase
        self._origin: int | None = None if rebase else 0
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[[kernels.TIME, kernels.ROW]] = -1
        self._out = np.empty(OUT_WORDS, np.dtype("<u2"))
        stream.write(header(resolution, metadata))

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        if len(events) == 0:
            return
        contiguous = (np.ascontiguousarray(a) for a in (events.x, events.y, events.p))
        columns = (np.ascontiguousarray(self._shifted(events.t)), *contiguous)
        done = 0
        while done < len(events):
            done, words = kernels.encode(
                columns[0], columns[1], columns[2], columns[3], done, self._out, self._state
            )
            self._stream.write(self._out[:words].tobytes())
            if self._state[kernels.FAULT]:
                place = (int(column[done]) for column in columns[:3])
                raise self._cannot_hold(f"event {self.events + done:,}", *place)
        self.events += done

    def write_batch(self, batch: Batch) -> None:
        """Append what a reader gives: events, and triggers between them by their time."""
        if batch.triggers is None:
            self.write(*batch[:4])
            return
        latest = np.maximum.accumulate(batch.t)
        places = np.searchsorted(latest, np.maximum.accumulate(batch.triggers.t), side="right")
        done = 0
        for place in np.unique(places):
            self.write(*(column[done:place] for column in batch[:4]))
            self.trigger(*(column[places == place] for column in batch.triggers))
            done = place
        self.write(*(column[done:] for column in batch[:4]))

    def trigger(self, t: ArrayLike, id: ArrayLike, p: ArrayLike) -> None:
        """Append external trigger edges: t in microseconds, channel 0 to 15, p 1 = rising.

        They stand in the stream between the events written before and after.
        """
        times, channels, values = (np.atleast_1d(np.asarray(a, np.int64)) for a in (t, id, p))
        if times.size == 0:
            return
        times = self._shifted(times)
        for now, channel, value in zip(times, channels, values, strict=True):
            if not 0 <= channel <= MAX_CHANNEL:
                raise UnsupportedError(
                    "EVT3 cannot hold this trigger", field="id", expected="0..15", got=int(channel)
                )
            written = 0
            while not written:
                written, words = kernels.encode_trigger(
                    now, channel, int(value != 0), self._out, self._state
                )
                self._stream.write(self._out[:words].tobytes())
                if self._state[kernels.FAULT]:
                    raise self._cannot_hold("the trigger", now, 0, 0)

    @property
    def origin(self) -> int | None:
        """What is taken from every time; None before the first where it is to become 0."""
        return self._origin

    def close(self) -> None:
        """Flush; the stream stays open, it is the caller's."""
        self._stream.flush()

    def _shifted(self, t: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._origin is None:
            self._origin = int(t[0])
        if self._origin == 0:
            return t
        # Only differences within int64 may be taken; what is further away cannot be held anyway.
        least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
        low, high = max(least, least + self._origin), min(most, most + self._origin)
        return np.clip(t, low, high) - self._origin

    def _cannot_hold(self, what: str, t: int, x: int, y: int) -> UnsupportedError:
        fault = int(self._state[kernels.FAULT])
        self._state[kernels.FAULT] = 0
        before = int(self._state[kernels.TIME])
        time, limit = int(t), kernels.MAX_GAP
        rebase = None if self._rebase else "count from the first event with --rebase"
        field, expected, got, hint = {
            kernels.NEGATIVE: ("t", "0 or more", time, rebase),
            kernels.BACKWARD: ("t", f"no such step back from {before}", time, None),
            kernels.FAR: (
                "t",
                f"at most {limit} us after {max(before, 0)}",
                time,
                rebase,
            ),
            kernels.WIDE: ("x", "0..2047", int(x), None),
            kernels.TALL: ("y", "0..2047", int(y), None),
        }[fault]
        return UnsupportedError(
            f"EVT3 cannot hold {what}", field=field, expected=expected, got=got, hint=hint
        )


def header(resolution: tuple[int, int], metadata: dict[str, Any]) -> bytes:
    """The text header, fields of ``metadata`` included where they are a line of printable ASCII.

    >>> header((34, 30), {"date": "2020-01-02"}).decode().splitlines()[:3]
    ['% date 2020-01-02', '% evt 3.0', '% format EVT3;height=30;width=34']
    """
    width, height = resolution
    lines = []
    for key, spelling in HEADER_KEYS.items():
        value = str(metadata.get(key, "")).strip()
        if value and value.isascii() and value.isprintable() and len(value) < 1024:
            lines.append(f"% {spelling} {value}")
    lines += ["% evt 3.0", f"% format EVT3;height={height};width={width}"]
    lines += [f"% geometry {width}x{height}", "% end", ""]
    return "\n".join(lines).encode("ascii")
