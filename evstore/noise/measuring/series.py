"""Spectra of blocks of pixels: ON minus OFF events in short bins of time.

Of the last seconds the bins themselves are kept, by quarters of blocks, to compare phases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, Sensor
from evstore.noise.measuring import counting_kernels as kernels

BIN_US = 250
BINS = 4000  # of half a window: a second
HALF_US = BIN_US * BINS
MOST_BLOCKS = 1024
AT_ONCE = 64
QUARTERS = 4  # of a block, row by row


class Series:
    """The mean power of windows of two seconds that overlap by one (Welch), in bounded memory."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.shift = 4
        while _sides(sensor, self.shift)[0] * _sides(sensor, self.shift)[1] > MOST_BLOCKS:
            self.shift += 1
        self.across, down = _sides(sensor, self.shift)
        self.blocks = self.across * down
        self.before: NDArray[np.int16] | None = None
        # A quarter of a block has no thousands of events in a bin; if it has, they end at the most.
        self.now = np.zeros(self.blocks * QUARTERS * BINS, np.int16)
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
        if self.before is not None:
            self._window(np.hanning(2 * BINS + 1)[:-1], [self.before, self.now])
        self.before, self.now = self.now, np.zeros_like(self.now)
        self.start += HALF_US

    def _window(self, taper: NDArray[np.float64], parts: list[NDArray[np.int16]]) -> None:
        scale = 1.0 / taper.sum() ** 2  # so that a wave has the square of half its height
        for at in range(0, self.blocks, AT_ONCE):
            some = np.concatenate([_by_block(part, at) for part in parts], 1)
            found = np.fft.rfft(some * taper, 2 * BINS)
            self.power[at : at + AT_ONCE] += (found.real**2 + found.imag**2) * scale
        self.windows += 1

    def last(self, lit: NDArray[np.bool_]) -> NDArray[np.int16]:
        """The last one to two seconds of some blocks: (blocks, `QUARTERS`, bins)."""
        shape = (self.blocks, QUARTERS, BINS)
        parts = [] if self.before is None else [self.before.reshape(shape)[lit]]
        ended = min(max((self.ended - self.start) // BIN_US, 0), BINS)
        parts.append(self.now.reshape(shape)[lit, :, :ended])
        return np.concatenate(parts, 2)

    def pixels_of(self, blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The pixels of some blocks, row by row."""
        rows = np.arange(self.sensor.height) >> self.shift
        columns = np.arange(self.sensor.width) >> self.shift
        found: NDArray[np.bool_] = blocks.reshape(-1, self.across)[rows][:, columns]
        return found.ravel()

    def end(self, time: int) -> None:
        """The recording ends at ``time``: of one of less than two seconds, all is one window."""
        self.pass_to(time)
        if self.windows:
            return
        parts = [self.now] if self.before is None else [self.before, self.now]
        length = min(max(time // BIN_US, 1), len(parts) * BINS)
        taper = np.zeros(len(parts) * BINS)
        taper[:length] = np.hanning(length + 2)[1:-1]
        self._window(taper, parts)


def _by_block(part: NDArray[np.int16], at: int) -> NDArray[np.int32]:
    """Of some blocks from one on, all quarters together."""
    some = part.reshape(-1, QUARTERS, BINS)[at : at + AT_ONCE]
    found: NDArray[np.int32] = some.sum(1, dtype=np.int32)
    return found


def _sides(sensor: Sensor, shift: int) -> tuple[int, int]:
    more = (1 << shift) - 1
    return (sensor.width + more) >> shift, (sensor.height + more) >> shift
