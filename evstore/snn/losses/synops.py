"""Synaptic operations: each spike costs one for each weight that it meets."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def fan_out(layer: Any, shape: tuple[int, ...], device: Any = None) -> torch.Tensor:
    """How many neurons each input of a convolution or linear layer reaches, exact at borders.

    ``shape`` is that of one input, (C, H, W), (C, L) or (features,), which the result has too
    (float32). It is the gradient of the layer's summed output with all weights 1, so it holds for
    any padding, stride, dilation and groups.

    >>> fan_out(nn.Conv2d(1, 4, 3, padding=1), (1, 3, 3))[0]
    tensor([[16., 24., 16.],
            [24., 36., 24.],
            [16., 24., 16.]])
    """
    if isinstance(layer, nn.Linear):
        return torch.full(shape, float(layer.out_features), device=device)
    with torch.inference_mode(False), torch.enable_grad():
        inputs = torch.zeros((1, *shape), device=device, requires_grad=True)
        ones = torch.ones(layer.weight.shape, device=device)
        (reached,) = torch.autograd.grad(layer._conv_forward(inputs, ones, None).sum(), inputs)
    return reached[0]


def synops(inputs: torch.Tensor, reached: torch.Tensor, averaged: float = 1.0) -> torch.Tensor:
    """Synaptic operations of all inputs together: the sum of spikes times fan-out, a scalar.

    ``inputs`` is (..., *reached.shape). An average pool before the layer made each spike 1 /
    ``averaged`` of one. Of inputs that need no gradient, as frames of signed polarity, each counts
    by its size. Half types are summed as float32.

    >>> synops(torch.tensor([[0.0, 2.0], [1.0, 0.0]]), torch.tensor([10.0, 10.0]))
    tensor(30.)
    """
    # The size of a spike count is itself, but abs() passes no gradient to neurons that are silent.
    counts = inputs if inputs.requires_grad else inputs.abs()
    if counts.dtype in (torch.float16, torch.bfloat16) or not counts.is_floating_point():
        counts = counts.float()
    return (counts * reached.to(counts.dtype)).sum() * averaged


def synops_excess(operations: torch.Tensor, limit: float) -> torch.Tensor:
    """relu((operations - limit) / limit): what is beyond the limit, as a part of it.

    Both in the same unit, as SynOps a sample. Source: sinabs' documentation of SynOps losses.

    >>> synops_excess(torch.tensor(3e6), 2e6)
    tensor(0.5000)
    """
    return torch.relu((operations - limit) / limit)
