"""Several processes that train one model: what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as distributed

from evstore.datasets.loading.ranks import rank_and_world


@contextmanager
def joined(device: str = "cpu") -> Iterator[tuple[int, int]]:
    """Within: this process's rank and how many there are, in a group where there are several.

    torchrun says so in the environment. ``device``: "cpu", or "cuda", of which each rank gets one.
    A group that there is already is used, and stays.
    """
    rank, world = rank_and_world()
    begun = world > 1 and not distributed.is_initialized()
    if begun:
        on_gpu = device == "cuda"
        if on_gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield rank, world
    finally:
        if begun:
            distributed.destroy_process_group()


def several() -> bool:
    """Whether there is more than this process."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return False
    return int(distributed.get_world_size()) > 1


def summed(values: list[float], device: Any = None) -> list[float]:
    """Numbers summed over all ranks; themselves where there is one.

    >>> summed([1.0, 2.5])
    [1.0, 2.5]
    """
    if not several():
        return values
    together = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(together)
    found: list[float] = together.tolist()
    return found


def same_everywhere(tensors: Iterable[torch.Tensor]) -> None:
    """Give every rank the values of rank 0."""
    if several():
        for tensor in tensors:
            distributed.broadcast(tensor.detach(), 0)


def mean_of_norms(model: torch.nn.Module) -> None:
    """Give every rank the mean of what batch norms saw on each: their running statistics."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._NormBase)]
    seen = [held for m in norms for held in (m.running_mean, m.running_var) if held is not None]
    if several() and seen:
        for held, mean in zip(seen, _added(seen), strict=True):
            held.copy_(mean / distributed.get_world_size())


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Sum the gradients over all ranks, in one message; one that a rank has not is zero there.

    Where each rank's loss is divided by the samples of all ranks, the sum is the gradient that one
    process has of the whole batch, however uneven the shares are.
    """
    if not several():
        return
    trained = [p for p in parameters if p.requires_grad]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    for parameter, together in zip(trained, _added(parts), strict=True):
        parameter.grad = together


def _added(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The sum of each over all ranks, in one message."""
    together = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(together)
    parts = together.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def wait_for_all() -> None:
    """Until every rank is here."""
    if several():
        distributed.barrier()
