"""Filters: transforms that only choose which events are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.batch import Batch, Sensor, Stage
from evstore.noise.filters.choosing_kernels import OUTSIDE, STEP, STEPS_BACK, choose
from evstore.noise.filters.sources import Columns, Records
from evstore.noise.key import Key
from evstore.noise.labels import SIGNAL
from evstore.noise.transform import Transform, size_of, span

LOOKED_AT = 13  # 2 to this: so many events, or up to twice as many, tell the sensor nearly always
LONGEST_US = 1 << 61  # from a piece's first event to its last
NO_TIME = -(1 << 63)  # none is before it

Source: TypeAlias = Columns | Records


class Judge(Protocol):
    """A filter at work on one stream: what it holds between pieces."""

    def rule(self, first: int, last: int) -> Any:
        """What a kernel judges events of these times by: one of those in `choices`."""


@dataclass(frozen=True)
class Filter(Transform):
    """A transform that keeps events as they are, or drops them. Nothing of it is random.

    Of a structured array all fields are kept, whatever they are called.
    """

    only_chooses = True

    @property
    def tells_polarities_apart(self) -> bool:
        """Whether it looks at p."""
        return False

    def judge(self, sensor: Sensor, start: int) -> Judge:
        """What judges one stream of this sensor, whose time begins at ``start``."""
        raise NotImplementedError

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """The judge as a stage."""
        return _Filtering(self.judge(sensor, start), sensor)

    def __call__(
        self,
        events: Any,
        *,
        sample: str | int | None = None,
        epoch: int | None = None,
        start: int | None = None,
        stop: int | None = None,
        labels: bool = False,
    ) -> Any:
        """The events of one sample that are kept, and with ``labels`` a uint8 for each.

        As `Transform`; but since nothing is random, the sample and epoch change nothing.
        """
        source: Source
        source = Columns.of(events) if isinstance(events, Events) else self._records(events)
        if start is not None or stop is not None:
            t = source.times()
            start, _ = span((int(t.min()), int(t.max())) if t.size else None, start, stop)
        source, sensor, fault = self._judged(source, start)
        if fault and source.load_all():  # that says it where a field has what no column can have
            source, sensor, fault = self._judged(source, start)
        if fault:
            raise ArgumentError(
                f"events lie outside of the sensor of {sensor.width}x{sensor.height}: give the "
                "resolution that the events have"
            )
        found: Any = source.kept(self._said())
        return (found, np.full(len(found), SIGNAL, np.uint8)) if labels else found

    def _judged(self, source: Source, start: int | None) -> tuple[Source, Sensor, int]:
        """The source with what is kept of it, sorted where it has to be, and why it was not judged.

        Or 0.
        """
        size = source.resolution or self._said()
        if size is None:  # nobody says it: some of the events tell, nearly always
            sensor = self._least(source.extent(max(source.size >> LOOKED_AT, 1)))
        else:
            sensor = Sensor(*size_of(size))
        fault = self._choose(source, sensor, start)
        if fault & OUTSIDE and size is None:
            sensor = self._least(source.extent(1))
            fault = self._choose(source, sensor, start)
        if fault == STEPS_BACK:
            source = source.in_order()
            if size is None:  # what lies outside may have come later
                sensor = self._least(source.extent(1))
            fault = self._choose(source, sensor, start)
        return source, sensor, fault

    def _records(self, array: Any) -> Records:
        return Records(array, self.tells_polarities_apart)

    def _least(self, found: Sensor) -> Sensor:
        least = self.least_sensor()
        return Sensor(max(found.width, least.width), max(found.height, least.height))

    def _choose(self, source: Source, sensor: Sensor, start: int | None) -> int:
        """Take the events that are kept, from the start on; 0, or why they cannot be judged."""
        source.count = 0
        if not source.size:
            return 0
        begin = int(source.piece(0, 1).t[0]) if start is None else start
        return go_through(self.judge(sensor, begin), sensor, source)


def go_through(judge: Judge, sensor: Sensor, source: Source) -> int:
    """Judge all events, and move those that are kept; stops at what cannot be judged.

    Gives 0, or of what cannot be judged STEPS_BACK, OUTSIDE, UNFIT or a sum of them.
    """
    keep = np.empty(min(STEP, source.size), np.uint8)
    sides = min(sensor.width, source.side), min(sensor.height, source.side)
    at, before = 0, NO_TIME
    while at < source.size:
        stop = min(at + source.most, source.size)
        piece = source.piece(at, stop)
        first, last = int(piece.t[0]), int(piece.t[-1])
        if last - first >= LONGEST_US:
            stop = at + max(1, int(np.searchsorted(piece.t, first + LONGEST_US)))
            piece = source.piece(at, stop)
            last = int(piece.t[-1])
        rule, target = judge.rule(first, last), source.target(at, stop)
        count, fault = choose(rule, piece, before, *sides, target, keep)
        if fault:
            return int(fault)
        source.count += count
        at, before = stop, last
    return 0


class _Filtering:
    """A judge as a stage."""

    def __init__(self, judge: Judge, sensor: Sensor) -> None:
        self.judge, self.sensor = judge, sensor

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        if not batch.size:
            return batch, until
        source = Columns(*batch)
        fault = go_through(self.judge, self.sensor, source)
        assert not fault  # batches are in order and inside
        return source.kept_batch(), until
