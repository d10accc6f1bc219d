"""Spectra of blocks of pixels: ON minus OFF events in short bins of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, Sensor
from evstore.noise.measuring import counting_kernels as kernels

BIN_US = 500
BINS = 2000  # of half a window: a second
HALF_US = BIN_US * BINS
MOST_BLOCKS = 1024
AT_ONCE = 64


class Series:
    """The mean power of windows of two seconds that overlap by one (Welch), in bounded memory."""

    def __init__(self, sensor: Sensor) -> None:
        self.shift = 4
        while _sides(sensor, self.shift)[0] * _sides(sensor, self.shift)[1] > MOST_BLOCKS:
            self.shift += 1
        self.across, down = _sides(sensor, self.shift)
        self.blocks = self.across * down
        self.before: NDArray[np.int32] | None = None
        self.now = np.zeros(self.blocks * BINS, np.int32)
        self.start = 0  # of the half window that is being filled
        self.ended = 0  # no event comes before that
        self.power = np.zeros((self.blocks, BINS + 1))
        self.windows = 0

    def add(self, batch: Batch) -> None:
        """Events in order of time, times since the recording's start."""
        done, (t, x, y, p, _) = 0, batch
        while done < t.size:
            if t[done] >= self.start + HALF_US:
                self.pass_to(int(t[done]))
            end = int(np.searchsorted(t, self.start + HALF_US))
            at = slice(done, end)
            kernels.add_series(
                t[at], x[at], y[at], p[at], self.start, BIN_US, self.shift, self.across, BINS,
                self.now,
            )  # fmt: skip
            done = end

    def pass_to(self, time: int) -> None:
        """No event comes before ``time``: the windows that end by then are settled."""
        self.ended = time
        for _ in range(min((time - self.start) // HALF_US, 3)):
            self._turn()
        rest = (time - self.start) // HALF_US  # of windows in which nothing is
        if rest > 0:
            self.windows += rest
            self.start += rest * HALF_US

    def _turn(self) -> None:
        now = self.now.reshape(self.blocks, BINS)
        if self.before is not None:
            self._window(np.hanning(2 * BINS + 1)[:-1], [self.before.reshape(now.shape), now])
        self.before, self.now = self.now, np.zeros_like(self.now)
        self.start += HALF_US

    def _window(self, taper: NDArray[np.float64], parts: list[NDArray[np.int32]]) -> None:
        scale = 1.0 / taper.sum() ** 2  # so that a wave has the square of half its height
        for at in range(0, self.blocks, AT_ONCE):
            some = np.concatenate([part[at : at + AT_ONCE] for part in parts], 1)
            found = np.fft.rfft(some * taper, 2 * BINS)
            self.power[at : at + AT_ONCE] += (found.real**2 + found.imag**2) * scale
        self.windows += 1

    def end(self, time: int) -> None:
        """The recording ends at ``time``: of one of less than two seconds, all is one window."""
        self.pass_to(time)
        if self.windows:
            return
        now = self.now.reshape(self.blocks, BINS)
        parts = [now] if self.before is None else [self.before.reshape(now.shape), now]
        length = min(max(time // BIN_US, 1), len(parts) * BINS)
        taper = np.zeros(len(parts) * BINS)
        taper[:length] = np.hanning(length + 2)[1:-1]
        self._window(taper, parts)


def _sides(sensor: Sensor, shift: int) -> tuple[int, int]:
    more = (1 << shift) - 1
    return (sensor.width + more) >> shift, (sensor.height + more) >> shift
