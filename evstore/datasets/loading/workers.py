"""Tickets read ahead: in this process, in torch's worker processes, or in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from evstore.datasets.loading.batches import Ticket
from evstore.datasets.loading.reading import Delivered, Reading
from evstore.datasets.loading.sampler import BatchOrder
from evstore.errors import EvstoreError, MissingDependencyError


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
        **options,
    )


def as_it_is(delivered: Delivered) -> Delivered:
    """Workers collate; torch shall not do so again."""
    return delivered


def next_delivered(iterator: Iterator[Delivered]) -> Delivered:
    """The next batch; raises WorkerKilledError where a worker process has ended.

    torch looks at its workers at least every 5 s, and at once where the system tells it.
    """
    try:
        return next(iterator)
    except StopIteration:
        raise RuntimeError("the workers ended before the epoch did") from None
    except RuntimeError as error:
        dead = [
            f"worker {number} (pid {worker.pid}) {_ending(worker.exitcode)}"
            for number, worker in enumerate(getattr(iterator, "_workers", ()))
            if worker.exitcode is not None
        ]
        if not dead:
            raise
        raise WorkerKilledError(
            f"{'; '.join(dead)}. The batches that were handed out are counted: iterate again, or "
            "go on from state_dict(). If memory ran out, use fewer workers or less prefetch_bytes"
        ) from error


def _ending(exit_code: int) -> str:
    return f"was killed by signal {-exit_code}" if exit_code < 0 else f"exited with {exit_code}"


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
