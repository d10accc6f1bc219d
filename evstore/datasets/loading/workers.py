"""Tickets read ahead: in this process, in torch's worker processes, or in threads."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from multiprocessing import get_start_method
from typing import Any

from evstore.datasets.loading.batches import Ticket
from evstore.datasets.loading.reading import Delivered, Reading
from evstore.datasets.loading.sampler import BatchOrder
from evstore.datasets.together import ALONE, Team
from evstore.errors import EvstoreError, MissingDependencyError

#: What is raised where a process is gone that a batch's memory was to be had from; a moment
#: before it is known to be gone.
CUT_OFF = (OSError, EOFError)

ROUND = 0.05  # seconds of reading several batches at a time, without workers
AT_FIRST = 4  # batches of the first one


class WorkerKilledError(EvstoreError, RuntimeError):
    """A worker process ended while batches were still to come from it."""


class Tickets:
    """What torch's DataLoader iterates over: those of the current epoch from a batch on."""

    def __init__(self, order: BatchOrder) -> None:
        self.order = order
        self.first_batch = 0

    def __iter__(self) -> Iterator[Ticket]:
        return self.order.tickets(self.first_batch)

    def __len__(self) -> int:
        return len(self.order)


def torch_loader(reading: Reading, tickets: Tickets, **options: Any) -> Any:
    """torch's DataLoader over tickets: one ticket is one sample to it, that is a batch to us."""
    try:
        from torch import Generator
        from torch.utils.data import DataLoader
    except ImportError:
        raise MissingDependencyError("torch", "train", "Loader") from None
    return DataLoader(
        reading,
        batch_size=None,
        sampler=tickets,
        collate_fn=as_it_is,
        generator=Generator(),  # what workers' seeds are drawn from, else that of the model
        worker_init_fn=partial(begin_worker, _parent(options.get("multiprocessing_context"))),
        **options,
    )


def _parent(context: Any) -> int | None:
    """What `os.getppid` says in a worker as long as this process lives; None if that is unknown."""
    method = getattr(context, "get_start_method", lambda: context)()
    return None if (method or get_start_method()) == "forkserver" else os.getpid()


def begin_worker(parent: int | None, number: int) -> None:
    """What a worker does first: it leaves Ctrl-C, which reaches all of a terminal, to its parent.

    And it ends if the process that started it is gone already, killed perhaps: torch would take
    whoever has adopted the worker for that process, and watch it for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def as_it_is(delivered: Delivered) -> Delivered:
    """Workers collate; torch shall not do so again."""
    return delivered


def next_delivered(iterator: Iterator[Delivered]) -> Delivered:
    """The next batch; raises WorkerKilledError where a worker process has ended."""
    try:
        try:
            watch_workers(iterator, True)
            check_workers(iterator)
            return next(iterator)
        finally:
            watch_workers(iterator, False)
    except StopIteration:
        raise RuntimeError("the workers ended before the epoch did") from None
    except WorkerKilledError:
        raise
    except Exception as error:
        watch_workers(iterator, False)  # where the signal came just before it was
        check_workers(iterator, error, patience_s=0.5 if isinstance(error, CUT_OFF) else 0)
        raise


def check_workers(
    iterator: Iterator[Delivered], error: Exception | None = None, patience_s: float = 0
) -> None:
    """Raises WorkerKilledError, because of ``error``, where a worker process has ended."""
    dead = dead_workers(iterator, patience_s)
    if dead:
        raise WorkerKilledError(
            f"{'; '.join(dead)}. The batches that were handed out are counted: iterate again, or "
            "go on from state_dict(). If memory ran out, use fewer workers or less prefetch_bytes"
        ) from error


def watch_workers(iterator: Iterator[Delivered], watched: bool) -> None:
    """Let torch raise out of a signal's handler where a worker ends, or not.

    It must while a batch is waited for, which could be half a batch for ever. It would do so
    anywhere else too, in the midst of a training step, and again whenever any other process
    ends, as long as an error's traceback keeps the iterator: so not there.
    """
    if getattr(iterator, "_worker_pids_set", watched) == watched:
        return  # as it is already; or there are no processes
    from torch.utils.data._utils import signal_handling

    if watched:
        signal_handling._set_worker_pids(id(iterator), worker_pids(iterator))
    else:
        signal_handling._remove_worker_pids(id(iterator))
    iterator._worker_pids_set = watched  # type: ignore[attr-defined]


def worker_pids(iterator: Iterator[Delivered]) -> tuple[int, ...]:
    """The processes that read for this iterator."""
    return tuple(worker.pid for worker in getattr(iterator, "_workers", []))


def dead_workers(iterator: Iterator[Delivered], patience_s: float = 0) -> list[str]:
    """Number, process and end of each of torch's workers that has ended, or soon does."""
    workers = getattr(iterator, "_workers", [])
    deadline = time.monotonic() + patience_s
    while workers and time.monotonic() < deadline:
        if any(worker.exitcode is not None for worker in workers):
            break
        time.sleep(0.01)
    return [
        f"worker {number} (pid {worker.pid}) {_ending(worker.exitcode)}"
        for number, worker in enumerate(workers)
        if worker.exitcode is not None
    ]


