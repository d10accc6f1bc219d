"""Parts of a layer's work on as many threads as torch computes with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

import torch

ENOUGH = 1 << 16  # values for a thread: of fewer, handing over takes longer than computing

Part = tuple[int, int, int, int]  # samples from and to, neurons from and to


def parts_of(batch: int, steps: int, neurons: int) -> list[Part]:
    """Samples, or where there are few of them neurons, divided among threads.

    >>> parts_of(8, 1, 10)
    [(0, 8, 0, 10)]
    """
    threads = min(torch.get_num_threads(), batch * steps * neurons // ENOUGH) or 1
    if batch >= threads:
        return [(a, b, 0, neurons) for a, b in _shares(batch, threads)]
    return [(0, batch, a, b) for a, b in _shares(neurons, threads)]


def on_threads(call: Callable[[Part], None], parts: list[Part]) -> None:
    """``call`` for each part, the first in this thread; an error once none works any more."""
    if len(parts) == 1:
        return call(parts[0])
    waiting: list[Future[None]] = [
        _pool(os.getpid(), len(parts) - 1).submit(call, part) for part in parts[1:]
    ]
    try:
        call(parts[0])
    finally:
        wait(waiting)  # they write to arrays that are let go of when this returns
    for one in waiting:
        one.result()
    return None


def _shares(count: int, threads: int) -> Iterator[tuple[int, int]]:
    for k in range(threads):
        yield count * k // threads, count * (k + 1) // threads


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Of one process: a forked one has none of its parent's threads."""
    return ThreadPoolExecutor(threads, "evstore-snn")
