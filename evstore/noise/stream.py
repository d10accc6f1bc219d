"""A transform over batches that follow each other, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.batch import (
    Batch,
    Sensor,
    batch_of,
    check_events,
    check_inside,
    copied,
    empty_batch,
    in_order,
    joined,
    merged,
)
from evstore.noise.key import Key
from evstore.noise.limits import LONGEST_US, TIMES, check_integer

if TYPE_CHECKING:
    from evstore.noise.transform import Transform

LEAST_STEP_US = 1_000_000  # of time that is gone through at once, in which so many events
STEP_EVENTS = 1 << 20  # or fewer are made
MOST_AT_ONCE = 1 << 28  # events that are made by one push
MOST_IN_PIECES = 1 << 36  # and in pieces: for hours of silence of a large sensor


class Stream:
    """What `Transform.stream` gives. Batches come in order; times may step back by ``slack_us``."""

    def __init__(
        self, transform: Transform, sensor: Sensor, key: Key, start: int | None, slack_us: int
    ) -> None:
        check_integer("slack_us", slack_us, 0, LONGEST_US)
        if start is not None:
            check_integer("start", start, *TIMES)
        self._transform = transform
        self._sensor = sensor
        self._key = key
        self._slack = slack_us
        self._expected_hz = max(transform.expected_hz(sensor), 1e-9)
        self._step = max(LEAST_STEP_US, int(STEP_EVENTS / self._expected_hz * 1e6))
        self._held = empty_batch()  # in order, of the time settled or after it
        self._start = start
        self._settled = start
        self._newest = start
        self._stage = None if start is None else transform.begin(sensor, key, start)
        self._ended = False
        #: The labels of what was given last.
        self.labels = np.empty(0, np.uint8)

    def push(self, events: Events) -> Events:
        """The events that are settled now, in order of time."""
        return self._given(list(self._pushed(events, MOST_AT_ONCE)))

    def end(self, stop: int | None = None) -> Events:
        """The rest. The stream ends at ``stop``, unless given with its last event."""
        return self._given(list(self._last(stop, MOST_AT_ONCE)))

    def pieces(self, events: Events) -> Iterator[Events]:
        """The same as `push`, some events at a time: before them there may be hours of noise."""
        for batch in self._pushed(events, MOST_IN_PIECES):
            yield self._given([batch])

    def last_pieces(self, stop: int | None = None) -> Iterator[Events]:
        """The same as `end`, some events at a time."""
        for batch in self._last(stop, MOST_IN_PIECES):
            yield self._given([batch])

    def _pushed(self, events: Events, most: int) -> Iterator[Batch]:
        self._check_open()
        check_events(events)
        batch = in_order(batch_of(events))
        check_inside(batch, self._sensor)
        if not batch.size:
            return
        if self._settled is None:
            self._stage = self._transform.begin(self._sensor, self._key, int(batch.t[0]))
            self._settled = self._newest = int(batch.t[0])
        assert self._newest is not None
        self._check_first(int(batch.t[0]), self._settled, self._newest)
        newest = max(self._newest, int(batch.t[-1]))
        if self._transform.only_chooses and not self._slack:
            self._settled = self._newest = newest
            assert self._stage is not None
            yield self._stage.push(batch, newest, False)[0]
            return
        until = max(self._settled, newest - self._slack)
        self._check_span(until, most)
        self._newest = newest  # not before: a batch that is refused is as if it had not come
        # Stages hold events back: they are not to change when the caller's arrays do.
        held = merged(self._held, batch) if self._held.size else copied(batch)
        cut = int(np.searchsorted(held.t, until))
        self._held = held.at(slice(cut, None))
        yield from self._through(held.at(slice(0, cut)), until, False)

    def _last(self, stop: int | None, most: int) -> Iterator[Batch]:
        self._check_open()
        if self._settled is None or self._newest is None:
            if stop is not None and self._transform.makes_events:
                raise ArgumentError(
                    "no event came, and the stream was not told its start: give stream(start=...)"
                )
            self._ended = True
            return
        last = int(self._held.t[-1]) + 1 if self._held.size else self._newest
        stop = min(last, TIMES[1]) if stop is None else stop
        check_integer("stop", stop, *TIMES)
        if stop < min(last, TIMES[1]):
            raise ArgumentError(
                f"the stream cannot stop at {stop} us, before its last event: say {last} us or more"
            )
        self._check_span(stop, most)
        self._ended = True
        held, self._held = self._held, empty_batch()
        yield from self._through(held, stop, True)

    def _check_open(self) -> None:
        if self._ended:
            raise ArgumentError("this stream has ended: begin another")

    def _check_first(self, first: int, settled: int, newest: int) -> None:
        """Raises ArgumentError where an event comes too late."""
        if self._start is not None and first < self._start:
            raise ArgumentError(
                f"an event at {first} us lies before the start that was given, {self._start} us"
            )
        if first < settled:
            raise ArgumentError(
                f"time steps back to {first} us, and what is before {settled} us has been given: "
                f"sort the events, or allow steps back: slack_us={newest - first} or more"
            )

    def _check_span(self, until: int, most: int) -> None:
        assert self._settled is not None
        length = until - self._settled
        if self._expected_hz * length / 1e6 > most:
            raise ArgumentError(
                f"{length:,} us pass without an event, in which about "
                f"{self._expected_hz * length / 1e6:,.0f} events of noise would be made, "
                f"{most:,} at most: is a time wrong?"
            )

    def _through(self, batch: Batch, until: int, last: bool) -> Iterator[Batch]:
        """Push what is before ``until``; a long time in steps, each with what is made in it."""
        assert self._stage is not None
        assert self._settled is not None
        done = 0
        while self._settled + self._step < until:
            step = self._settled + self._step
            cut = int(np.searchsorted(batch.t, step))
            made, _ = self._stage.push(batch.at(slice(done, cut)), step, False)
            self._settled, done = step, cut
            yield made
        made, _ = self._stage.push(batch.at(slice(done, None)), until, last)
        self._settled = until
        yield made

    def _given(self, parts: list[Batch]) -> Events:
        batch = joined(parts)
        self.labels = batch.label
        return batch.events((self._sensor.width, self._sensor.height))
