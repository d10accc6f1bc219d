"""What a training step has in hand, in tests of loaders."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Iterable
from typing import Any

from evstore.datasets.loading.loader import Loader

AHEAD: dict[str, Any] = {"num_workers": 2, "prefetch_factor": 4}
WATCHED_S = 20.0  # nothing takes longer: else it hangs


def numbers(loader: Loader, stop: int | None = None) -> list[list[int]]:
    """The samples of each batch."""
    return [handed(loader) for _ in itertools.islice(loader, stop)]


def handed(loader: Loader) -> list[int]:
    """Those of the batch that was handed out last."""
    assert loader.current is not None
    return loader.current.numbers


def joined(ranks: list[list[list[int]]]) -> list[list[int]]:
    """Global batches of the ranks' shares."""
    return [flat(step) for step in zip(*ranks, strict=True)]


def flat(batches: Iterable[list[int]]) -> list[int]:
    return list(itertools.chain.from_iterable(batches))


def equal(a: Any, b: Any) -> None:
    """Batches with the same values of the same dtypes."""
    import torch

    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            equal(a[name], b[name])
    elif isinstance(a, tuple):
        for one, other in zip(a, b, strict=True):
            equal(one, other)
    else:
        assert a == b


def expect_no_child() -> None:
    """No worker stays."""
    deadline = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []
