"""Synaptic operations with their gradient: each spike costs one for each weight it meets."""

from __future__ import annotations

import torch


def synops(inputs: torch.Tensor, reached: torch.Tensor, averaged: float = 1.0) -> torch.Tensor:
    """Synaptic operations of all inputs together: the sum of spikes times fan-out, a scalar.

    ``inputs`` is (..., *reached.shape), and ``reached`` their `evstore.snn.fan_out`. An average
    pool before the layer made each spike 1 / ``averaged`` of one. Of inputs that need no gradient,
    as frames of signed polarity, each counts by its size. Half types are summed as float32.

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
