"""The epoch that is being read: noise is another one in each, whoever reads the samples.

A module of its own, without kernels: loaders say the epoch, whether noise is used or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_epoch: ContextVar[int | None] = ContextVar("evstore_noise_epoch", default=None)


def epoch_now() -> int:
    """The epoch that is being read in this thread, as far as a loader says so; else 0."""
    return _epoch.get() or 0


@contextmanager
def reading_epoch(epoch: int) -> Iterator[None]:
    """A block that reads samples of this epoch. Other threads know nothing of it."""
    before = _epoch.set(epoch)
    try:
        yield
    finally:
        _epoch.reset(before)


@contextmanager
def reading_epoch_unless_said(epoch: int) -> Iterator[None]:
    """`reading_epoch`, but where whoever reads has said an epoch: that one stays."""
    if _epoch.get() is not None:
        yield
        return
    with reading_epoch(epoch):
        yield
