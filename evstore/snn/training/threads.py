"""How a machine's processors are shared between reading and computing."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from evstore.errors import ArgumentError

FEW = 4  # processors below which nobody reads beside the network
MOST_WORKERS = 8


class Shares(NamedTuple):
    """``threads`` to compute with, and `Loader` options of who reads."""

    threads: int
    workers: int
    kind: str


def shares(workers: str = "auto", threads: int = 0, processors: int | None = None) -> Shares:
    """Who reads and who computes, on the processors that this rank may use.

    ``workers``: "0" for none (this process reads between steps, with the threads that it computes
    with), "3" or "processes:3", "threads:3", or "auto": none on less than four processors, else a
    quarter of them, at most eight, as processes. ``threads`` 0: one for each processor that no
    worker has, and one at least. Processors are those that the system lets this process use,
    divided by the ranks that torchrun started on this machine. Raises ArgumentError for other
    texts.

    >>> shares("auto", processors=2)
    Shares(threads=2, workers=0, kind='processes')
    >>> shares("auto", processors=16)
    Shares(threads=12, workers=4, kind='processes')
    >>> shares("threads:2", processors=4)
    Shares(threads=2, workers=2, kind='threads')
    """
    own = own_processors() if processors is None else processors
    if workers == "auto":
        count, kind = (0 if own < FEW else min(MOST_WORKERS, own // 4)), "processes"
    else:
        kind, _, number = workers.rpartition(":")
        kind = kind or "processes"
        if kind not in ("processes", "threads") or not number.isdecimal():
            raise ArgumentError(
                f"data.workers must be auto, a number, processes:N or threads:N, got {workers!r}"
            )
        count = int(number)
    return Shares(threads or max(1, own - count), count, kind)


def own_processors() -> int:
    """Processors that this rank may use."""
    allowed: Any = getattr(os, "sched_getaffinity", None)
    n = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    return max(1, n // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
