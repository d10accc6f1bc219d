"""Times of repeated work, and how they are summed up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

MIN_REPEATS, MAX_REPEATS = 3, 9
ENOUGH_S = 0.4  # of repeats: what is slow is repeated less often


def seconds(work: Callable[[], Any], enough_s: float = ENOUGH_S) -> list[float]:
    """How long each of several runs takes; one before them is not counted (caches, compiling)."""
    work()
    found: list[float] = []
    while len(found) < MIN_REPEATS or (sum(found) < enough_s and len(found) < MAX_REPEATS):
        found.append(once(work)[0])
    return found


def once(work: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, result) of a single run."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def summary(times: Sequence[float]) -> dict[str, float]:
    """Median, least and most, in seconds."""
    return {"median_s": median(times), "min_s": min(times), "max_s": max(times)}
