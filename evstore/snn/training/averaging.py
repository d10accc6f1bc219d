"""Running means of a network's weights, which generalise better than where the last step ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from evstore.snn.model_weights import weights_of


def begin_average(model: nn.Module) -> dict[str, torch.Tensor]:
    """What learns as it is now, by name: weights, and the running statistics of norms.

    >>> list(begin_average(nn.Linear(1, 1)))
    ['weight', 'bias']
    """
    return {name: held.detach().clone() for name, held in _learning(model)}


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
        for name, held in _learning(model):
            average[name].lerp_(held, share)


def put_average(model: nn.Module, average: Mapping[str, torch.Tensor]) -> None:
    """Give the model the means for its weights, where there are any."""
    with torch.no_grad():
        for name, held in _learning(model):
            if name in average:
                held.copy_(average[name])


@contextmanager
def averaged_weights(model: nn.Module, average: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Within: the model has the means for its weights; an empty ``average`` leaves them.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> with averaged_weights(model, {"weight": torch.tensor([[7.0]])}):
    ...     model.weight.item()
    7.0
    """
    swapped = [held for name, held in _learning(model) if name in average]
    kept = [p.detach().clone() for p in swapped]
    try:
        put_average(model, average)
        yield
    finally:
        with torch.no_grad():
            for p, value in zip(swapped, kept, strict=True):
                p.copy_(value)


def _learning(model: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Tensors that training changes; one that has several names, once."""
    found: dict[int, tuple[str, torch.Tensor]] = {}
    for name, held in weights_of(model, keep_vars=True).items():
        changes = held.requires_grad or not isinstance(held, nn.Parameter)
        if changes and held.is_floating_point():
            found.setdefault(id(held), (name, held))
    return list(found.values())
