"""Write Event Stream 2: DVS events, or ATIS events with those of exposure between them."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError, UnsupportedError
from evstore.events import COLUMNS, Events
from evstore.formats import es
from evstore.formats import es_writer_kernels as kernels
from evstore.formats.reading import Batch

SIDE_MAX = 65_535
VERSION = (2, 0, 0)
OUT_BYTES = 262_144

#: The most overflow bytes in a row: a longer silence is refused, not written.
MAX_OVERFLOWS = 64 << 20

#: Bits below the time in the first byte of an event.
FLAG_BITS = {es.DVS: 1, es.ATIS: 2}


class Writer:
    """Takes batches of events in order and writes them as DVS events; the time is carried over.

    Every value and the order are kept exactly; with ``flip`` rows are counted from the bottom
    instead of from the top. Raises UnsupportedError naming the first event that cannot be held: a
    negative time, a step back, a silence that takes over 64 MiB of overflow bytes (2.3 hours), x
    or y outside the resolution.

    >>> import io
    >>> stream = io.BytesIO()
    >>> writer = Writer(stream, (34, 30), flip=True)
    >>> writer.write([10, 200], [1, 2], [3, 4], [1, 0])
    >>> writer.close()
    >>> stream.getvalue()[12:].hex(" ")
    '02 00 00 01 22 00 1e 00 15 01 00 1a 00 ff 7e 02 00 19 00'
    """

    kind = es.DVS

    def __init__(
        self,
        stream: BinaryIO,
        resolution: tuple[int, int],
        flip: bool,
        rebase: bool = False,
    ) -> None:
        self._stream = stream
        self._resolution = resolution
        self._flip = flip
        self._rebase = rebase
        self._origin: int | None = None if rebase else 0
        self._written = [0, 0]  # change events, and those of exposure
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._out = np.empty(OUT_BYTES, np.uint8)
        stream.write(header(self.kind, resolution))

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        self._put(events, np.zeros(len(events), np.uint8))

    @property
    def origin(self) -> int | None:
        """What is taken from every time; None before the first where it is to become 0."""
        return self._origin

    def close(self) -> None:
        """Flush; the stream stays open, it is the caller's."""
        self._stream.flush()

    def _put(self, events: Events, exposure: NDArray[np.uint8]) -> None:
        """Append events of the stream's type; ``exposure`` is 1 for those that are of exposure."""
        if len(events) == 0:
            return
        bits = FLAG_BITS[self.kind]
        flags = events.p << np.uint8(bits - 1) | exposure
        t, x, y = (np.ascontiguousarray(c) for c in (self._shifted(events.t), events.x, events.y))
        settings = (bits, *self._resolution, int(self._flip), max_gap(bits))
        done = 0
        while done < len(events):
            done, size = kernels.encode(t, x, y, flags, done, *settings, self._out, self._state)
            self._stream.write(self._out[:size].tobytes())
            if self._state[kernels.FAULT]:
                exposed = int(exposure[done])
                number = int(np.count_nonzero(exposure[:done] == exposed))
                number += self._written[exposed]
                what = f"{'exposure ' if exposed else ''}event {number:,}"
                raise self._cannot_hold(what, int(t[done]), int(x[done]), int(y[done]))
        exposed = int(np.count_nonzero(exposure))
        self._written[0] += len(events) - exposed
        self._written[1] += exposed

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
        width, height = self._resolution
        rebase = None if self._rebase else "count from the first event with --rebase"
        gap = max_gap(FLAG_BITS[self.kind])
        field, expected, got, hint = {
            kernels.NEGATIVE: ("t", "0 or more", t, rebase),
            kernels.BACKWARD: ("t", f"no step back from {before}", t, None),
            kernels.FAR: ("t", f"at most {gap} us after {before}", t, rebase),
            kernels.WIDE: ("x", f"0..{width - 1}", x, None),
            kernels.TALL: ("y", f"0..{height - 1}", y, None),
        }[fault]
        return UnsupportedError(
            f"Event Stream cannot hold {what} (t={t}, x={x}, y={y})",
            field=field,
            expected=expected,
            got=got,
            hint=hint,
        )


class AtisWriter(Writer):
    """As `Writer`, but ATIS events; `write_batch` takes the side stream ``exposure``."""

    TAKES = ("exposure",)

    kind = es.ATIS

    def write_batch(self, batch: Batch) -> None:
        """Append what a reader gives: events, and exposure events between them by their time.

        Of equal times the events come first. Raises UnsupportedError where the batch has anything
        else: triggers, or another side stream.
        """
        side = dict(batch.side or {})
        exposure = side.pop("exposure", None)
        others = [*side, *(["triggers"] if batch.triggers is not None else [])]
        if others:
            raise UnsupportedError(f"Event Stream cannot hold {' and '.join(sorted(others))}")
        if exposure is None:
            self.write(*batch[:4])
            return
        events = Events(batch.t, batch.x, batch.y, batch.p)
        rows = Events(exposure["t"], exposure["x"], exposure["y"], exposure["p"])
        places = np.searchsorted(
            np.maximum.accumulate(events.t), np.maximum.accumulate(rows.t), side="right"
        )
        t, x, y, p = (np.insert(getattr(events, n), places, getattr(rows, n)) for n in COLUMNS)
        self._put(Events.of(t, x, y, p), np.insert(np.zeros(len(events), np.uint8), places, 1))


def max_gap(flag_bits: int) -> int:
    """The longest silence that is written, in microseconds.

    >>> max_gap(1) // 127 == max_gap(2) // (3 * 63) == MAX_OVERFLOWS
    True
    """
    most, step = (1 << flag_bits) - 1, (1 << (8 - flag_bits)) - 1
    return MAX_OVERFLOWS * most * step


def header(kind: int, resolution: tuple[int, int]) -> bytes:
    """Magic, version, stream type and geometry.

    Raises ArgumentError for a resolution that is no size, UnsupportedError for one beyond 16 bits.

    >>> header(1, (34, 30)).hex(" ", 4)
    '4576656e 74205374 7265616d 02000001 22001e00'
    """
    if not all(side > 0 for side in resolution):
        raise ArgumentError(f"resolution must be 1 to {SIDE_MAX} each way, got {resolution}")
    if not all(side <= SIDE_MAX for side in resolution):
        raise UnsupportedError(
            "Event Stream cannot hold this resolution",
            expected=f"1 to {SIDE_MAX} each way",
            got=resolution,
        )
    return es.MAGIC + struct.pack("<4B2H", *VERSION, kind, *resolution)
