"""Running means of a network's weights, which generalise better than where the last step ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


def begin_average(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights to learn as they are now, by name.

    >>> list(begin_average(nn.Linear(1, 1)))
    ['weight', 'bias']
    """
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def keep_average(
    average: Mapping[str, torch.Tensor], model: nn.Module, decay: float, step: int
) -> None:
    """Move each mean towards the weight of now, by 1 - decay; at first by more.

    After ``step`` steps by 9 / (step + 10) at least, as Polyak and Juditsky's averages are begun in
    TensorFlow's ExponentialMovingAverage: the weights of the beginning are soon forgotten.
    """
    if not average:
        return
    share = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in average:
                average[name].lerp_(p, share)


def put_average(model: nn.Module, average: Mapping[str, torch.Tensor]) -> None:
    """Give the model the means for its weights, where there are any."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in average:
                p.copy_(average[name])


@contextmanager
def averaged_weights(model: nn.Module, average: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Within: the model has the means for its weights; an empty ``average`` leaves them.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> with averaged_weights(model, {"weight": torch.tensor([[7.0]])}):
    ...     model.weight.item()
    7.0
    """
    swapped = [p for name, p in model.named_parameters() if name in average]
    kept = [p.detach().clone() for p in swapped]
    try:
        put_average(model, average)
        yield
    finally:
        with torch.no_grad():
            for p, value in zip(swapped, kept, strict=True):
                p.copy_(value)
