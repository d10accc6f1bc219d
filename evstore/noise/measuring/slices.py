"""Events of each pixel in slices of time, few for a recording of any length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Sensor
from evstore.noise.measuring import counting_kernels as kernels

SLICES = 16
SHORTEST_US = 20_000


class Slices:
    """Counts by slice, polarity and pixel; when all slices are used, each two become one.

    So there are eight to sixteen of equal length, whatever the recording's: hot pixels fire in
    nearly all of them, what moves does not.
    """

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.slice_us = SHORTEST_US
        self.on = np.zeros(SLICES * sensor.pixels, np.uint16)
        self.off = np.zeros(SLICES * sensor.pixels, np.uint16)

    def add(
        self, t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16],
        p: NDArray[np.uint8],
    ) -> None:  # fmt: skip
        """Count events in order of time, times since the recording's start."""
        if not t.size:
            return
        while int(t[-1]) >= SLICES * self.slice_us:
            # What lies in the old slices first, then they get longer.
            cut = int(np.searchsorted(t, SLICES * self.slice_us))
            self._count(t[:cut], x[:cut], y[:cut], p[:cut])
            t, x, y, p = t[cut:], x[cut:], y[cut:], p[cut:]
            for counts in (self.on, self.off):
                kernels.add_pairs(counts, self.sensor.pixels, SLICES)
            self.slice_us *= 2
        self._count(t, x, y, p)

    def _count(
        self, t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16],
        p: NDArray[np.uint8],
    ) -> None:  # fmt: skip
        done, pixels = 0, self.sensor.pixels
        while done < t.size:
            which = int(t[done]) // self.slice_us
            end = int(np.searchsorted(t, (which + 1) * self.slice_us))
            at, part = slice(which * pixels, (which + 1) * pixels), slice(done, end)
            kernels.count_pixels(
                x[part], y[part], p[part], self.sensor.width, self.on[at], self.off[at]
            )
            done = end

    def counts(self, duration_us: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """ON and OFF events, (whole slices, pixels); of a short recording the one there is."""
        whole = max(min(duration_us // self.slice_us, SLICES), 1)
        shape = (SLICES, self.sensor.pixels)
        on, off = (counts.reshape(shape)[:whole].astype(np.int64) for counts in (self.on, self.off))
        return on, off

    def totals(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """ON and OFF events of each pixel."""
        shape = (SLICES, self.sensor.pixels)
        on, off = (counts.reshape(shape).sum(0, dtype=np.int64) for counts in (self.on, self.off))
        return on, off
