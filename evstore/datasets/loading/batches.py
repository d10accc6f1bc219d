"""How the order of an epoch becomes batches, and a batch the shares of ranks.

The global batch is what one training step takes on all ranks together. Its contents do not
depend on how many ranks there are: rank r of W gets the r-th of W equal slices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError


class Ticket(NamedTuple):
    """One rank's share of one batch: what a worker needs to read it.

    ``position``: of its first sample among those of the epoch, over all ranks. ``numbers``:
    int64, the samples. ``repeats`` of them, the last ones, only fill the batch up.
    """

    seed: int
    epoch: int
    position: int
    numbers: NDArray[np.int64]
    repeats: int = 0


def n_batches(n: int, global_batch: int, pad: bool = False) -> int:
    """Batches of an epoch of ``n`` samples: the last one is dropped, or filled up, if not full.

    >>> n_batches(10, 4), n_batches(10, 4, pad=True)
    (2, 3)
    """
    return -(-n // global_batch) if pad else n // global_batch


def share(global_batch: int, rank: int, world: int) -> slice:
    """Where the samples of this rank lie in a global batch.

    Raises ArgumentError where ranks cannot get equal shares.

    >>> share(8, rank=1, world=4)
    slice(2, 4, None)
    """
    if world < 1 or not 0 <= rank < world:
        raise ArgumentError(f"rank must lie in 0..world - 1, got rank {rank} of world {world}")
    if global_batch < 1 or global_batch % world:
        below, above = global_batch // world * world, (global_batch // world + 1) * world
        nearest = f"{below} or {above}" if below > 0 else f"{world}"
        raise ArgumentError(
            f"a global batch of {global_batch} cannot be shared equally by {world} ranks: "
            f"use {nearest}"
        )
    size = global_batch // world
    return slice(rank * size, (rank + 1) * size)


def positions(n: int, batch: int, global_batch: int, own: slice) -> NDArray[np.int64]:
    """Positions in the epoch of the samples of a batch that are ``own``.

    Those from ``n`` on are repeats: of the samples at ``position % n``.
    """
    return np.arange(own.start, own.stop, dtype=np.int64) + batch * global_batch
