"""Conversions in several processes, any of which may die without taking the rest along."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from evstore.interrupts import lost_interrupts_come_again

ATTEMPTS = 3


class Targeted(Protocol):
    """Work that makes one file, at ``target.part`` until it is whole."""

    @property
    def target(self) -> str:
        """The file."""


J = TypeVar("J", bound=Targeted)
R = TypeVar("R")


def run_pool(
    jobs: Sequence[J],
    work: Callable[[J], R],
    killed_by: Callable[[J, str], R],
    n_processes: int,
    take: Callable[[R], bool],
) -> None:
    """Work in ``n_processes``; ``take`` gets each receipt, and says whether to begin more.

    ``work`` is pickled, and turns every error into a receipt. Where a worker dies, every job
    that was running may be the cause: each is tried again alone, so that only one that kills its
    worker ATTEMPTS times has failed: ``killed_by`` makes its receipt of what is to be said.
    """
    todo, suspects = deque(enumerate(jobs)), deque[tuple[int, J]]()
    deaths = [0] * len(jobs)
    going_on = True
    while going_on and (todo or suspects):
        if suspects:
            killed, going_on = _drain(deque([suspects.popleft()]), work, 1, take)
        else:
            killed, going_on = _drain(todo, work, n_processes, take)
        _remove_parts(killed)
        for number, job in killed:
            deaths[number] += 1
            if deaths[number] < ATTEMPTS:
                suspects.append((number, job))
            else:
                text = f"its worker process died {ATTEMPTS} times (out of memory?)"
                going_on = take(killed_by(job, text)) and going_on


def _drain(
    jobs: deque[tuple[int, J]],
    work: Callable[[J], R],
    n_processes: int,
    take: Callable[[R], bool],
) -> tuple[list[tuple[int, J]], bool]:
    """Work until nothing is left, ``take`` says stop or a worker dies.

    Returns the jobs that ran when one died, and what ``take`` said.
    """
    # spawn: a fork of a process with threads may hang, and numba's are threads
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_processes, context, _start_worker)
    running: dict[Future[R], tuple[int, J]] = {}
    killed: list[tuple[int, J]] = []
    going_on = True
    try:
        while not killed:
            while going_on and jobs and len(running) < n_processes:
                with _interrupts_held():
                    running[pool.submit(_work, work, jobs[0][1])] = jobs[0]
                jobs.popleft()
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                if isinstance(future.exception(), BrokenProcessPool):
                    killed.append(running.pop(future))
                    continue
                job = running[future]
                going_on = take(future.result()) and going_on
                del running[future], job
    except BrokenProcessPool:  # of submit: that job has not begun
        pass
    except BaseException:
        _interrupt(pool)
        _remove_parts(running.values())
        raise
    pool.shutdown()  # ends the other workers of a broken pool, too
    for future, job in running.items():
        if isinstance(future.exception(), BrokenProcessPool):
            killed.append(job)
        else:
            going_on = take(future.result()) and going_on
    return killed, going_on


def _start_worker() -> None:
    """A worker that waits leaves an interrupt to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    lost_interrupts_come_again(_interrupted)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process started here is not interrupted until it is ready for that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(work: Callable[[J], R], job: J) -> R:
    """Work, in a worker: the first interrupt ends it, and no other disturbs its cleaning up."""
    signal.signal(signal.SIGINT, _interrupted)
    try:
        return work(job)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupted(*_: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _interrupt(pool: ProcessPoolExecutor) -> None:
    """Have the workers clean up, as an interrupt from the keyboard would."""
    processes: dict[int, Any] = dict(getattr(pool, "_processes", None) or {})
    for pid in processes:
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                processes[pid].terminate()
            else:
                os.kill(pid, signal.SIGINT)
    pool.shutdown(wait=True, cancel_futures=True)


def _remove_parts(jobs: Iterable[tuple[int, Targeted]]) -> None:
    for _, job in jobs:
        with contextlib.suppress(OSError):
            os.remove(job.target + ".part")
