"""A transform over batches that follow each other, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.batch import (
    Batch,
    Sensor,
    batch_of,
    check_inside,
    empty_batch,
    in_order,
    joined,
    merged,
)
from evstore.noise.key import Key

if TYPE_CHECKING:
    from evstore.noise.transform import Transform

STEP_US = 1_000_000  # of time without events in it that is gone through at once


class Stream:
    """What `Transform.stream` gives. Batches come in order; times may step back by ``slack_us``."""

    def __init__(
        self, transform: Transform, sensor: Sensor, key: Key, start: int | None, slack_us: int
    ) -> None:
        if slack_us < 0:
            raise ArgumentError(f"slack_us must be at least 0, got {slack_us}")
        self._transform = transform
        self._sensor = sensor
        self._key = key
        self._slack = slack_us
        self._held = empty_batch()  # in order, of the time settled or after it
        self._start = start
        self._settled = start
        self._newest = start
        self._stage = None if start is None else transform.begin(sensor, key, start)
        #: The labels of what was given last.
        self.labels = np.empty(0, np.uint8)

    def push(self, events: Events) -> Events:
        """The events that are settled now, in order of time."""
        batch = in_order(batch_of(events))
        check_inside(batch, self._sensor)
        if not batch.size:
            return self._given([])
        if self._settled is None:
            self._settled = self._newest = int(batch.t[0])
            self._stage = self._transform.begin(self._sensor, self._key, self._settled)
        assert self._newest is not None
        if self._start is not None and batch.t[0] < self._start:
            raise ArgumentError(
                f"an event at {batch.t[0]} us lies before the start that was given, "
                f"{self._start} us"
            )
        if batch.t[0] < self._settled:
            raise ArgumentError(
                f"time steps back to {batch.t[0]} us, and what is before {self._settled} us has "
                f"been given: sort the events, or allow steps back: "
                f"slack_us={self._newest - int(batch.t[0])} or more"
            )
        self._newest = max(self._newest, int(batch.t[-1]))
        held = merged(self._held, batch)
        until = max(self._settled, self._newest - self._slack)
        cut = int(np.searchsorted(held.t, until))
        self._held = held.at(slice(cut, None))
        return self._given(self._through(held.at(slice(0, cut)), until, False))

    def end(self, stop: int | None = None) -> Events:
        """The rest. The stream ends at ``stop``, unless given with its last event."""
        if self._settled is None or self._newest is None:
            return self._given([])
        last = int(self._held.t[-1]) + 1 if self._held.size else self._newest
        stop = last if stop is None else stop
        if stop < last:
            raise ArgumentError(f"the stream cannot stop at {stop} us, before its end at {last} us")
        held, self._held = self._held, empty_batch()
        return self._given(self._through(held, stop, True))

    def _through(self, batch: Batch, until: int, last: bool) -> list[Batch]:
        """Push what is before ``until``; a long time in steps, each with what is made in it."""
        assert self._stage is not None
        assert self._settled is not None
        out, done = [], 0
        while self._settled + STEP_US < until:
            step = self._settled + STEP_US
            cut = int(np.searchsorted(batch.t, step))
            out.append(self._stage.push(batch.at(slice(done, cut)), step, False)[0])
            self._settled, done = step, cut
        out.append(self._stage.push(batch.at(slice(done, None)), until, last)[0])
        self._settled = until
        return out

    def _given(self, parts: list[Batch]) -> Events:
        batch = joined(parts)
        self.labels = batch.label
        return batch.events((self._sensor.width, self._sensor.height))
