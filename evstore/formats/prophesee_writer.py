"""Write the words of Prophesee's RAW encodings: what EVT2 and EVT3 have in common."""

from __future__ import annotations

from types import ModuleType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evstore.errors import ArgumentError, UnsupportedError
from evstore.events import Events
from evstore.formats.reading import Batch
from evstore.formats.rebasing import Clock

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


class Encoding(NamedTuple):
    """What differs between encodings.

    ``kernels`` has ``encode`` and ``encode_trigger``, the indices ``TIME`` and ``FAULT`` of their
    state, the values of ``FAULT``, and ``MAX_GAP``. ``unset`` are the indices that begin as -1.
    """

    name: str
    version: str
    kernels: ModuleType
    unset: tuple[int, ...]
    word: str
    out_words: int
    max_channel: int


class Writer:
    """Takes batches of events in order and writes words; state is carried over.

    Every value and the order are kept exactly. Raises UnsupportedError naming the first event
    that the encoding cannot hold, with all before it written.
    """

    def __init__(
        self,
        stream: BinaryIO,
        encoding: Encoding,
        resolution: tuple[int, int],
        metadata: dict[str, Any],
        rebase: bool = False,
    ) -> None:
        check_resolution(resolution)
        self.events = 0
        self._stream = stream
        self._encoding = encoding
        self._kernels = encoding.kernels
        self._clock = Clock(rebase)
        self._state = np.zeros(self._kernels.STATE_SIZE, np.int64)
        self._state[list(encoding.unset)] = -1
        self._out = np.empty(encoding.out_words, np.dtype(encoding.word))
        stream.write(header(encoding, resolution, metadata))

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        if len(events) == 0:
            return
        contiguous = (np.ascontiguousarray(a) for a in (events.x, events.y, events.p))
        columns = (np.ascontiguousarray(self._clock.shifted(events.t)), *contiguous)
        done = 0
        while done < len(events):
            done, words = self._kernels.encode(*columns, done, self._out, self._state)
            self._stream.write(self._out[:words].tobytes())
            if self._state[self._kernels.FAULT]:
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
        met, starts = np.unique(places, return_index=True)  # which never step back
        stops = [*starts, len(places)][1:]
        for place, start, stop in zip(met, starts, stops, strict=True):
            self.write(*(column[done:place] for column in batch[:4]))
            self.trigger(*(column[start:stop] for column in batch.triggers))
            done = place
        self.write(*(column[done:] for column in batch[:4]))

    def trigger(self, t: ArrayLike, id: ArrayLike, p: ArrayLike) -> None:
        """Append external trigger edges: t in microseconds, channel, p 1 = rising.

        They stand in the stream between the events written before and after.
        """
        times, channels, values = (np.atleast_1d(np.asarray(a, np.int64)) for a in (t, id, p))
        if times.size == 0:
            return
        times = self._clock.shifted(times)
        for now, channel, value in zip(times, channels, values, strict=True):
            if not 0 <= channel <= self._encoding.max_channel:
                raise UnsupportedError(
                    f"{self._encoding.name} cannot hold this trigger",
                    field="id",
                    expected=f"0..{self._encoding.max_channel}",
                    got=int(channel),
                )
            written = 0
            while not written:
                written, words = self._kernels.encode_trigger(
                    now, channel, int(value != 0), self._out, self._state
                )
                self._stream.write(self._out[:words].tobytes())
                if self._state[self._kernels.FAULT]:
                    raise self._cannot_hold("the trigger", now, 0, 0)

    @property
    def origin(self) -> int | None:
        """What is taken from every time; None before the first where it is to become 0."""
        return self._clock.origin

    def close(self) -> None:
        """Flush; the stream stays open, it is the caller's."""
        self._stream.flush()

    def _cannot_hold(self, what: str, t: int, x: int, y: int) -> UnsupportedError:
        kernels = self._kernels
        fault = int(self._state[kernels.FAULT])
        self._state[kernels.FAULT] = 0
        before = int(self._state[kernels.TIME])
        time, limit = int(t), kernels.MAX_GAP
        rebase = self._clock.hint
        field, expected, got, hint = {
            kernels.NEGATIVE: ("t", "0 or more", time, rebase),
            kernels.BACKWARD: ("t", f"no such step back from {before}", time, None),
            kernels.FAR: ("t", f"at most {limit} us after {max(before, 0)}", time, rebase),
            kernels.WIDE: ("x", "0..2047", int(x), None),
            kernels.TALL: ("y", "0..2047", int(y), None),
        }[fault]
        return UnsupportedError(
            f"{self._encoding.name} cannot hold {what}",
            field=field,
            expected=expected,
            got=got,
            hint=hint,
        )


def check_resolution(resolution: tuple[int, int]) -> None:
    """Raise ArgumentError for a resolution that is no size."""
    if not all(0 < side <= 65_536 for side in resolution):
        raise ArgumentError(f"resolution must be 1 to 65536 each way, got {resolution}")


def header_value(metadata: dict[str, Any], key: str) -> str:
    """A field of ``metadata`` where it fits a header: a line of printable ASCII; else nothing.

    >>> header_value({"date": "2020-01-02"}, "date"), header_value({"date": "a\\nb"}, "date")
    ('2020-01-02', '')
    """
    value = str(metadata.get(key, "")).strip()
    return value if value.isascii() and value.isprintable() and len(value) < 1024 else ""


def header(encoding: Encoding, resolution: tuple[int, int], metadata: dict[str, Any]) -> bytes:
    """The text header, fields of ``metadata`` included where they fit."""
    width, height = resolution
    found = ((spelling, header_value(metadata, key)) for key, spelling in HEADER_KEYS.items())
    lines = [f"% {spelling} {value}" for spelling, value in found if value]
    lines += [f"% evt {encoding.version}"]
    lines += [f"% format {encoding.name};height={height};width={width}"]
    lines += [f"% geometry {width}x{height}", "% end", ""]
    return "\n".join(lines).encode("ascii")
