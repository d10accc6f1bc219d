"""Times of repeated work, memory at its peak, and files out of the page cache."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

MIN_ROUNDS = 3
ENOUGH_S = 1.0  # of rounds: what is slow is repeated less often


def rounds_of(
    rounds: int, *runs: Callable[[], Any], enough_s: float = ENOUGH_S
) -> list[tuple[float, ...]]:
    """Seconds of each run, round by round: A B C A B C, so that what slows one slows all.

    A round before them is not counted (caches, compiling). At most ``rounds``, fewer once
    ``enough_s`` are over. What a run returns is let go of after its clock has stopped.
    """
    for run in runs:
        run()
    gc.collect()
    found: list[tuple[float, ...]] = []
    started = time.perf_counter()
    with _no_collecting():
        while len(found) < rounds:
            found.append(tuple(once(run) for run in runs))
            if len(found) >= MIN_ROUNDS and time.perf_counter() - started > enough_s:
                break
    return found


def once(run: Callable[[], Any]) -> float:
    """Seconds of a single run."""
    started = time.perf_counter()
    result = run()
    stopped = time.perf_counter()
    del result
    return stopped - started


@contextmanager
def _no_collecting() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def summary(times: Iterable[float]) -> dict[str, float]:
    """Median, least and most, in seconds.

    >>> summary([3.0, 1.0, 2.0])
    {'median_s': 2.0, 'min_s': 1.0, 'max_s': 3.0}
    """
    found = list(times)
    return {"median_s": median(found), "min_s": min(found), "max_s": max(found)}


def percentile(times: Sequence[float], part: float) -> float:
    """The least time that ``part`` of all times are not above.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.75)
    3.0
    """
    return sorted(times)[max(0, -int(-part * len(times) // 1) - 1)]


@contextmanager
def without_waiting_for_disks() -> Iterator[None]:
    """Nothing waits until bytes are on the disk: most contenders never ask for it."""
    kept = os.fsync
    os.fsync = lambda fd: None
    try:
        yield
    finally:
        os.fsync = kept


def uncached(paths: Iterable[str]) -> bool:
    """Ask the system to drop files from its page cache; whether it can be asked.

    It needs no rights, and is a request only: the system may keep pages all the same.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
    return True


def peak_bytes() -> int | None:
    """The greatest resident size of this process so far; None where that is not known."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


def forget_peak() -> None:
    """Let the peak begin at the size of now, where the system can."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return
