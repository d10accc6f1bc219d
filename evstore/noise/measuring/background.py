"""The background: what each pixel does while it is quiet around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.bursts import FoundBursts, bursts, still_pixels
from evstore.noise.measuring.cells import Cells
from evstore.noise.measuring.quiet_rate import quiet_rates
from evstore.noise.measuring.slices import Slices

LEAST_US = 100_000  # for a pixel's rate to be told
MANY = 16  # pixels without which nothing is said of all
STILL = 0.8  # of the pixels: nothing moves in most of it


@dataclass(frozen=True)
class Background:
    """``rate_hz``: the mean a pixel; ``spread_decades``: the deviation of the rates' logarithm.

    ``rate_map`` is (height, width), NaN where it was never quiet, and of hot and flickering pixels;
    ``bursts``: None where events do not follow each other, or it cannot be told.
    ``pixels``: of how many it could be told, ``exposure_s``: how long they were seen, all together.
    """

    rate_hz: float
    on_fraction: float
    spread_decades: float
    rate_map: NDArray[np.float32]
    pixels: int
    exposure_s: float
    bursts: FoundBursts | None = None


def background(
    cells: Cells,
    slices: Slices,
    duration_us: int,
    left_out: NDArray[np.bool_],
    bursty: bool = True,
) -> Background | None:
    """Of the pixels that are not ``left_out``; None where there are too few that were quiet.

    Bursts are looked for unless it is not ``bursty``. Where things move nearly everywhere, some
    events of a signal come while it seems quiet: the rate is then that of a Poisson law fitted to
    the lowest counts of blocks, which they touch less, and the map is scaled to it.
    """
    on, off = cells.state.on.astype(np.int64), cells.state.off.astype(np.int64)
    exposure_s = cells.exposure_us() / 1e6
    told = ~left_out & (exposure_s * 1e6 >= LEAST_US)
    if np.count_nonzero(told) < MANY:
        return None
    counts, seen_s = (on + off)[told], exposure_s[told]
    events = int(counts.sum())
    still = still_pixels(cells, slices, duration_us, left_out)
    found = bursts(cells, still) if bursty else None
    spread = _spread(counts, seen_s)
    if found is not None:
        spread = _spread_between(slices.counts(duration_us), still)
    counted = rate = float(counts.sum() / seen_s.sum())
    if found is None and np.count_nonzero(still) < STILL * np.count_nonzero(told):
        rate = min(_fitted_hz(cells, left_out) or counted, counted)
    rates = np.full(told.size, np.nan, np.float32)
    rates[told] = counts / seen_s * (rate / counted if counted else 1.0)
    return Background(
        rate_hz=rate,
        on_fraction=float(on[told].sum() / events) if events else 0.5,
        spread_decades=spread,
        rate_map=rates.reshape(cells.sensor.height, cells.sensor.width),
        pixels=int(np.count_nonzero(told)),
        exposure_s=float(seen_s.sum()),
        bursts=found,
    )


def _fitted_hz(cells: Cells, left_out: NDArray[np.bool_]) -> float | None:
    """Of the blocks without any pixel that is left out; None where they are few."""
    homes = cells.homes()
    pixels = np.bincount(homes, minlength=cells.blocks)
    fits = quiet_rates(cells.levels())
    whole = (np.bincount(homes, left_out, cells.blocks) == 0) & np.isfinite(fits.events)
    seen = (pixels * fits.share)[whole]
    if pixels[whole].sum() < MANY or not seen.sum() > 0:
        return None
    return float((fits.events * fits.share)[whole].sum() / seen.sum() / cells.cell_us * 1e6)


def _spread(counts: NDArray[np.int64], seen_s: NDArray[np.float64]) -> float:
    """Decades of a log-normal spread of rates, without what counting adds.

    Of a Poisson count the mean of n (n - 1) is the square of its mean, so that of the counts of
    many pixels gives the mean of their squared rates; and of a log-normal law that over the
    squared mean is exp(s ** 2).
    """
    mean = counts.sum() / seen_s.sum()
    if not mean > 0:
        return 0.0
    squares = (counts * (counts - 1)).sum() / (seen_s**2).sum()
    return _decades(squares / mean**2)


def _spread_between(
    counts: tuple[NDArray[np.int64], NDArray[np.int64]], still: NDArray[np.bool_]
) -> float:
    """The same of counts by slices of time, where bursts are: by slices that do not touch.

    What a pixel has in two of them has only its rate in common, unless bursts are as long.
    """
    seen = (counts[0] + counts[1])[:, still].astype(np.float64)
    slices = seen.shape[0]
    apart = (slices - 1) * (slices - 2)
    if not apart or not seen.any():
        return 0.0
    total = seen.sum(0)
    near = (seen**2).sum(0) + 2 * (seen[1:] * seen[:-1]).sum(0)
    return _decades(float((total**2 - near).mean() / apart / (total.mean() / slices) ** 2))


def _decades(squares: float) -> float:
    return math.sqrt(math.log(max(squares, 1.0))) / math.log(10)
