"""The batches of each epoch for one rank: ``batch_sampler=`` of torch's DataLoader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from evstore.datasets.identity import ids_digest
from evstore.datasets.loading.batches import Ticket, n_batches, positions, share
from evstore.datasets.loading.order import check_order, epoch_order
from evstore.datasets.loading.ranks import rank_and_world
from evstore.datasets.loading.state import make_state, read_state
from evstore.errors import ArgumentError


class BatchOrder:
    """Which samples this rank reads, batch by batch, in any epoch.

    Iterating yields lists of sample numbers: those of the current epoch that are not done.
    ``batch_size`` is a rank's, ``global_batch`` that of all ranks together: give one. The order
    is that of `evstore.datasets.loading.order.epoch_order`; ``dataset`` has a length and, where
    there are, ``shard_numbers`` and (for ``balanced=True``) ``labels``. A state goes on with the
    same samples only: those of the same ``samples_digest``, or else of the same ``ids``.

    What is left over of an epoch, less than a global batch, is dropped: other samples each time,
    since the order is another. With ``shuffle=False`` it is the same each time, always the
    last ones: who asks for that order means just that. ``pad=True`` drops none, and fills
    the last batch with the first samples of the epoch.

    Call `set_epoch` before each epoch, as with torch's DistributedSampler. DataLoader asks for
    batches ahead of the training loop, so only the loop knows how many are done: it tells
    `state_after`.

    >>> order = BatchOrder(range(10), global_batch=4, shuffle=False, rank=1, world=2)
    >>> list(order)
    [[2, 3], [6, 7]]
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
    ) -> None:
        self.rank, self.world = rank_and_world(rank, world)
        self.global_batch = _of_all_ranks(batch_size, global_batch, self.world)
        self.n_samples = len(dataset)
        check_order(self.n_samples, seed, 0, window)
        self.own = share(self.global_batch, self.rank, self.world)
        self.seed, self.shuffle, self.window = int(seed), bool(shuffle), int(window)
        self.balanced, self.pad = bool(balanced), bool(pad)
        if len(self) == 0:
            raise ArgumentError(
                f"{self.n_samples} samples are less than one global batch of {self.global_batch}: "
                "use a smaller one, or pad=True"
            )
        if balanced and not shuffle:
            raise ArgumentError("balanced samples are drawn: they need shuffle=True")
        shards = getattr(dataset, "shard_numbers", None)
        self._shards = np.asarray(shards) if shards is not None and shuffle else None
        self._labels = labels_of(dataset) if balanced else None
        self._fixed = {
            "global_batch": self.global_batch,
            "n_samples": self.n_samples,
            "shuffle": self.shuffle,
            "window": self.window,
            "balanced": self.balanced,
            "pad": self.pad,
            "samples": self._samples_digest(dataset),
        }
        self.epoch = 0
        #: Batches of the epoch that were done when it was taken up: where iterating begins.
        self.first_batch = 0
        self._kept: tuple[tuple[int, int], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return n_batches(self.n_samples, self.global_batch, self.pad)

    def __iter__(self) -> Iterator[list[int]]:
        first, self.first_batch = self.first_batch, 0
        for ticket in self.tickets(first):
            yield ticket.numbers.tolist()

    def order(self) -> NDArray[np.int64]:
        """All sample numbers of the current epoch, over all ranks, those left over included."""
        key = (self.seed, self.epoch)
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # before the next one is made: one at a time in memory
            made = epoch_order(
                self.n_samples,
                self.seed,
                self.epoch,
                shuffle=self.shuffle,
                shards=self._shards,
                window=self.window,
                labels=self._labels,
            )
            self._kept = key, made
        return self._kept[1]

    def tickets(self, first_batch: int) -> Iterator[Ticket]:
        """The current epoch's batches from that one on, with what names their samples."""
        order, seed, epoch, n = self.order(), self.seed, self.epoch, self.n_samples
        for batch in range(first_batch, len(self)):
            where = positions(n, batch, self.global_batch, self.own)
            repeats = int(np.count_nonzero(where >= n))
            yield Ticket(seed, epoch, int(where[0]), order[where % n], repeats)

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of that epoch; if it is the current one, nothing changes."""
        check_order(self.n_samples, self.seed, epoch, self.window)
        if epoch != self.epoch:
            self.epoch, self.first_batch = int(epoch), 0

    def state_after(self, batches_done: int) -> dict[str, Any]:
        """Where a run stands whose training loop has done so many batches of the current epoch.

        All of the epoch's count, also those done before a state was loaded.
        """
        if not 0 <= batches_done <= len(self):
            raise ArgumentError(f"batches_done must lie in 0..{len(self)}, got {batches_done}")
        return make_state(self._fixed, self.seed, self.epoch, int(batches_done))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where that run stood, with its seed; on any number of ranks and workers.

        Raises ArgumentError where samples, global batch or options of the order are others.
        """
        self.seed, self.epoch, self.first_batch = read_state(state, self._fixed, len(self))

    def _samples_digest(self, dataset: Any) -> str:
        """Of which samples they are, as far as the dataset says, and of what their order needs."""
        which = getattr(dataset, "samples_digest", None)
        if which is None:
            ids = getattr(dataset, "ids", None)
            which = "" if ids is None else ids_digest(ids)
        digest = xxhash.xxh3_64(str(which).encode())
        for numbers in (self._shards, self._labels):
            if numbers is not None:
                digest.update(np.ascontiguousarray(numbers, "<i8").data)
            digest.update(b"|")
        return digest.hexdigest()


def _of_all_ranks(batch_size: int | None, global_batch: int | None, world: int) -> int:
    if batch_size is not None and global_batch is None:
        return batch_size * world
    if global_batch is not None and batch_size is None:
        return global_batch
    raise ArgumentError(
        f"give batch_size (a rank's) or global_batch (of all ranks), one of both; "
        f"got {batch_size=}, {global_batch=}"
    )


def labels_of(dataset: Any) -> NDArray[Any]:
    """One integer a sample: ``labels``, or ``targets`` as tonic's datasets have them.

    Raises ArgumentError where there are none.
    """
    labels = getattr(dataset, "labels", None)
    labels = getattr(dataset, "targets", None) if labels is None else labels
    array = np.asarray([] if labels is None else labels)
    if array.shape != (len(dataset),) or array.dtype.kind not in "iu":
        raise ArgumentError(
            "balanced=True needs the dataset's labels: one integer a sample; got "
            + ("none" if labels is None else f"{array.dtype} of shape {array.shape}")
        )
    return array
