"""Parts of a layer's work on as many threads as torch computes with."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import torch

from evstore.snn.openmp import on_torch_threads

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
    """``call`` for each part, on torch's threads; an error once none works any more."""
    if len(parts) == 1:
        return call(parts[0])
    waiting, errors = deque(parts), []

    def work() -> None:
        while True:
            try:
                part = waiting.popleft()
            except IndexError:
                return
            try:
                call(part)
            except BaseException as error:  # Ctrl-C too: it must not be lost in a thread
                errors.append(error)

    if not on_torch_threads(work, len(parts)):
        others = [_pool(os.getpid(), len(parts) - 1).submit(work) for _ in parts[1:]]
        work()
        wait(others)  # they write to arrays that are let go of when this returns
    if errors:
        raise errors[0]
    return None


def _shares(count: int, threads: int) -> Iterator[tuple[int, int]]:
    for k in range(threads):
        yield count * k // threads, count * (k + 1) // threads


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Of one process: a forked one has none of its parent's threads."""
    return ThreadPoolExecutor(threads, "evstore-snn")
