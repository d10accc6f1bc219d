"""Batches of worker processes in shared memory that is used again.

The system clears each page that it hands out, and maps it into the worker and once more into the
training process: that takes longer than decoding into it. So a worker keeps a few blocks. Its
training process gets a block once, then only its number, and keeps it mapped.

A block's first byte says whether it is lent. The worker sets it as it sends a batch; the training
process clears it once the last tensor, array or view over the batch is gone. Each of the two
values is written by one side only, in a state that only that side can end: there is no lock, and
nothing waits. Where all blocks are lent, the worker lets go of one, which whoever has it keeps,
and makes another.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.loading.collate import Batch, new_shared

if TYPE_CHECKING:
    import torch

FREE, LENT = 0, 1  # shared memory is all zeros at first
HEADER = 64  # bytes before the batch: a cache line, of which the first byte is used


class Mapped:
    """In the training process: the blocks of a loader's workers, as long as this is kept.

    Pickled, for a worker, it has none. ``count``: how many a worker keeps at most.
    """

    def __init__(self, count: int) -> None:
        self.token = next(_tokens)
        self.count = count
        self.blocks: dict[tuple[int, int], NDArray[np.uint8]] = {}  # by worker and number
        _mapped[self.token] = self

    def forget(self, workers: Iterable[int]) -> None:
        """Let go of the blocks of these processes, which send no more."""
        gone = set(workers)
        for key in [key for key in self.blocks if key[0] in gone]:
            del self.blocks[key]

    def __getstate__(self) -> dict[str, Any]:
        return {"token": self.token, "count": self.count, "blocks": {}}


_tokens = itertools.count()
_mapped: WeakValueDictionary[int, Mapped] = WeakValueDictionary()


class Lender:
    """In a worker: its blocks."""

    def __init__(self, token: int, count: int) -> None:
        self._token = token
        self._count = count
        self._blocks: dict[int, _Block] = {}  # by number
        self._sent = 0
        self._filled: tuple[int, Any] = (0, None)  # and the tensor in it

    def room(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A tensor that is not set. It is valid until the next one is made, or it is sent."""
        import torch

        size = math.prod(shape) * dtype.itemsize
        if size == 0:
            return torch.empty(shape, dtype=dtype)
        number = self._find(size)
        made = self._blocks[number].octets[HEADER : HEADER + size].view(dtype).reshape(shape)
        self._filled = (number, made)
        return made

    def sent(self, batch: Any) -> Any:
        """What to send instead of a batch: itself, unless its data lies in the room made last."""
        number, made = self._filled
        self._filled = (0, None)
        lies_in_it = isinstance(batch, Batch) and batch.data is made
        if made is None or not lies_in_it:
            return batch
        block = self._blocks[number]
        block.flags[0] = LENT
        octets = None if block.sent else block.octets
        self._sent += 1
        block.sent = self._sent
        rest: tuple[Any, ...] = batch[1:]
        small = [part.numpy() if hasattr(part, "numpy") else part for part in rest]
        return _Sent(self._token, os.getpid(), number, octets, made.dtype, made.shape, *small)

    def _find(self, size: int) -> int:
        """The number of a block that is free and holds ``size`` bytes."""
        blocks = self._blocks
        free = {k: block.size for k, block in blocks.items() if block.flags[0] == FREE}
        fitting = [(held, k) for k, held in free.items() if held >= size]
        if fitting:
            return min(fitting)[1]
        if free:  # batches have grown: the smallest is of least use
            number = min(free, key=free.__getitem__)
        elif len(blocks) < self._count:
            number = next(k for k in range(self._count) if k not in blocks)
        else:  # what is lent longest may be kept for ever
            number = min(blocks, key=lambda k: blocks[k].sent)
        blocks.pop(number, None)  # its memory first: there may not be enough for both
        blocks[number] = _Block(_capacity(size))
        return number


class _Block:
    """``sent``: which sending it was sent in last, from 1; 0 before the first."""

    __slots__ = ("flags", "octets", "sent", "size")

    def __init__(self, size: int) -> None:
        self.octets = new_shared(HEADER + size)
        self.flags: NDArray[np.uint8] = self.octets[:1].numpy()
        self.size = size
        self.sent = 0


def _capacity(size: int) -> int:
    """Of few sizes, at most an eighth larger: so batches that differ little fit the same block."""
    step = max(4096, 1 << max(0, size.bit_length() - 4))
    return -(-size // step) * step


class _Sent:
    """Pickles as a batch in a block."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple[Any, ...]:
        return receive, self.parts


def receive(
    token: int,
    worker: int,
    number: int,
    octets: torch.Tensor | None,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    *small: Any,
) -> Batch | None:
    """In the training process, the batch in a worker's block; None where its loader is gone.

    ``octets``: the block, where it comes for the first time. ``small``: all else of a `Batch`.
    """
    import torch

    mapped = _mapped.get(token)
    if mapped is None:
        return None
    if octets is not None:
        mapped.blocks[worker, number] = octets.numpy()
    loan = _Loan(mapped.blocks[worker, number], math.prod(shape) * dtype.itemsize)
    data = torch.from_numpy(np.asarray(loan)).view(dtype).reshape(shape)
    targets, lengths, mask = (
        torch.from_numpy(part) if isinstance(part, np.ndarray) else part for part in small
    )
    return Batch(data, targets, lengths, mask)


class _Loan:
    """A block while a batch is in it: all tensors and arrays over it hold this.

    It is not given back where this process was forked meanwhile: the child has the batch too.
    """

    __slots__ = ("__array_interface__", "_block", "_forks")

    def __init__(self, block: NDArray[np.uint8], size: int) -> None:
        self._block = block
        self._forks = _forks
        address = block.__array_interface__["data"][0] + HEADER
        self.__array_interface__: dict[str, Any] = {
            "version": 3, "shape": (size,), "typestr": "|u1", "data": (address, False),
        }  # fmt: skip

    def __del__(self) -> None:
        if self._forks == _forks:
            self._block[0] = FREE


_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):  # around it: other threads make loans meanwhile
    os.register_at_fork(before=_count_fork, after_in_parent=_count_fork, after_in_child=_count_fork)
