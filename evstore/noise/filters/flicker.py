"""A filter against flickering lamps and screens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, Sensor, Stage, empty_batch, joined
from evstore.noise.filters import flicker_kernels as kernels
from evstore.noise.key import Key
from evstore.noise.limits import check_integer, check_number, check_pixels
from evstore.noise.measuring.series import Series
from evstore.noise.measuring.spectrum import lines
from evstore.noise.transform import Transform

LOWEST_HZ, HIGHEST_HZ = 10.0, 2000.0
STEPS_A_HZ = 20  # a frequency that was found is rounded to this, so that every machine has the same
MOST_HELD = 20_000_000  # events


@dataclass(frozen=True)
class AntiFlicker(Transform):
    """Drops events that come back with the period of a lamp, by blocks of pixels.

    A comb: where events of one polarity came in the same eighth of a cycle in three windows of
    eight cycles, and more than in other parts of the cycle, as many events of each pixel as flicker
    makes are dropped; what exceeds them, as an edge that passes does, stays. So does what comes
    where there is no flicker, and the first 24 cycles, in which it is learnt.

    ``frequency_hz``: of the light, which mains make flicker at twice their own, 10..2000. None: it
    is found in the first ``learn_us`` microseconds, which are held back until then (or until 20
    million events are); where none is found, all events pass. ``block``: the side of a block in
    pixels, as small as has some events a cycle. (Prophesee's anti-flicker works in blocks of 4 x 4,
    jAER's HarmonicFilter with a resonator at twice the mains' frequency; a linear comb filter:
    arXiv:2205.08090.) Raises ArgumentError for values out of range.

    >>> from evstore.synth import simulate
    >>> from evstore.events import Events
    >>> events = Events.concatenate(simulate((32, 32), 100_000, events_per_s=50_000))
    >>> 0.95 < len(AntiFlicker(100)(events)) / len(events) <= 1
    True
    """

    frequency_hz: float | None = None
    block: int = 8
    learn_us: int = 1_000_000

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""
        if self.frequency_hz is not None:
            check_number("frequency_hz", self.frequency_hz, LOWEST_HZ, HIGHEST_HZ)
        check_integer("block", self.block, 1, 4096)
        check_integer("learn_us", self.learn_us, 100_000, 60_000_000)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """The filter at work."""
        check_pixels(sensor)
        if self.frequency_hz is not None:
            return _Comb(sensor, float(self.frequency_hz), self.block, start)
        return _Learning(sensor, self.block, start, self.learn_us)


class _Comb:
    def __init__(self, sensor: Sensor, frequency_hz: float, block: int, start: int) -> None:
        self.sensor, self.block, self.start = sensor, block, start
        self.frequency = frequency_hz / 1e6
        self.across = -(-sensor.width // block)
        self.sides = 2 * self.across * -(-sensor.height // block)
        size = self.sides * kernels.PHASES
        self.comb = kernels.Comb(
            counts=np.zeros((kernels.WINDOWS + 1) * size, np.int32),
            locked=np.zeros(size, np.uint8),
            step=np.ones(self.sides, np.int64),
            due=np.full(2 * sensor.pixels, kernels.NEVER, np.int64),
            pixels=np.repeat(_pixels(sensor, block), 2),
            window=np.zeros(1, np.int64),
        )

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        keep = np.empty(batch.size, np.uint8)
        kernels.pass_comb(
            batch.t, batch.x, batch.y, batch.p, self.start, self.frequency, self.sensor.width,
            self.block, self.across, self.sides, self.comb, keep,
        )  # fmt: skip
        return batch.at(keep.view(np.bool_)), until


def _pixels(sensor: Sensor, block: int) -> NDArray[np.int64]:
    """How many pixels each block has, row by row."""
    sides = (
        np.minimum(block, length - np.arange(0, length, block, dtype=np.int64))
        for length in (sensor.height, sensor.width)
    )
    return np.multiply.outer(*sides).reshape(-1)


class _Learning:
    """Holds events back until the frequency is known."""

    def __init__(self, sensor: Sensor, block: int, start: int, learn_us: int) -> None:
        self.sensor, self.block, self.start, self.learn_us = sensor, block, start, learn_us
        self.held: list[Batch] = []
        self.count = 0
        self.comb: _Comb | None = None
        self.learnt = False

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        if not self.learnt:
            self.held.append(batch)
            self.count += batch.size
            enough = until >= self.start + self.learn_us or self.count >= MOST_HELD
            if not (enough or last):
                return empty_batch(), self.start
            batch, self.held = joined(self.held), []
            self._learn(batch)
        return (batch, until) if self.comb is None else self.comb.push(batch, until, last)

    def _learn(self, batch: Batch) -> None:
        """From the same events, however they came."""
        self.learnt = True
        end = min(int(np.searchsorted(batch.t, self.start + self.learn_us)), MOST_HELD)
        some = batch.at(slice(0, end))
        some = some._replace(t=some.t - self.start)
        series = Series(self.sensor)
        series.add(some)
        series.end(self.learn_us if end < MOST_HELD else int(some.t[-1]) + 1)
        spectrum = lines(series, np.zeros(series.blocks))
        found = spectrum.frequency_hz if spectrum.steady else None
        if found is not None and LOWEST_HZ <= found <= HIGHEST_HZ:
            rounded = round(found * STEPS_A_HZ) / STEPS_A_HZ
            self.comb = _Comb(self.sensor, rounded, self.block, self.start)
