"""A filter against flickering lamps and screens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, Sensor, Stage, empty_batch, joined
from evstore.noise.filters import flicker_kernels as kernels
from evstore.noise.key import Key
from evstore.noise.limits import TIMES, check_integer, check_number, check_pixels
from evstore.noise.measuring.series import Series
from evstore.noise.measuring.spectrum import lines
from evstore.noise.transform import Transform

LOWEST_HZ, HIGHEST_HZ = 10.0, 2000.0
STEPS_A_HZ = 20  # a frequency that was found is rounded to this, so that every machine has the same
MOST_HELD = 20_000_000  # events
PAUSES = 3  # times as long, between two looks for flicker where none was found


@dataclass(frozen=True)
class AntiFlicker(Transform):
    """Drops events that come back with the period of a lamp, by blocks of pixels.

    A comb: where events of one polarity came in the same eighth of a cycle in three windows of
    eight cycles, and more than in other parts of the cycle, as many events of each pixel as flicker
    makes are dropped; what exceeds them, as an edge that passes does, stays. Where pixels fire once
    a cycle, or in one burst, each at a phase of its own, only what comes at its pixel's phase is
    dropped, so that more of a signal stays, and that whether the phases of a block are the same or
    not. What comes where there is no flicker stays, too.

    ``frequency_hz``: of the light, which mains make flicker at twice their own, 10..2000. None: it
    is found in the first ``learn_us`` microseconds; where none is found all events pass, and it is
    looked for again in as long a time after each three times as long. Events are held back for so
    long, or for 32 cycles of a frequency that is given (or until 20 million events are), and
    filtered with what is learnt of them; what begins to flicker later passes for 24 cycles.
    ``block``: the side of a block in pixels, as small as has some events a cycle.
    (Prophesee's anti-flicker works in blocks of 4 x 4, jAER's HarmonicFilter with a resonator at
    twice the mains' frequency; a linear comb filter: arXiv:2205.08090.) Raises ArgumentError for
    values out of range.

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
        if self.frequency_hz is None:
            return _Learning(sensor, self.block, start, self.learn_us)
        given = float(self.frequency_hz)
        return _Learning(sensor, self.block, start, _cycles_us(given / 1e6), given)


def _cycles_us(frequency: float) -> int:
    """How long it takes to learn what flickers; ``frequency`` in cycles a microsecond."""
    return int((kernels.WINDOWS + 1) * kernels.CYCLES / frequency)


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
            busy=np.zeros(self.sides, np.uint8),
            step=np.ones(self.sides, np.int64),
            due=np.full(2 * sensor.pixels, kernels.NEVER, np.int64),
            own=np.full(2 * sensor.pixels, kernels.NEVER, np.int64),
            missed=np.zeros(2 * sensor.pixels, np.uint8),
            timing=np.zeros(self.sides * kernels.TIMINGS, np.int32),
            regular=np.zeros(self.sides, np.uint8),
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

    def learn(self, batch: Batch) -> None:
        """See what flickers in the first windows, then go back to the start."""
        stop = min(self.start + _cycles_us(self.frequency), TIMES[1])
        end = int(np.searchsorted(batch.t, stop))
        self.push(batch.at(slice(0, end)), self.start, False)
        comb = self.comb
        comb.window[:] = 0
        comb.counts[kernels.WINDOWS * self.sides * kernels.PHASES :] = 0
        kernels.judge_all(comb)
        comb.due[:] = comb.own[:] = kernels.NEVER


def _pixels(sensor: Sensor, block: int) -> NDArray[np.int64]:
    """How many pixels each block has, row by row."""
    sides = (
        np.minimum(block, length - np.arange(0, length, block, dtype=np.int64))
        for length in (sensor.height, sensor.width)
    )
    return np.multiply.outer(*sides).reshape(-1)


class _Learning:
    """Holds events back until it is known what flickers, at a frequency that is given or found.

    Where none is found it looks again now and then.
    """

    def __init__(
        self, sensor: Sensor, block: int, start: int, learn_us: int, given: float | None = None
    ) -> None:
        self.sensor, self.block, self.start, self.learn_us = sensor, block, start, learn_us
        self.given = given
        self.held: list[Batch] = []
        self.count = 0
        self.comb: _Comb | None = None
        self.learnt = False
        self.look = _Look(sensor, start + PAUSES * learn_us, learn_us)

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        if not self.learnt:
            self.held.append(batch)
            self.count += batch.size
            enough = until >= self.start + self.learn_us or self.count >= MOST_HELD
            if not (enough or last):
                return empty_batch(), self.start
            batch, self.held = joined(self.held), []
            self._learn(batch, min(until - self.start, self.learn_us) if last else self.learn_us)
        if self.comb is not None:
            return self.comb.push(batch, until, last)
        return self._passed(batch, until, last)

    def _learn(self, batch: Batch, length_us: int) -> None:
        """From the same events, however they came: those of so long a time from the start on."""
        self.learnt = True
        end = min(int(np.searchsorted(batch.t, min(self.start + length_us, TIMES[1]))), MOST_HELD)
        some = batch.at(slice(0, end))
        found = self.given
        if found is None:
            look = _Look(self.sensor, self.start, self.learn_us)
            look.add(some)
            found = look.frequency_hz(length_us if end < MOST_HELD else None)
        if found is not None:
            self.comb = _Comb(self.sensor, found, self.block, self.start)
            self.comb.learn(some)

    def _passed(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        """All events, up to the time at which flicker is found."""
        done = 0
        while done < batch.size and int(batch.t[-1]) >= self.look.end:
            cut = int(np.searchsorted(batch.t, self.look.end))
            self.look.add(batch.at(slice(done, cut)))
            done, end = cut, self.look.end
            found = self.look.frequency_hz(self.learn_us)
            if found is not None:
                self.comb = _Comb(self.sensor, found, self.block, end)
                rest, until = self.comb.push(batch.at(slice(done, None)), until, last)
                return joined([batch.at(slice(0, done)), rest]), until
            silent = max(int(batch.t[done]) - end, 0) // self.learn_us
            pause = PAUSES + silent // (PAUSES + 1) * (PAUSES + 1)
            self.look = _Look(self.sensor, end + pause * self.learn_us, self.learn_us)
        self.look.add(batch.at(slice(done, None)))
        return batch, until


class _Look:
    """A spectrum of some time from ``begin`` on."""

    def __init__(self, sensor: Sensor, begin: int, length_us: int) -> None:
        self.begin, self.end = begin, begin + length_us
        self.sensor = sensor
        self.series: Series | None = None
        self.newest = begin

    def add(self, batch: Batch) -> None:
        """Events before the end; those before the begin do not count."""
        if self.begin > TIMES[1]:
            return
        batch = batch.at(slice(int(np.searchsorted(batch.t, self.begin)), None))
        if batch.size:
            self.series = self.series or Series(self.sensor)
            self.series.add(batch._replace(t=batch.t - self.begin))
            self.newest = int(batch.t[-1])

    def frequency_hz(self, length_us: int | None) -> float | None:
        """Of light that flickers all of the time, rounded; to the newest event without a length."""
        if self.series is None:
            return None
        self.series.end(self.newest - self.begin + 1 if length_us is None else length_us)
        found = lines(self.series, np.zeros(self.series.blocks))
        rounded = round((found.frequency_hz or 0) * STEPS_A_HZ) / STEPS_A_HZ
        return rounded if found.steady and LOWEST_HZ <= rounded <= HIGHEST_HZ else None
