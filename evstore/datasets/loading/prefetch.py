"""How many batches may be on their way, so that they fit in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: What is read at a time where there are no workers: of small batches, so many share what a call
#: costs.
AT_ONCE_BYTES = 16 << 20
MOST_AT_ONCE = 32


@dataclass(frozen=True)
class Prefetch:
    """What was asked for, what is done, and why.

    ``batch_bytes`` is the largest batch of the epoch as the dataset estimates it, before
    transforms and padding; None where it does not. ``workers`` times ``factor`` batches are held
    at a time; where one batch alone is larger than ``limit_bytes``, one is.
    """

    asked_workers: int
    asked_factor: int
    limit_bytes: int
    batch_bytes: int | None
    workers: int
    factor: int

    @property
    def at_once(self) -> int:
        """The most batches that this process reads at a time, without workers: small ones."""
        if not self.batch_bytes:
            return 1
        most = min(AT_ONCE_BYTES, self.limit_bytes)
        return max(1, min(MOST_AT_ONCE, most // self.batch_bytes))

    @property
    def held_bytes(self) -> int | None:
        """The most that waits to be handed out; None where nothing is known.

        Beside it there is what the loop holds, and what held it before: processes keep up to two
        more batches each, to fill them again.
        """
        return None if self.batch_bytes is None else self.batch_bytes * self.workers * self.factor


def plan_prefetch(batch_bytes: int | None, workers: int, factor: int, limit_bytes: int) -> Prefetch:
    """Fewer batches ahead first, then fewer workers, never less than one of each.

    >>> plan = plan_prefetch(100 << 20, workers=4, factor=4, limit_bytes=256 << 20)
    >>> plan.workers, plan.factor
    (2, 1)
    """
    used, ahead = workers, factor
    if batch_bytes and workers:
        room = max(1, limit_bytes // batch_bytes)
        ahead = max(1, min(factor, room // workers))
        used = min(workers, room)
    return Prefetch(workers, factor, limit_bytes, batch_bytes, used, ahead)


def largest_batch(
    sample_bytes: NDArray[np.int64] | None,
    order: NDArray[np.int64],
    global_batch: int,
    own: slice,
    pad: bool = False,
) -> int | None:
    """Bytes of the largest of an epoch's batches, of one rank's share; None if nothing is known."""
    if sample_bytes is None:
        return None
    rest = order.size % global_batch
    whole = order[: order.size - rest].reshape(-1, global_batch)[:, own]
    step = max(1, (1 << 20) // global_batch)  # batches whose sizes are looked up in one go
    pieces = [whole[start : start + step] for start in range(0, len(whole), step)]
    if pad and rest:
        last = np.arange(order.size - rest, order.size - rest + global_batch)[own]
        pieces.append(order[last % order.size][None])
    return max((int(sample_bytes[piece].sum(axis=1).max()) for piece in pieces), default=0)
