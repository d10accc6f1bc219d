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
from typing import Any

from evstore.conversion.attempt import attempt
from evstore.conversion.job import Job, Options, Receipt

ATTEMPTS = 3


def run_pool(
    jobs: Sequence[Job], options: Options, n_processes: int, take: Callable[[Receipt], bool]
) -> None:
    """Convert in ``n_processes``; ``take`` gets each receipt, and says whether to begin more.

    Where a worker dies, every job that was running may be the cause: each is tried again alone,
    so that only one that kills its worker ATTEMPTS times has failed.
    """
    todo, suspects = deque(jobs), deque[Job]()
    deaths = dict.fromkeys(jobs, 0)
    going_on = True
    while going_on and (todo or suspects):
        if suspects:
            killed, going_on = _drain(deque([suspects.popleft()]), options, 1, take)
        else:
            killed, going_on = _drain(todo, options, n_processes, take)
        _remove_parts(killed)
        for job in killed:
            deaths[job] += 1
            if deaths[job] < ATTEMPTS:
                suspects.append(job)
            else:
                going_on = take(_killed(job)) and going_on


def _drain(
    jobs: deque[Job], options: Options, n_processes: int, take: Callable[[Receipt], bool]
) -> tuple[list[Job], bool]:
    """Convert until nothing is left, ``take`` says stop or a worker dies.

    Returns the jobs that ran when one died, and what ``take`` said.
    """
    # spawn: a fork of a process with threads may hang, and numba's are threads
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_processes, context, _start_worker)
    running: dict[Future[Receipt], Job] = {}
    killed: list[Job] = []
    going_on = True
    try:
        while not killed:
            while going_on and jobs and len(running) < n_processes:
                with _interrupts_held():
                    running[pool.submit(_work, jobs[0], options)] = jobs[0]
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


def _work(job: Job, options: Options) -> Receipt:
    """attempt, in a worker: the first interrupt ends it, and no other disturbs its cleaning up."""
    signal.signal(signal.SIGINT, _interrupted)
    try:
        return attempt(job, options)
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


def _killed(job: Job) -> Receipt:
    text = f"{job.source}: its worker process died {ATTEMPTS} times (out of memory?)"
    return Receipt(job.source, job.target, "failed", error=text, error_kind="Killed")


def _remove_parts(jobs: Iterable[Job]) -> None:
    for job in jobs:
        with contextlib.suppress(OSError):
            os.remove(job.target + ".part")
