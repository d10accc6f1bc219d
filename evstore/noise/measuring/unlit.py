"""The parts of each cycle in which flicker makes no events, as a recording of their own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, Sensor, copied, joined
from evstore.noise.measuring import folding_kernels as kernels
from evstore.noise.measuring.cells import CELL_US, Cells
from evstore.noise.measuring.folding_kernels import PHASES, QUIET
from evstore.noise.measuring.series import Series
from evstore.noise.measuring.slices import Slices

#: The longer, the better quiet is told from a signal; the shorter, the more are quiet.
CELLS_US = (CELL_US, CELL_US * QUIET // PHASES)
WINDOW_US = 500_000  # about: whole cycles
KEPT = 0.7  # of what was counted by phase, from one window to the next
LOCKED = 5.0  # deviations by which a window's wave is more than chance, or it moves nothing
FOLLOWS = 0.3  # of the phase by which a window is behind, in the next one's frequency
USUAL = 100.0  # events of all blocks that count for each, besides its own

Counts = NDArray[np.float64]  # by block, polarity and phase


class Unlit:
    """Counts events of the quietest quarter of each cycle, ON and OFF of one each.

    Light that rises makes ON events, so that in half of a cycle there are few that are of flicker,
    and of OFF in the other half; what is no flicker comes there as it does always. Times are those
    of the quarters, put together: all rates are as they are. Where in a cycle they lie is learnt of
    each block, since lamps differ in phase, from the windows before, whose phase and frequency are
    followed (a loop of second order): so no event decides whether it is counted itself.
    """

    def __init__(
        self, sensor: Sensor, series: Series, frequency_hz: float, lit: NDArray[np.bool_],
        start: int, all_of_it: bool,
    ) -> None:  # fmt: skip
        self.slices = Slices(sensor)
        self.cells = [Cells(sensor, cell_us) for cell_us in CELLS_US] if all_of_it else []
        self.end = 0
        self.frequency = frequency_hz / 1e6
        self._shift, self._across = series.shift, series.across
        self._lit = lit
        self._begin = float(start)
        self._counts: Counts | None = None
        self._held: list[Batch] = []

    def add(self, batch: Batch) -> None:
        """Events in order of time, one at least."""
        done = 0
        while True:
            cycles = max(round(WINDOW_US * self.frequency), 3)
            length = cycles / self.frequency
            if int(batch.t[-1]) < self._begin + length:
                break
            stop = int(np.searchsorted(batch.t, self._begin + length))
            self._held.append(batch.at(slice(done, stop)))
            done = stop
            held, self._held = joined(self._held), []
            windows = 1
            if not held.size:
                windows = max(int((int(batch.t[done]) - self._begin) / length), 1)
            self._window(held, cycles, windows)
        self._held.append(copied(batch.at(slice(done, None))))

    def _window(self, batch: Batch, cycles: int, windows: int) -> None:
        """``windows``: that many at once, where no events are."""
        if self._counts is not None:
            self._count(batch, (cycles - 1) * windows)
        counts = np.zeros((self._lit.size, 2, PHASES), np.int64)
        t, x, y, p, _ = batch
        kernels.fold(
            t, x, y, p, self._begin, self.frequency, self._shift, self._across, counts.reshape(-1)
        )
        self._begin += windows * cycles / self.frequency
        if self._counts is None:
            self._counts = counts.astype(np.float64)
            return
        turn = _turned(counts[self._lit], self._counts[self._lit])
        if turn is None:
            return
        self._begin += turn / self.frequency
        self.frequency *= 1 - FOLLOWS * turn / cycles
        # As if the window had begun with the phase that the next one begins with.
        self._counts = KEPT * self._counts + np.roll(counts, -round(turn * PHASES), 2)

    def _count(self, batch: Batch, cycles: int) -> None:
        assert self._counts is not None
        chosen, times = np.empty(batch.size + 1, np.int64), np.empty(batch.size + 1, np.int64)
        count = kernels.choose_quiet(
            batch.t, batch.x, batch.y, batch.p, self._begin, self.frequency, cycles, self._shift,
            self._across, _quietest(self._counts, self._lit), chosen, times,
        )  # fmt: skip
        length = math.ceil(cycles * QUIET / PHASES / self.frequency)
        if count:
            order = np.argsort(times[:count], kind="stable")
            some = batch.at(chosen[:count][order])
            some = some._replace(t=times[:count][order] + self.end)
            self.slices.add(some.t, some.x, some.y, some.p)
            for cells in self.cells:
                cells.add(some)
        self.end += length

    def finish(self) -> None:
        """No more events come; a window that is not over does not count."""
        for cells in self.cells:
            cells.end(self.end)


def _turned(now: NDArray[np.int64], before: Counts) -> float | None:
    """By what part of a cycle light comes later than before; None where it is not for sure."""
    waves = np.exp(2j * math.pi * np.arange(PHASES) / PHASES)
    new, old = ((counts[:, 1] - counts[:, 0]) @ waves for counts in (now, before))
    both = complex((new * old.conj()).sum())
    chance = math.sqrt(float((now.sum((1, 2)) * abs(old) ** 2).sum()))
    if abs(both) <= LOCKED * chance:
        return None
    return math.atan2(both.imag, both.real) / (2 * math.pi)


def _quietest(counts: Counts, lit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The phase in which the part begins that has least, by block, of OFF and of ON.

    Of a block with few events, as of all that are lit.
    """
    everywhere = counts[lit].sum(0)
    counts = counts + everywhere * (USUAL / max(float(everywhere.sum()), 1.0))
    sums = np.cumsum(np.concatenate([counts, counts[:, :, :QUIET]], 2), 2)
    found: NDArray[np.int64] = np.argmin(sums[:, :, QUIET:] - sums[:, :, :-QUIET], 2).reshape(-1)
    return (found + 1) % PHASES
