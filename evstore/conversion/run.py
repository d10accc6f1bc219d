"""Many conversions: in this process, or in several that may die without taking the rest along."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.one import Progress, convert_one
from evstore.errors import ArgumentError, EvstoreError

ATTEMPTS = 3


def run(
    jobs: Sequence[Job],
    options: Options,
    n_processes: int = 1,
    on_error: str = "stop",
    on_receipt: Callable[[Receipt], None] | None = None,
    progress: Callable[[Job, int, int], None] | None = None,
) -> list[Receipt]:
    """Convert every job; a failed one is a receipt that says why.

    ``on_error``: "stop" begins no further job after a failure, "skip" goes on. A worker process
    that is killed costs its own job an attempt; after three the job has failed. An interrupt
    removes what was half-made and is raised.
    """
    if on_error not in ("stop", "skip"):
        raise ArgumentError(f"on_error is 'stop' or 'skip', got {on_error!r}")
    if n_processes < 1:
        raise ArgumentError(f"jobs must be 1 or more, got {n_processes}")
    receipts: list[Receipt] = []

    def take(receipt: Receipt) -> bool:
        receipts.append(receipt)
        if on_receipt is not None:
            on_receipt(receipt)
        return receipt.status != "failed" or on_error == "skip"

    if n_processes == 1 or len(jobs) == 1:
        for job in jobs:
            told: Progress | None = None
            if progress is not None:
                told = _for_job(progress, job)
            if not take(attempt(job, options, told)):
                break
    else:
        _run_pool(list(jobs), options, min(n_processes, len(jobs)), take)
    return receipts


def attempt(job: Job, options: Options, progress: Progress | None = None) -> Receipt:
    """convert_one, with an error as a receipt."""
    try:
        return convert_one(job, options, progress)
    except (EvstoreError, OSError) as error:
        notes = " ".join(getattr(error, "__notes__", []))
        text = f"{_say(error, job)}. {notes}" if notes else _say(error, job)
        return Receipt(
            job.source, job.target, "failed", error=text, error_kind=type(error).__name__
        )


def _say(error: Exception, job: Job) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or job.source}: {error.strerror}"
    text = str(error)
    return text if job.source in text or job.target in text else f"{job.source}: {text}"


def _for_job(progress: Callable[[Job, int, int], None], job: Job) -> Progress:
    return lambda done, events: progress(job, done, events)


def _run_pool(
    jobs: list[Job], options: Options, n_processes: int, take: Callable[[Receipt], bool]
) -> None:
    attempts = dict.fromkeys(jobs, 0)
    going_on = True
    while jobs and going_on:
        # spawn: a fork of a process with threads may hang, and numba's are threads
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(n_processes, mp_context=context)
        running: dict[Future[Receipt], Job] = {}
        try:
            while going_on and (jobs or running):
                while jobs and len(running) < n_processes:
                    job = jobs.pop(0)
                    attempts[job] += 1
                    running[pool.submit(attempt, job, options)] = job
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    receipt = future.result()
                    del running[future]
                    going_on = take(receipt) and going_on
            pool.shutdown()
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
            going_on = _after_a_death(running, attempts, jobs, take) and going_on
        except BaseException:
            _interrupt(pool)
            _remove_parts(running.values())
            raise
        for receipt in _rest(running):
            going_on = take(receipt) and going_on


def _rest(running: dict[Future[Receipt], Job]) -> list[Receipt]:
    """Receipts of jobs that ended while the pool was shut down."""
    found = []
    for future in list(running):
        if future.done() and not future.cancelled() and future.exception() is None:
            found.append(future.result())
        del running[future]
    return found


def _after_a_death(
    running: dict[Future[Receipt], Job],
    attempts: dict[Job, int],
    jobs: list[Job],
    take: Callable[[Receipt], bool],
) -> bool:
    """A worker was killed: what ran is tried again, up to ATTEMPTS times each."""
    going_on = True
    for future, job in list(running.items()):
        if future.done() and future.exception() is None:
            continue
        del running[future]
        if attempts[job] < ATTEMPTS:
            jobs.insert(0, job)
            continue
        _remove_parts([job])
        text = f"{job.source}: its worker process died {ATTEMPTS} times (out of memory?)"
        going_on = take(Receipt(job.source, job.target, "failed", error=text, error_kind="Killed"))
    return going_on


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


def _remove_parts(jobs: Any) -> None:
    for job in jobs:
        with contextlib.suppress(OSError):
            os.remove(job.target + ".part")
