"""The events of a batch that a flag keeps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Batch, empty_batch
from evstore.noise.changes import keep_kernels as kernels


def flags(length: int) -> NDArray[np.uint8]:
    """Room for a flag of each event."""
    return np.empty(length, np.uint8)


def kept(batch: Batch, keep: NDArray[np.uint8]) -> Batch:
    """Those whose flag is 1, in their order; the same object where that is all of them."""
    count = int(kernels.count(keep))
    if count == batch.size:
        return batch
    out = empty_batch(count + kernels.SPARE)
    kernels.compact(keep, *batch, *out)
    return out.at(slice(0, count))


def put(batch: Batch, out: Batch) -> None:
    """Write the events to the beginning of ``out``."""
    for name in Batch._fields:
        getattr(out, name)[: batch.size] = getattr(batch, name)
