"""Surrogate gradients that only torch can compute: of functions that no kernel knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def slopes_of(neurons: Any, flat: Mapping[str, torch.Tensor], before: torch.Tensor) -> torch.Tensor:
    """The neurons' surrogate at each potential of ``before`` (B, T, ...), float32.

    Whatever shape and dtype the function gives: kernels read a value for each potential.
    """
    theta = flat["threshold"]
    theta = theta if theta.dim() < before.dim() - 1 else theta.unsqueeze(1)
    given: torch.Tensor = neurons.surrogate(before, theta).to(torch.float32)
    return given.expand(before.shape).contiguous()
