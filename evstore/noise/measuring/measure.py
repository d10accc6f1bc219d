"""Measuring a recording's noise: one pass over its events, in memory bounded by the sensor."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.batch import Batch, Sensor, empty_batch, joined
from evstore.noise.limits import check_number, check_pixels
from evstore.noise.measuring.background import background
from evstore.noise.measuring.cells import CELL_US, Cells
from evstore.noise.measuring.flickering import flickering
from evstore.noise.measuring.hot import hot_pixels
from evstore.noise.measuring.incoming import incoming
from evstore.noise.measuring.leak import leak_rate_hz
from evstore.noise.measuring.measurement import Intervals, Measurement
from evstore.noise.measuring.refractory import edges_us, refractory_us
from evstore.noise.measuring.series import Series
from evstore.noise.measuring.slices import Slices
from evstore.noise.measuring.spectrum import STEP_HZ, lines
from evstore.noise.transform import size_of


def measure(
    events: Events | Iterable[Events],
    resolution: tuple[int, int] | None = None,
    *,
    min_rate_hz: float = 50.0,
) -> Measurement:
    """A recording's hot pixels, background, flicker, leak and refractory time.

    ``events``: all of them, or batches in order of time; the result does not depend on where
    batches end. ``min_rate_hz``: what a pixel fires at least, beyond those around, to be hot.
    `Measurement.parameters` gives what makes such noise again. Raises ArgumentError where nothing
    says the resolution, or time steps back between batches.

    >>> from evstore.synth import simulate
    >>> found = measure(simulate((64, 64), 500_000, events_per_s=50_000, noise_hz=5))
    >>> found.hot_pixels.size, found.flicker
    (0, None)
    """
    check_number("min_rate_hz", min_rate_hz, 1e-3, 1e6)
    return _counted(events, resolution).measurement(min_rate_hz)


def measured_still(
    events: Events | Iterable[Events],
    resolution: tuple[int, int] | None,
    share: float = 0.9,
    *,
    hot: bool = False,
) -> NDArray[np.bool_]:
    """By pixel, row by row: whether it was quiet around it.

    For that share of the time, or more, in which it would be with noise alone. Hot pixels are none
    of them unless ``hot``; then whether a pixel is still does not depend on its own events.
    """
    counted = _counted(events, resolution)
    counted.finish()
    found = counted.cells.exposure_us() >= share * counted.cells.still_us()
    if not hot:
        found &= ~counted._mask(hot_pixels(counted.slices, max(counted.end, 1), 50.0))
    return found


def _counted(events: Events | Iterable[Events], resolution: tuple[int, int] | None) -> Counted:
    counted = None
    for batch, sensor, start in incoming(events, resolution):
        counted = counted or Counted(sensor)
        counted.add(batch._replace(t=batch.t - start))
    if counted is None:
        if resolution is None:
            raise ArgumentError("no events, and no resolution: give resolution=(width, height)")
        counted = Counted(Sensor(*size_of(resolution)))
    return counted


class Counted:
    """All that is counted of a recording; times are those since its first event."""

    def __init__(self, sensor: Sensor) -> None:
        check_pixels(sensor)
        self.sensor = sensor
        self.slices = Slices(sensor)
        self.cells = Cells(sensor)
        self.series = Series(sensor)
        self.held = empty_batch()  # of the cell that is not over
        self.events = self.end = 0

    def add(self, batch: Batch) -> None:
        """Events that follow those before."""
        self.events += batch.size
        self.end = int(batch.t[-1]) + 1
        self.slices.add(batch.t, batch.x, batch.y, batch.p)
        self.series.add(batch)
        batch = joined([self.held, batch]) if self.held.size else batch
        done = 0
        while True:
            which = int(batch.t[done]) // CELL_US
            if (which + 1) * CELL_US > int(batch.t[-1]):
                break
            stop = int(np.searchsorted(batch.t, (which + 1) * CELL_US))
            self._cell(which, batch.at(slice(done, stop)))
            done = stop
        self.held = batch.at(np.arange(done, batch.size))  # a copy: the rest can go

    def _cell(self, which: int, batch: Batch) -> None:
        self.cells.skip(which - self.cells.done)
        self.cells.add(batch)

    def finish(self) -> None:
        """No more events come."""
        whole = self.end // CELL_US
        if self.held.size and int(self.held.t[0]) // CELL_US < whole:
            self._cell(int(self.held.t[0]) // CELL_US, self.held)
        self.cells.skip(whole - self.cells.done)
        self.series.end(self.end)

    def measurement(self, min_rate_hz: float) -> Measurement:
        """What all that says."""
        self.finish()
        duration_us = max(self.end, 1)
        hot = hot_pixels(self.slices, duration_us, min_rate_hz)
        is_hot = self._mask(hot)
        found = lines(self.series, self._hot_hz(hot))
        flicker, near = flickering(found, self.series, self.slices, duration_us, is_hot)
        if flicker is not None:  # the hot pixels beside it can be told now
            hot = hot_pixels(self.slices, duration_us, min_rate_hz, flicker.area.ravel())
        left_out = self._mask(hot) | near
        state = self.cells.state
        return Measurement(
            resolution=(self.sensor.width, self.sensor.height),
            duration_us=self.end,
            events=self.events,
            hot_pixels=hot,
            background=background(self.cells, self.slices, duration_us, left_out),
            flicker=flicker,
            leak_rate_hz=leak_rate_hz(self.cells, self.slices, duration_us, left_out),
            refractory_us=refractory_us(state.intervals),
            intervals=Intervals(edges_us(), state.intervals, state.still),
            spectrum=(np.arange(found.ratio.size, dtype=np.float64) * STEP_HZ, found.ratio),
        )

    def _mask(self, hot: NDArray[np.void]) -> NDArray[np.bool_]:
        mask = np.zeros(self.sensor.pixels, np.bool_)
        mask[hot["y"].astype(np.int64) * self.sensor.width + hot["x"]] = True
        return mask

    def _hot_hz(self, hot: NDArray[np.void]) -> NDArray[np.float64]:
        shift = self.series.shift
        homes = (hot["y"].astype(np.int64) >> shift) * self.series.across + (hot["x"] >> shift)
        squares = np.bincount(homes, hot["rate_hz"] ** 2, self.series.blocks)
        return np.sqrt(squares)
