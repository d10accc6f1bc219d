"""Measuring a recording's noise: one pass over its events.

In memory bounded by the sensor, and by the events of half a second once flicker is found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.limits import check_number
from evstore.noise.measuring.background import Background, background
from evstore.noise.measuring.counted import HOT_HZ, Counted, Found, some_counted
from evstore.noise.measuring.harmonics import STEP_HZ
from evstore.noise.measuring.hot import hot_pixels, never_hot_hz
from evstore.noise.measuring.incoming import Measured
from evstore.noise.measuring.leak import leak_rate_hz
from evstore.noise.measuring.measurement import Intervals, Measurement
from evstore.noise.measuring.refractory import edges_us, refractory_us
from evstore.noise.measuring.regular import hot_jitter

#: Of the sensor, that flickers: what does not is less than what is between, or may seem not to.
MOSTLY, NEARLY_ALL = 0.5, 0.9


def measure(
    events: Measured,
    resolution: tuple[int, int] | None = None,
    *,
    min_rate_hz: float = 50.0,
) -> Measurement:
    """A recording's hot pixels, background, flicker, leak and refractory time.

    ``events``: all of them, or batches in order of time, as Events or structured arrays (fields
    t, x, y, p); the result does not depend on where batches end. ``min_rate_hz``: what a pixel
    fires at least, beyond those around, to be hot; those that lack what may be missing by chance
    are hot too, so that rates that are found may be somewhat lower (see `find_hot_pixels`).
    `Measurement.parameters` gives what makes such noise again. Flicker is told from 10 to 900 Hz,
    and of one lamp, the strongest or the one that was on at first; what shows others is no
    background. Light of more than 900 Hz may seem to be slower, and a pattern that comes back as it
    moves evenly is told from light where it covers some blocks of 16 pixels.
    Where nowhere is quiet for long enough the background is None: under flicker of the whole field,
    whose cycles are quiet for a part only, some five seconds are needed.
    Raises ArgumentError where nothing says the resolution, or time steps back between batches.

    >>> from evstore.synth import simulate
    >>> found = measure(simulate((64, 64), 500_000, events_per_s=50_000, noise_hz=5))
    >>> found.hot_pixels.size, found.flicker
    (0, None)
    """
    check_number("min_rate_hz", min_rate_hz, 1e-3, 1e6)
    counted = some_counted(events, resolution)
    duration_us = max(counted.end, 1)
    found = counted.found(min_rate_hz)
    left_out = counted.mask_of(found.hot) | found.near | found.others
    state = counted.cells.state
    leak = leak_rate_hz(counted.cells, counted.slices, duration_us, left_out)
    around = _background(counted, found)
    flicker = found.flicker
    if flicker is not None and around is not None and left_out.all():
        flicker = counted.beyond(found, around)
    shot_hz = 0.0 if around is None else around.rate_hz - (leak or 0.0)
    shot_per_us = counted.sensor.pixels * (shot_hz / 1e6) ** 2 * duration_us
    refractory = refractory_us(state.intervals, shot_per_us)
    return Measurement(
        resolution=(counted.sensor.width, counted.sensor.height),
        duration_us=counted.end,
        events=counted.events,
        hot_pixels=found.hot,
        hot_jitter=hot_jitter(counted.cells, found.hot, refractory),
        never_hot_hz=never_hot_hz(duration_us, min_rate_hz),
        background=around,
        flicker=flicker,
        leak_rate_hz=leak,
        refractory_us=refractory,
        intervals=Intervals(edges_us(), state.intervals, state.still),
        spectrum=(np.arange(found.lines.ratio.size, dtype=np.float64) * STEP_HZ, found.lines.ratio),
    )


def _background(counted: Counted, found: Found) -> Background | None:
    """Of what does not flicker; where most does, of the parts of its cycles in which it is quiet.

    Bursts last longer than these.
    """
    left_out = counted.mask_of(found.hot) | found.others
    lit = float((found.near | found.others).mean())
    unlit = None if found.flicker is None else counted.without(found.flicker)
    if unlit is not None and lit > MOSTLY:
        told = (
            background(cells, unlit.slices, unlit.end, left_out, bursty=False)
            for cells in unlit.cells
        )
        return next(filter(None, told), None)
    if lit > NEARLY_ALL:
        return None
    return background(counted.cells, counted.slices, max(counted.end, 1), left_out | found.near)


def measured_still(
    events: Measured,
    resolution: tuple[int, int] | None,
    share: float = 0.9,
    *,
    hot: bool = False,
) -> NDArray[np.bool_]:
    """By pixel, row by row: whether it was quiet around it.

    For that share of the time, or more, in which it would be with noise alone. Hot pixels are none
    of them unless ``hot``; then whether a pixel is still does not depend on its own events.
    """
    counted = some_counted(events, resolution)
    found = counted.cells.exposure_us() >= share * counted.cells.still_us()
    if not hot:
        found &= ~counted.mask_of(hot_pixels(counted.slices, max(counted.end, 1), HOT_HZ))
    return found
