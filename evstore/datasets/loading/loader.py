"""Batches for a training loop, in an order that can be taken up again anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from evstore.datasets.loading.blocks import Mapped
from evstore.datasets.loading.collate import pad_collate
from evstore.datasets.loading.order import worker_seed
from evstore.datasets.loading.prefetch import Prefetch, largest_batch, plan_prefetch
from evstore.datasets.loading.reading import Delivered, Reading, Skipped, sample_id
from evstore.datasets.loading.sampler import BatchOrder
from evstore.datasets.loading.workers import (
    Tickets,
    check_workers,
    dead_workers,
    end_workers,
    next_delivered,
    read_here,
    read_in_threads,
    torch_loader,
    torch_threads,
    watch_workers,
    worker_pids,
)
from evstore.errors import ArgumentError

PREFETCH_BYTES = 256 << 20


class Handed(NamedTuple):
    """What the batch in the training loop's hands is made of, in the order of its samples.

    ``numbers`` and ``ids``: its samples, those in place of skipped ones included. ``repeated``:
    for each, whether it only fills up the last batch of an epoch (``pad=True``).
    """

    epoch: int
    batch: int
    numbers: list[int]
    ids: list[str]
    repeated: list[bool]


class Loader:
    """Batches of a map-style dataset, for one rank of any number, read by any number of workers.

    Iterating gives the batches of the current epoch that are not done, then moves on to the next
    epoch. A batch counts as done once it is handed out, never when it is merely read ahead: a
    state saved at the end of the loop's body, after the optimiser's step, goes on with the batch
    after it. Leaving the loop and iterating again goes on likewise; `seek` goes elsewhere. The
    state fits any number of ranks and workers.

    ``dataset``: ``len`` and ``[i]`` -> (data, target); ``__getitems__``, ``ids``, ``labels``,
    ``shard_numbers`` and ``sample_bytes`` are used where there are. `BatchOrder` has the options
    of the order; ``rank`` and ``world`` are those of torch.distributed, or of the environment,
    unless given.

    ``num_workers`` processes (``workers="threads"``: threads, which copy nothing, for a dataset
    that may be read by several) read ``prefetch_factor`` batches each ahead: fewer where that is
    more than ``prefetch_bytes``; `prefetch` says what became of it. Without workers this process
    reads, frames with as many threads as torch computes with. ``collate`` makes a batch of a list
    of samples; it must pickle unless workers are forked. Further options are those of torch's
    DataLoader, and do nothing where there are no workers, but for ``pin_memory``. The memory of a
    batch is used again once nothing holds any part of it. Workers start with random generators (of
    Python, numpy and torch) seeded by the seed, the place in the epoch and the rank; those of this
    process are left alone. Transforms of `evstore.noise`, a dataset's ``noise`` or wherever else it
    calls them, make the noise of the epoch that is read.

    ``on_error="raise"``: an error names the sample. ``"skip"``: where one cannot be read
    (FormatError, OSError), another is, drawn by the seed, epoch and position alone; `skipped`
    names it. A worker process that dies raises WorkerKilledError.

    >>> samples = [(np.full((1, 2), i, np.int16), i) for i in range(10)]
    >>> loader = Loader(samples, batch_size=4, seed=1)
    >>> [batch.targets.tolist() for batch in loader], loader.epoch
    ([[3, 5, 2, 9], [7, 0, 8, 6]], 1)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        *,
        global_batch: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
        window: int = 16,
        balanced: bool = False,
        pad: bool = False,
        rank: int | None = None,
        world: int | None = None,
        num_workers: int = 0,
        workers: Literal["processes", "threads"] = "processes",
        prefetch_factor: int = 2,
        prefetch_bytes: int = PREFETCH_BYTES,
        collate: Callable[[list[Any]], Any] = pad_collate,
        on_error: Literal["raise", "skip"] = "raise",
        multiprocessing_context: Any = None,
        persistent_workers: bool = False,
        pin_memory: bool = False,
        timeout: float = 0,
    ) -> None:
        self._order = BatchOrder(
            dataset,
            batch_size,
            global_batch=global_batch,
            seed=seed,
            shuffle=shuffle,
            window=window,
            balanced=balanced,
            pad=pad,
            rank=rank,
            world=world,
        )
        _check(num_workers, workers, prefetch_factor, prefetch_bytes, on_error, pin_memory, timeout)
        self.dataset = dataset
        self.batches_done = 0
        #: What could not be read on this rank, in the order in which it was wanted.
        self.skipped: list[Skipped] = []
        #: What the last batch that was handed out is made of.
        self.current: Handed | None = None
        #: How many batches are read ahead, and why; settled when iterating begins.
        self.prefetch = Prefetch(
            num_workers, prefetch_factor, prefetch_bytes, None, num_workers, prefetch_factor
        )
        self._reading = Reading(dataset, collate, on_error == "skip")
        self._persistent = persistent_workers and num_workers > 0 and workers == "processes"
        self._threads = workers == "threads"
        self._options = {"pin_memory": pin_memory, "timeout": timeout if num_workers else 0}
        if num_workers:
            self._options["multiprocessing_context"] = multiprocessing_context
            self._options["persistent_workers"] = persistent_workers
        self._tickets = Tickets(self._order)
        self._torch_loader: Any = None
        self._kept: Iterator[Delivered] | None = None  # of workers that stay from epoch to epoch
        self._run = 0  # only the iteration that began last may go on

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self._order)

    @property
    def left_out(self) -> int:
        """Samples of an epoch that are in no batch, on any rank: 0 with ``pad``."""
        return max(0, len(self.dataset) - len(self) * self._order.global_batch)

    @property
    def epoch(self) -> int:
        """The epoch whose batches iterating gives, from 0."""
        return self._order.epoch

    def __iter__(self) -> Iterator[Any]:
        self._run += 1
        return self._iterate(self._run)

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands, all batches that were handed out being done."""
        return self._order.state_after(self.batches_done)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where that run stood, with its seed; an iteration that runs must begin anew.

        Raises ArgumentError where samples, global batch or options of the order are others.
        """
        self._order.load_state_dict(state)
        self.seek(self._order.epoch, self._order.first_batch)

    def seek(self, epoch: int, batches_done: int = 0) -> None:
        """Go to a place in an epoch; the end of one is the start of the next."""
        if not 0 <= batches_done <= len(self):
            raise ArgumentError(f"batches_done must lie in 0..{len(self)}, got {batches_done}")
        if batches_done == len(self):
            epoch, batches_done = epoch + 1, 0
        self._order.set_epoch(epoch)
        self.batches_done = batches_done
        self._run += 1

    def _iterate(self, run: int) -> Iterator[Any]:
        if self.batches_done == len(self):  # left at the last batch of an epoch
            self.seek(self.epoch + 1)
            run = self._run
        delivered = self._begin()
        try:
            while self.batches_done < len(self):
                self._check_run(run)
                yield self._take(self._next(delivered))
            self._check_run(run)
        finally:
            if not self._persistent or dead_workers(delivered):
                self._end(delivered)
        self.seek(self.epoch + 1)

    def _next(self, delivered: Iterator[Delivered]) -> Delivered:
        try:
            return next_delivered(delivered)
        except BaseException:
            # Now, and workers that were to stay too: the traceback would keep them, and where they
            # are collected with it, torch has lost its queues, and waits seconds for each worker.
            self._end(delivered)
            raise

    def _end(self, delivered: Iterator[Delivered]) -> None:
        end_workers(delivered)
        if self._reading.blocks is not None:
            self._reading.blocks.forget(worker_pids(delivered))
        self._torch_loader = self._kept = None

    def _check_run(self, run: int) -> None:
        if run != self._run:
            raise ArgumentError(
                "this iteration is over: another began, or the loader was set to another place"
            )

    def _take(self, delivered: Delivered) -> Any:
        """Count a batch as handed out."""
        size = len(delivered.numbers)
        names = getattr(self.dataset, "ids", None)
        expected = self.batches_done * self._order.global_batch + self._order.rank * size
        if delivered.position != expected:
            raise RuntimeError(
                f"batch at position {delivered.position} came where {expected} was due"
            )
        self.current = Handed(
            self.epoch,
            self.batches_done,
            delivered.numbers,
            [sample_id(names, number) for number in delivered.numbers],
            [expected + i >= self._order.n_samples for i in range(size)],
        )
        self.skipped += delivered.skipped
        self.batches_done += 1
        return delivered.batch

    def _begin(self) -> Iterator[Delivered]:
        self._plan()
        order = self._order
        if self._threads and self.prefetch.workers:
            ahead = self.prefetch.workers * self.prefetch.factor
            tickets = order.tickets(self.batches_done)
            return read_in_threads(self._reading, tickets, self.prefetch.workers, ahead)
        if not self.prefetch.workers and not self._options["pin_memory"]:
            # What torch's loader does around each batch takes as long as reading a short recording.
            tickets = order.tickets(self.batches_done)
            return read_here(self._reading, tickets, self.prefetch.at_once, torch_threads())
        if self._kept is not None and dead_workers(self._kept):  # since it was last used
            kept = self._kept
            self._end(kept)
            check_workers(kept)
        if self._torch_loader is None:
            options = dict(self._options)
            if self.prefetch.workers:
                options["prefetch_factor"] = self.prefetch.factor
                # those ahead, the one that the loop has, and the one before, if not gone yet
                self._reading.blocks = Mapped(self.prefetch.factor + 2)
            self._torch_loader = torch_loader(
                self._reading,
                self._tickets,
                num_workers=self.prefetch.workers,
                **options,
            )
        self._tickets.first_batch = self.batches_done
        place = (self.epoch, self.batches_done, order.rank)
        self._torch_loader.generator.manual_seed(worker_seed(order.seed, *place))
        delivered: Iterator[Delivered] = iter(self._torch_loader)
        watch_workers(delivered, False)
        self._kept = delivered if self._persistent else None
        return delivered

    def _plan(self) -> None:
        """Read no more ahead than fits, in this epoch and in those before."""
        order, asked = self._order, self.prefetch
        sizes = getattr(self.dataset, "sample_bytes", None)
        sizes = None if sizes is None else np.asarray(sizes)
        largest = largest_batch(sizes, order.order(), order.global_batch, order.own, order.pad)
        if largest is not None:
            largest = max(largest, asked.batch_bytes or 0)
        plan = plan_prefetch(largest, asked.asked_workers, asked.asked_factor, asked.limit_bytes)
        if (plan.workers, plan.factor) != (asked.workers, asked.factor):
            if self._kept is not None:
                self._end(self._kept)
            self._torch_loader = None
        self.prefetch = plan


def _check(
    num_workers: int,
    workers: str,
    prefetch_factor: int,
    prefetch_bytes: int,
    on_error: str,
    pin_memory: bool,
    timeout: float,
) -> None:
    for name, value, least in (
        ("num_workers", num_workers, 0),
        ("prefetch_factor", prefetch_factor, 1),
        ("prefetch_bytes", prefetch_bytes, 1),
    ):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ArgumentError(f"{name} must be an integer of at least {least}, got {value!r}")
    for name, said, known in (
        ("workers", workers, ("processes", "threads")),
        ("on_error", on_error, ("raise", "skip")),
    ):
        if said not in known:
            raise ArgumentError(f"{name} must be {known[0]!r} or {known[1]!r}, got {said!r}")
    if workers == "threads" and (pin_memory or timeout):
        raise ArgumentError(
            "pin_memory and timeout are for processes, not for workers='threads': pin the batch "
            "yourself"
        )