def _ending(exit_code: int) -> str:
    return f"was killed by signal {-exit_code}" if exit_code < 0 else f"exited with {exit_code}"


def end_workers(iterator: Iterator[Delivered]) -> None:
    """End what reads for this iterator now, not once it is collected: a traceback may keep it."""
    end = getattr(iterator, "close", None) or getattr(iterator, "_shutdown_workers", None)
    if end is not None:
        with contextlib.suppress(RuntimeError):  # of a watched worker; torch ends all the same
            end()


def read_here(
    reading: Reading, tickets: Iterable[Ticket], at_once: int, n_threads: int
) -> Iterator[Delivered]:
    """Batches in the order of their tickets, read in this process, a few at a time.

    While the training loop waits, its threads have nothing else to do. As many are read as take
    the time of a ROUND, ``at_once`` at most: the loop is not to wait for more than that.
    """
    todo, n = iter(tickets), min(AT_FIRST, at_once)
    with ThreadPoolExecutor(n_threads, "evstore-loader") as pool:
        team = Team(n_threads, partial(_each, pool), threading.Lock())
        while some := list(islice(todo, n)):
            began = time.monotonic()
            delivered = reading.several(some, team if n_threads > 1 else ALONE)
            first = next(delivered)
            took = time.monotonic() - began
            yield first
            yield from delivered
            if took > ROUND:
                n = max(1, n // 2)
            elif took < ROUND / 4:
                n = min(4 * n, at_once)


def _each(pool: ThreadPoolExecutor, step: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """What a `Team` does; what is not begun when one fails is left."""
    done = [pool.submit(step, item) for item in items]
    try:
        wait(done, return_when=FIRST_EXCEPTION)
    finally:
        for one in done:
            one.cancel()
        wait(done)  # whatever comes next, nobody writes to the arrays any more
    return [one.result() for one in done]


def torch_threads() -> int:
    """With how many threads torch computes in this process: `torchrun` leaves each rank its own."""
    try:
        from torch import get_num_threads
    except ImportError:  # of a collate function that needs none
        return 1
    return int(get_num_threads())


def read_in_threads(
    reading: Reading, tickets: Iterable[Ticket], n_threads: int, n_ahead: int
) -> Iterator[Delivered]:
    """Batches in the order of their tickets, at most ``n_ahead`` of them read or being read."""
    waiting: deque[Future[Delivered]] = deque()
    todo = iter(tickets)
    pool = ThreadPoolExecutor(n_threads, "evstore-loader")
    try:
        while True:
            while len(waiting) < n_ahead and (ticket := next(todo, None)) is not None:
                waiting.append(pool.submit(reading.__getitem__, ticket))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
