"""Truncated backpropagation through time: a long sample in pieces, and memory for one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from evstore.snn.modes import carrying
from evstore.snn.states import detach_states


def backward_in_pieces(
    model: torch.nn.Module,
    pieces: Iterable[torch.Tensor],
    loss_of: Callable[[torch.Tensor], torch.Tensor],
) -> float:
    """Gradients of the sum of each piece's loss, which end where a piece begins; returns the sum.

    ``pieces``: frames (B, T, ...) that follow each other in time, ``frames.split(50, dim=1)`` or
    read as they come; states are zero before the first and carry from each to the next.
    ``loss_of``: outputs of one piece -> a scalar. Gradients are added to those there are.
    Memory is that of the longest piece, whatever T is; what reaches further back is not learned.

    >>> from evstore.snn import IAF
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), IAF())
    >>> loss = backward_in_pieces(model, torch.ones(4, 100, 3).split(50, 1), torch.sum)
    >>> model[0].weight.grad.shape
    torch.Size([2, 3])
    """
    total = 0.0
    with carrying(model):
        for piece in pieces:
            loss = loss_of(model(piece))
            loss.backward()
            detach_states(model)
            total += loss.item()
    return total
