"""A source of Poisson noise: pixels that fire at random, each at its own rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, empty_batch, joined
from evstore.noise.random import total
from evstore.noise.sources import arrivals_kernels as kernels

MARGIN = 5.0  # deviations of a Poisson number that room is made for at once


class Slots(NamedTuple):
    """Pixels by their rates, as `arrivals_kernels` wants them, and the sum of the rates."""

    slots: NDArray[np.uint32]
    total_hz: float


def slots_of(
    rates_hz: NDArray[np.float64], places: NDArray[np.uint32], prefers: NDArray[np.uint8]
) -> Slots:
    """Slots of pixels: their rates, places ``y << 16 | x`` and preferred polarities."""
    total_hz = total(rates_hz)
    if not total_hz:
        return Slots(np.empty(0, np.uint32), 0.0)
    slots = np.empty(3 * rates_hz.size, np.uint32)
    small, large = (np.empty(rates_hz.size, np.int64) for _ in range(2))
    left = np.empty(rates_hz.size, np.float64)
    kernels.fill_slots(rates_hz, total_hz, places, prefers, small, large, left, slots)
    return Slots(slots, total_hz)


class Arrivals:
    """Events of pixels that fire at random; ``flip`` of them not of the preferred polarity."""

    def __init__(
        self, slots: Slots, flip: float, seeds: tuple[int, int], start: int, label: int
    ) -> None:
        self._slots = slots
        self._flip = round(flip * (1 << 32))
        self._seeds = seeds
        self._start = start
        self._label = label
        self._number = 0
        self._clock = 0.0
        self._values = np.empty(kernels.PIECE, np.float64)
        self._gaps = np.empty(kernels.PIECE, np.float64)

    def until(self, stop: int) -> Batch:
        """Those before ``stop`` that were not given yet."""
        if not self._slots.total_hz or stop - self._start <= self._clock:
            return empty_batch()
        mean_gap = 1e6 / self._slots.total_hz
        parts = []
        while True:
            expected = max(stop - self._start - self._clock, 0) / mean_gap
            room = int(expected + MARGIN * (expected + 1) ** 0.5) + 1
            part = self._some(float(stop - self._start), mean_gap, room)
            parts.append(part)
            if part.size < room:
                return joined(parts)

    def _some(self, stop: float, mean_gap: float, room: int) -> Batch:
        out = empty_batch(room)
        count, self._clock = kernels.arrive(
            self._seeds, self._number, self._clock, mean_gap, stop, self._start,
            self._slots.slots, self._flip, self._values, self._values.view(np.uint64), self._gaps,
            out.t, out.x, out.y, out.p,
        )  # fmt: skip
        self._number += count
        out.label.fill(self._label)
        return out.at(slice(0, count))
