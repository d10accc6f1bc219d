"""Events of a source merged into a stream."""

from __future__ import annotations

from typing import Protocol

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch, merged

MOST_EVENTS = 1 << 31  # that are made at once


class Source(Protocol):
    """Makes events without end, in order of time."""

    def until(self, stop: int) -> Batch:
        """Those before ``stop`` that were not given yet."""


class Adding:
    """A stage that adds what a source of so many events a second makes."""

    def __init__(self, source: Source, start: int, expected_hz: float, name: str) -> None:
        self._source = source
        self._settled = start
        self._expected_hz = expected_hz
        self._name = name

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        """Events of the stream come before those of the source at equal times."""
        expected = self._expected_hz * max(until - self._settled, 0) / 1e6
        if expected > MOST_EVENTS:
            raise ArgumentError(
                f"{self._name} would add {expected:,.0f} events to {until - self._settled:,} us, "
                f"{MOST_EVENTS:,} at most: is a time wrong? Else lower its rate"
            )
        made = self._source.until(until)
        self._settled = max(until, self._settled)
        return merged(batch, made), until
