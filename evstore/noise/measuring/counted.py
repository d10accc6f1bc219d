"""All that is counted of a recording in one pass, and the hot pixels and flicker that it shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch, Sensor
from evstore.noise.limits import check_pixels
from evstore.noise.measuring.background import Background
from evstore.noise.measuring.cells import Cells
from evstore.noise.measuring.flickering import flickering
from evstore.noise.measuring.hot import RADIUS, hot_pixels
from evstore.noise.measuring.incoming import Measured, incoming
from evstore.noise.measuring.measurement import Flickering
from evstore.noise.measuring.series import Series
from evstore.noise.measuring.slices import Slices
from evstore.noise.measuring.spectrum import SAME_HZ, Lines, lines
from evstore.noise.measuring.unlit import Unlit
from evstore.noise.transform import size_of

FIRST_LOOK_US = 2_000_000  # for flicker, and after twice the time again
HOT_HZ = 50.0
LEAST_UNLIT_US = 500_000


class Found(NamedTuple):
    """``near``: by pixel, the blocks that flicker; ``others``: that another light does, or so."""

    hot: NDArray[np.void]
    lines: Lines
    flicker: Flickering | None
    near: NDArray[np.bool_]
    others: NDArray[np.bool_]


class Counted:
    """Times are those since the first event. Without ``all_of_it``: what hot pixels need.

    Flicker is looked for from time to time, and once found, what is not of it counted apart.
    """

    def __init__(self, sensor: Sensor, all_of_it: bool = True) -> None:
        check_pixels(sensor)
        self.sensor = sensor
        self.slices = Slices(sensor)
        self.cells = Cells(sensor)
        self.series = Series(sensor)
        self.unlit: Unlit | None = None
        self.events = self.end = 0
        self._all = all_of_it
        self._look_at = FIRST_LOOK_US

    def add(self, batch: Batch) -> None:
        """Events that follow those before, one at least."""
        self.events += batch.size
        while self.unlit is None and int(batch.t[-1]) >= self._look_at:
            cut = int(np.searchsorted(batch.t, self._look_at))
            if cut:
                self._add(batch.at(slice(0, cut)))
            batch = batch.at(slice(cut, None))
            self._look()
        self._add(batch)

    def _add(self, batch: Batch) -> None:
        self.end = int(batch.t[-1]) + 1
        self.slices.add(batch.t, batch.x, batch.y, batch.p)
        self.series.add(batch)
        if self._all:
            self.cells.add(batch)
        if self.unlit is not None:
            self.unlit.add(batch)

    def _look(self) -> None:
        now, self._look_at = self._look_at, 2 * self._look_at
        self.series.pass_to(now)
        found = lines(self.series, self._hot_hz(hot_pixels(self.slices, now, HOT_HZ)))
        if found.frequency_hz is not None and found.steady:
            self.unlit = Unlit(
                self.sensor, self.series, found.frequency_hz, found.blocks, now, self._all
            )

    def finish(self) -> None:
        """No more events come."""
        if self._all:
            self.cells.end(self.end)
        self.series.end(self.end)
        if self.unlit is not None:
            self.unlit.finish()

    def found(self, min_rate_hz: float) -> Found:
        """Hot pixels, and flicker, which hides those beside it unless it is known."""
        duration_us = max(self.end, 1)
        hot = hot_pixels(self.slices, duration_us, min_rate_hz)
        known_hz = None if self.unlit is None else self.unlit.frequency * 1e6
        spectrum = lines(self.series, self._hot_hz(hot), known_hz)
        if not (spectrum.steady or self._without(spectrum.frequency_hz)):
            spectrum = spectrum._replace(frequency_hz=None)
        flicker, near = flickering(
            spectrum, self.series, self.slices, duration_us, self.mask_of(hot)
        )
        others = self.series.pixels_of(spectrum.others)
        if flicker is None:
            return Found(hot, spectrum, flicker, near, others)
        hot = hot_pixels(self.slices, duration_us, min_rate_hz, flicker.area.ravel())
        unlit = self.without(flicker)
        if unlit is not None:
            own = hot_pixels(unlit.slices, unlit.end, min_rate_hz, others)
            around = _widened(near.reshape(self.sensor.height, self.sensor.width))
            hot = np.concatenate(
                [hot[~around[hot["y"], hot["x"]]], own[around[own["y"], own["x"]]]]
            )
            hot = hot[np.lexsort((hot["x"], hot["y"]))]
        return Found(hot, spectrum, flicker, near, others)

    def beyond(self, found: Found, around: Background) -> Flickering | None:
        """The flicker without the background, which is known once flicker is left out of it."""
        flicker, _ = flickering(
            found.lines, self.series, self.slices, max(self.end, 1), self.mask_of(found.hot), around
        )
        return flicker

    def without(self, flicker: Flickering) -> Unlit | None:
        """What was counted apart, if that was of the same flicker and for long enough."""
        unlit = self._without(flicker.frequency_hz)
        return None if unlit is None or unlit.end < LEAST_UNLIT_US else unlit

    def _without(self, frequency_hz: float | None) -> Unlit | None:
        if self.unlit is None or frequency_hz is None:
            return None
        same = abs(self.unlit.frequency * 1e6 - frequency_hz) < SAME_HZ
        return self.unlit if same else None

    def mask_of(self, hot: NDArray[np.void]) -> NDArray[np.bool_]:
        """Which pixels they are, row by row."""
        mask = np.zeros(self.sensor.pixels, np.bool_)
        mask[hot["y"].astype(np.int64) * self.sensor.width + hot["x"]] = True
        return mask

    def _hot_hz(self, hot: NDArray[np.void]) -> NDArray[np.float64]:
        shift = self.series.shift
        homes = (hot["y"].astype(np.int64) >> shift) * self.series.across + (hot["x"] >> shift)
        squares = np.bincount(homes, hot["rate_hz"] ** 2, self.series.blocks)
        return np.sqrt(squares)


def counted_of(
    events: Measured,
    resolution: tuple[int, int] | None,
    all_of_it: bool = True,
) -> Counted | None:
    """All events counted; None where there are none and nothing says the resolution."""
    counted = None
    for batch, sensor, start in incoming(events, resolution):
        counted = counted or Counted(sensor, all_of_it)
        if batch.size:
            counted.add(batch._replace(t=batch.t - start))
    if counted is None and resolution is not None:
        counted = Counted(Sensor(*size_of(resolution)), all_of_it)
    if counted is not None:
        counted.finish()
    return counted


def some_counted(events: Measured, resolution: tuple[int, int] | None) -> Counted:
    """The same; raises ArgumentError where nothing says the resolution."""
    counted = counted_of(events, resolution)
    if counted is None:
        raise ArgumentError("no events, and no resolution: give resolution=(width, height)")
    return counted


def _widened(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With the pixels whose surroundings reach into it."""
    for axis in (0, 1):
        wide = area.copy()
        for by in range(1, RADIUS + 1):
            low = (slice(by, None), slice(None))[:: 1 - 2 * axis]
            high = (slice(None, -by), slice(None))[:: 1 - 2 * axis]
            wide[low] |= area[high]
            wide[high] |= area[low]
        area = wide
    return area
