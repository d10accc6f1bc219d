"""Writes CSV: a header line ``t,x,y,p``, then integers, t in microseconds."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from evstore.events import Events

HEADER = b"t,x,y,p\n"

#: Events formatted at once.
SLICE_EVENTS = 16_384


class Writer:
    """Takes events in order; the stream stays open, for its owner to close.

    CSV has no place for the resolution or metadata: they are not written.
    """

    def __init__(self, stream: BinaryIO) -> None:
        from evstore.formats import csv_writer_kernels as kernels

        self._stream = stream
        self._kernels = kernels
        self._out = np.empty(SLICE_EVENTS * kernels.LINE_BYTES, np.uint8)
        stream.write(HEADER)

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        for at in range(0, len(events), SLICE_EVENTS):
            some = events[at : at + SLICE_EVENTS]
            t, x, y, p = (np.ascontiguousarray(c) for c in (some.t, some.x, some.y, some.p))
            size = self._kernels.write_lines(t, x, y, p, self._out)
            self._stream.write(self._out[:size].tobytes())

    def close(self) -> None:
        """Nothing is left to write."""
