"""Events of sources merged into a stream: of several in a row all at once."""

from __future__ import annotations

from typing import Protocol

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch, Stage, all_merged, in_order

MOST_EVENTS = 1 << 31  # that are made at once
MOST_HELD = 1 << 27  # that are known before they are due


class Source(Protocol):
    """Makes events without end, in order of time."""

    def until(self, stop: int) -> Batch:
        """Those before ``stop`` that were not given yet."""


class Adder:
    """A stage that only adds events, whatever comes."""

    def made(self, until: int, last: bool) -> list[Batch]:
        """Those before ``until`` that were not given yet: batches that are merged in that order."""
        raise NotImplementedError

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        """Events of the stream come before those that are added at equal times."""
        # Merging reads beyond what is not in order, as a stage of somebody else may leave it.
        return all_merged([in_order(batch), *self.made(until, last)]), until


class Together(Adder):
    """Several in a row as one: what comes is moved once, not by each of them."""

    def __init__(self, adders: list[Adder]) -> None:
        self._adders = adders

    def made(self, until: int, last: bool) -> list[Batch]:
        """What each of them makes."""
        return [batch for adder in self._adders for batch in adder.made(until, last)]


def together(stages: list[Stage]) -> list[Stage]:
    """The same stages, those as one that follow each other and only add."""
    found: list[Stage] = []
    for stage in stages:
        if found and isinstance(found[-1], Adder) and isinstance(stage, Adder):
            found[-1] = Together([found[-1], stage])
        else:
            found.append(stage)
    return found


class Adding(Adder):
    """A stage that adds what a source of so many events a second makes."""

    def __init__(self, source: Source, start: int, expected_hz: float, name: str) -> None:
        self._source = source
        self._settled = start
        self._expected_hz = expected_hz
        self._name = name

    def made(self, until: int, last: bool) -> list[Batch]:
        """What the source makes; raises ArgumentError where that would be very much."""
        expected = self._expected_hz * max(until - self._settled, 0) / 1e6
        if expected > MOST_EVENTS:
            raise ArgumentError(
                f"{self._name} would add {expected:,.0f} events to {until - self._settled:,} us, "
                f"{MOST_EVENTS:,} at most: is a time wrong? Else lower its rate"
            )
        made = self._source.until(until)
        self._settled = max(until, self._settled)
        return [made]


def check_held(held: float, instead: str) -> None:
    """Raises ArgumentError where a source knows that many events before they are due."""
    if held > MOST_HELD:
        raise ArgumentError(
            f"{held:,.0f} events would be held until they are due, {MOST_HELD:,} at most: {instead}"
        )
