"""Many conversions, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from evstore.conversion.attempt import attempt
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.pool import run_pool
from evstore.conversion.teller import Progress
from evstore.errors import ArgumentError
from evstore.recording.stream import is_pipe


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

    # A worker process has no standard input of its own.
    if n_processes == 1 or len(jobs) == 1 or any(is_pipe(job.source) for job in jobs):
        for job in jobs:
            told: Progress | None = None
            if progress is not None:
                told = _for_job(progress, job)
            if not take(attempt(job, options, told)):
                break
    else:
        work = partial(attempt, options=options)
        run_pool(jobs, work, _killed, min(n_processes, len(jobs)), take)
    return receipts


def _for_job(progress: Callable[[Job, int, int], None], job: Job) -> Progress:
    return lambda done, events: progress(job, done, events)


def _killed(job: Job, why: str) -> Receipt:
    error = f"{job.source}: {why}"
    return Receipt(job.source, job.target, "failed", error=error, error_kind="Killed")
