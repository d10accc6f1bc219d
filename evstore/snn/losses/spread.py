"""Spread in time: a neuron should spike once a step at most, as it does on the chip."""

from __future__ import annotations

import torch


def spread(spikes: torch.Tensor, allowed: float = 1.0) -> torch.Tensor:
    """Spikes beyond ``allowed`` in a step, mean a neuron and step: relu(spikes - allowed).

    The chip computes event by event: several spikes of a neuron in one step of the simulation are
    what it would send one by one, with others between them. ``spikes`` of any shape; a scalar.

    >>> spread(torch.tensor([0.0, 1.0, 3.0, 0.0]))
    tensor(0.5000)
    """
    return torch.relu(spikes - allowed).mean()
