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
        for name, state in layer.named_buffers(recurse=False):
            # None, as at first: sinabs fills up another batch size with states drawn at random.
            # New ones, since those of torch.inference_mode, or of a loaded model, stay as they are.
            setattr(layer, name, torch.zeros(0, device=state.device))


def detach_states(model: torch.nn.Module) -> None:
    """States stay as they are, but gradients end there: between two pieces of a long stream.

    Without it, ``backward`` of the second piece would go through the first one again, whose
    memory is gone.

    >>> detach_states(torch.nn.Sequential())
    """
    for layer in stateful(model):
        for state in layer.buffers(recurse=False):
            state.detach_()
