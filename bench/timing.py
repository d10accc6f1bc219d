"""Paired runs: A B A B, each pair one ratio, so that what slows the machine slows both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """A median and what it is the median of, at its least and greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1])


def exact(value: float) -> Spread:
    """Of what is the same each time."""
    return Spread(value, value, value)


def seconds(run: Callable[[], Any]) -> float:
    """How long it takes; what it returns is let go of after the clock has stopped."""
    started = time.perf_counter()
    result = run()
    stopped = time.perf_counter()
    del result
    return stopped - started


def nothing() -> None:
    """What is to be done before a round where nothing is."""


def rounds_of(
    rounds: int, *runs: Callable[[], Any], before: Callable[[], Any] = nothing
) -> list[tuple[float, ...]]:
    """The seconds of each run, round by round, after one round that is not counted.

    ``before`` comes before each round, and is not counted either.
    """
    before()
    for run in runs:
        run()
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        found = []
        for _ in range(rounds):
            before()
            found.append(tuple(seconds(run) for run in runs))
        return found
    finally:
        if was_on:
            gc.enable()


def times_faster(rounds: int, ours: Callable[[], Any], theirs: Callable[[], Any]) -> Spread:
    """Their time over ours: above 1 where we are faster."""
    return Spread.of(b / a for a, b in rounds_of(rounds, ours, theirs))


def times_longer(
    rounds: int,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    before: Callable[[], Any] = nothing,
) -> Spread:
    """Our time over theirs: below 1 where we are faster."""
    return Spread.of(a / b for a, b in rounds_of(rounds, ours, theirs, before=before))
