"""All samples of a loader, each once: what a network is tested on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from evstore.datasets.loading.loader import Loader
from evstore.errors import ArgumentError


def each_sample(loader: Iterable[Any]) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Data, targets, mask and lengths (None where there are none) of each batch.

    Of a `Loader` those of its epoch 0, whatever it has read before, so that noise is the same each
    time, without samples that only fill up a batch; then it stands where it stood. Of others what
    they give. Raises ArgumentError for a `Loader` that leaves samples out, or gives no frames.

    >>> [data for data, *_ in each_sample([([1, 2], [0, 1])])]
    [[1, 2]]
    """
    if not isinstance(loader, Loader):
        for batch in loader:
            yield batch[0], batch[1], getattr(batch, "mask", None), getattr(batch, "lengths", None)
        return
    if loader.left_out:
        raise ArgumentError(
            f"the loader leaves out {loader.left_out} of {len(loader.dataset)} samples, those of a "
            "last batch that is not full: Loader(..., pad=True) has all, and none counts twice"
        )
    stood = loader.epoch, loader.batches_done
    loader.seek(0)
    try:
        for batch in loader:
            assert loader.current is not None
            data, targets, lengths, mask = batch
            if not isinstance(data, torch.Tensor):
                raise ArgumentError("a network takes frames, and this loader gives events: "
                                    "give its Dataset frames=evstore.Frames(bins=...)")  # fmt: skip
            own = torch.tensor([not again for again in loader.current.repeated])
            if bool(own.all()):
                yield data, targets, mask, lengths
            elif bool(own.any()):
                yield data[own], targets[own], None if mask is None else mask[own], lengths[own]
    finally:
        loader.seek(*stood)
