"""Small cells of space and time, most of them quiet where only noise is seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, Sensor, copied, joined
from evstore.noise.measuring import counting_kernels as kernels
from evstore.noise.measuring.quiet_rate import poisson_below, quiet_rates

CELL_US = 20_000
SHIFT = 3  # blocks of 8 x 8 pixels
LEARNT_FROM = 8  # cells
MOST_GAPS = 1 << 20  # pixels whose intervals are counted for each


class Cells:
    """Counts what happens to pixels while it is quiet around them, in bounded memory.

    How many events a block of pixels may have to be quiet is learnt from the cells before, anew
    each time that there are twice as many: from the recording alone, not from its batches.
    """

    def __init__(self, sensor: Sensor, cell_us: int = CELL_US) -> None:
        self.sensor, self.cell_us = sensor, cell_us
        self.across = (sensor.width + 7) >> SHIFT
        self.blocks = self.across * ((sensor.height + 7) >> SHIFT)
        pixels = sensor.pixels
        every = max((pixels - 1).bit_length() - MOST_GAPS.bit_length() + 1, 0)
        self.state = kernels.Quiet(
            cell=np.zeros(pixels, np.int32),
            on=np.zeros(pixels, np.uint32),
            off=np.zeros(pixels, np.uint32),
            exposed=np.zeros(pixels, np.int32),
            last=np.full(pixels, -1, np.int64),
            block=np.zeros(self.blocks, np.int32),
            limit=np.full(self.blocks, -1, np.int32),
            levels=np.zeros(self.blocks * kernels.LEVELS, np.uint32),
            quiet=np.zeros(self.blocks, np.int64),
            intervals=np.zeros(kernels.INTERVAL_BINS, np.int64),
            still=np.zeros(kernels.INTERVAL_BINS, np.int64),
            every=every,
            gaps=np.zeros(((pixels - 1 >> every) + 1) * kernels.OCTAVES * 2, np.uint16),
        )
        self.done = 0
        self._held: list[Batch] = []  # of the cell that is not over
        self._learn_at = LEARNT_FROM

    def add(self, batch: Batch) -> None:
        """Events that follow those before, one at least; times since the recording's start."""
        first = self._held[0] if self._held else batch
        if int(batch.t[-1]) < (int(first.t[0]) // self.cell_us + 1) * self.cell_us:
            self._held.append(copied(batch))
            return
        batch, done = joined([*self._held, batch]), 0
        while True:
            which = int(batch.t[done]) // self.cell_us
            if (which + 1) * self.cell_us > int(batch.t[-1]):
                break
            stop = int(np.searchsorted(batch.t, (which + 1) * self.cell_us))
            self._cell(which, batch.at(slice(done, stop)))
            done = stop
        self._held = [copied(batch.at(slice(done, None)))]

    def end(self, time: int) -> None:
        """The recording ends at ``time``: a cell that is not whole does not count."""
        whole = time // self.cell_us
        if self._held and int(self._held[0].t[0]) // self.cell_us < whole:
            self._cell(int(self._held[0].t[0]) // self.cell_us, joined(self._held))
        self.skip(whole - self.done)

    def _cell(self, which: int, batch: Batch) -> None:
        self.skip(which - self.done)
        t, x, y, p, _ = batch
        kernels.quiet_cell(t, x, y, p, self.sensor.width, SHIFT, self.across, self.state)
        self._counted(1)

    def skip(self, cells: int) -> None:
        """So many cells without events."""
        while cells > 0:
            now = min(cells, self._learn_at - self.done)
            self.levels()[:, 0] += np.uint32(min(now, 1 << 31))
            self.state.quiet[:] += now * (self.state.limit >= 0)
            self._counted(now)
            cells -= now

    def _counted(self, cells: int) -> None:
        self.done += cells
        if self.done >= self._learn_at:
            self._learn_at = 2 * self.done
            rates = quiet_rates(self.levels()).events
            self.state.limit[:] = np.where(np.isfinite(rates), np.nan_to_num(rates), -1)

    def levels(self) -> NDArray[np.uint32]:
        """How many cells of each block had so many events: (blocks, `LEVELS`)."""
        found: NDArray[np.uint32] = self.state.levels.reshape(self.blocks, kernels.LEVELS)
        return found

    def gaps(self) -> NDArray[np.uint16]:
        """All intervals, (pixels, `OCTAVES`, without and with a change)."""
        found: NDArray[np.uint16] = self.state.gaps.reshape(-1, kernels.OCTAVES, 2)
        return found

    def homes(self) -> NDArray[np.int64]:
        """The block of each pixel."""
        y, x = np.divmod(np.arange(self.sensor.pixels), self.sensor.width)
        found: NDArray[np.int64] = (y >> SHIFT) * self.across + (x >> SHIFT)
        return found

    def still_us(self) -> NDArray[np.float64]:
        """How long it would be quiet around each pixel if there were noise alone; NaN: not known.

        Of the time in which it could be told: all but what the first limits were learnt in.
        """
        rates = quiet_rates(self.levels()).events
        known = np.isfinite(rates) & (self.state.limit >= 0)
        share = poisson_below(
            np.nan_to_num(rates), np.maximum(self.state.limit, 0).astype(np.int64)
        )
        looked = max(self.done - LEARNT_FROM, 0) * self.cell_us
        found: NDArray[np.float64] = np.where(known, share * looked, np.nan)[self.homes()]
        return found

    def exposure_us(self) -> NDArray[np.int64]:
        """How long each pixel was looked at in quiet surroundings."""
        exposed = self.state.quiet[self.homes()] + self.state.exposed
        found: NDArray[np.int64] = exposed * self.cell_us
        return found
