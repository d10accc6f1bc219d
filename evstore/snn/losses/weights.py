"""Weights beside the threshold: a weight beyond it asks for several spikes at once."""

from __future__ import annotations

import torch


def weight_excess(
    weight: torch.Tensor,
    threshold: torch.Tensor | float,
    allowed: float = 1.0,
    per_channel: bool = False,
) -> torch.Tensor:
    """relu(max |weight| / (allowed * threshold) - 1), a scalar.

    The chip sends one spike at most for each event it gets, so that a weight above the threshold
    loses spikes there. ``per_channel`` takes the largest weight of each output channel (axis 0),
    and the mean over channels, so that more than one weight gets a gradient. Of a threshold for
    each neuron, the smallest counts.

    >>> weight_excess(torch.tensor([[0.5, -1.5]]), 1.0)
    tensor(0.5000)
    """
    sizes = weight.abs()
    largest = sizes.flatten(1).amax(1) if per_channel else sizes.max()
    bound = threshold.min() if isinstance(threshold, torch.Tensor) else threshold
    return torch.relu(largest / (allowed * bound) - 1).mean()
