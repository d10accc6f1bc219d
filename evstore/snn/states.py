"""What neurons carry from one call to the next: begun anew, or kept without its history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from sinabs.layers import StatefulLayer


def stateful(model: torch.nn.Module) -> Iterator[Any]:
    """The layers of ``model`` that carry a state, itself where it is one."""
    for module in model.modules():
        if isinstance(module, StatefulLayer):
            yield module


def reset_states(model: torch.nn.Module) -> None:
    """All states zero, as before the first sample.

    >>> reset_states(torch.nn.Sequential())
    """
    for layer in stateful(model):
        layer.reset_states()


def detach_states(model: torch.nn.Module) -> None:
    """States stay as they are, but gradients end there: between two pieces of a long stream.

    Without it, ``backward`` of the second piece would go through the first one again, whose
    memory is gone.

    >>> detach_states(torch.nn.Sequential())
    """
    for layer in stateful(model):
        for state in layer.buffers(recurse=False):
            state.detach_()


def forget_states(model: torch.nn.Module) -> None:
    """As before the first batch: of what came so far not even its size is left.

    sinabs fits a state to a batch of another size by random numbers, also where it is all zero:
    who wants the same dropout whatever batches came before forgets them.

    >>> forget_states(torch.nn.Sequential())
    """
    for layer in stateful(model):
        for name, state in list(layer.named_buffers(recurse=False)):
            layer.register_buffer(name, state.new_zeros(0))
