"""The parts of each cycle in which flicker makes no events, as a recording of their own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, Sensor, joined
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


class Unlit:
    """Counts events of the quietest quarter of each cycle, ON and OFF of one each.

    Light that rises makes ON events, so that in half of a cycle there are few that are of flicker,
    and of OFF in the other half; what is no flicker comes there as it does always. Times are those
    of the quarters, put together: all rates are as they are. Where in a cycle they lie is learnt
    from the windows before, whose phase and frequency are followed (a loop of second order), so
    that an event does not decide whether it is counted itself.
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
        self._lit = lit.astype(np.int64)
        self._begin = float(start)
        self._counts: NDArray[np.float64] | None = None
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
        self._held.append(batch.at(np.arange(done, batch.size)))

    def _window(self, batch: Batch, cycles: int, windows: int) -> None:
        """``windows``: that many at once, where no events are."""
        if self._counts is not None:
            self._count(batch, (cycles - 1) * windows)
        counts = np.zeros(2 * PHASES, np.int64)
        t, x, y, p, _ = batch
        kernels.fold(
            t, x, y, p, self._begin, self.frequency, self._shift, self._across, self._lit, counts
        )
        self._begin += windows * cycles / self.frequency
        phase, sure = _phase(counts)
        if not sure:
            return
        if self._counts is None:
            self._counts = counts.astype(np.float64)
            return
        behind = (phase - _phase(self._counts)[0] + 0.5) % 1 - 0.5
        self._begin += behind / self.frequency
        self.frequency *= 1 - FOLLOWS * behind / cycles
        # As if the window had begun with the phase that the next one begins with.
        turned = np.roll(counts.reshape(2, PHASES), -round(behind * PHASES), 1).ravel()
        self._counts = KEPT * self._counts + turned

    def _count(self, batch: Batch, cycles: int) -> None:
        assert self._counts is not None
        chosen, times = np.empty(batch.size + 1, np.int64), np.empty(batch.size + 1, np.int64)
        count = kernels.choose_quiet(
            batch.t, batch.p, self._begin, self.frequency, cycles, _quietest(self._counts), chosen,
            times,
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


def _phase(counts: NDArray[np.float64] | NDArray[np.int64]) -> tuple[float, bool]:
    """Where in a cycle the light rises most, 0..1, and whether it does for sure."""
    turn = 2 * math.pi * (np.arange(PHASES) + 0.5) / PHASES
    off, on = counts.reshape(2, PHASES).astype(np.float64)
    wave = complex(((on - off) * np.cos(turn)).sum(), ((on - off) * np.sin(turn)).sum())
    sure = abs(wave) > LOCKED * math.sqrt(float(counts.sum()) + 1)
    return math.atan2(wave.imag, wave.real) / (2 * math.pi) % 1, sure


def _quietest(counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """The phase in which the part begins that has least, of OFF and of ON."""
    around = np.concatenate([counts.reshape(2, PHASES)] * 2, 1)
    sums = np.stack([around[:, at : at + QUIET].sum(1) for at in range(PHASES)], 1)
    found: NDArray[np.int64] = np.argmin(sums, 1).astype(np.int64)
    return found
