"""Which part of a layer's output is time, also where samples and steps are squeezed into one."""

from __future__ import annotations

from typing import Any

import torch
from sinabs.layers import SqueezeMixin


def batch_and_steps(layer: Any, output: torch.Tensor) -> tuple[int, int]:
    """Samples and steps of a layer's output, (B, T, ...) or, of squeezing layers, (B * T, ...)."""
    if not isinstance(layer, SqueezeMixin):
        return output.shape[0], output.shape[1]
    together = output.shape[0]
    batch = layer.batch_size if layer.batch_size > 0 else together // layer.num_timesteps
    return batch, together // max(batch, 1)


def with_time(layer: Any, output: torch.Tensor) -> torch.Tensor:
    """A layer's output as (B, T, ...)."""
    if isinstance(layer, SqueezeMixin):
        output = output.unflatten(0, batch_and_steps(layer, output))
    return output
