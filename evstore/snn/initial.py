"""Weights to begin with: such that neurons of every layer spike, and not all the time."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.kinds import WEIGHTED, spikes

#: Events a pixel and step of the frames that weights are tried on: in the middle of 0.05 to 0.5.
_EVENTS = 0.16
_SAMPLES, _STEPS, _ROUNDS, _HALVINGS = 2, 32, 4, 12


def balance(model: nn.Sequential, shape: tuple[int, ...], rate: float = 0.04) -> nn.Module:
    """Scale each layer's weights so that the neurons behind it spike ``rate`` times a step.

    In place; returned. ``model`` is a row of layers, ``shape`` that of one frame. The frames are
    Poisson noise, always the same; torch's own random numbers are not used, and states stay. Frames
    of a third or of three times as many events leave rates within 0.003 and 0.3: with fewer, deep
    layers fall silent; of more, a network learns more slowly at first, and each sample costs more.
    After "All you need is a good init" (Mishkin and Matas, 2016), with rates where that has
    variances. Raises ArgumentError where a layer cannot be made to spike.

    >>> layers = nn.Sequential(nn.Linear(8, 4))
    >>> balance(layers, (8,)) is layers  # no neurons, nothing to balance
    True
    """
    generator = torch.Generator().manual_seed(0)
    values = torch.poisson(torch.full((_SAMPLES * _STEPS, *shape), _EVENTS), generator=generator)
    weighted: Any = None
    before = values
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, WEIGHTED):
                weighted, before = layer, values
            if isinstance(layer, WEIGHTED) or not spikes(layer):
                values = values if isinstance(layer, nn.Dropout) else layer(values)
            elif weighted is None:
                values = _spiking(layer, values)
            else:
                values = _balanced(weighted, layer, before, rate)
                weighted = None
    return model


def _balanced(weighted: Any, neurons: Any, inputs: torch.Tensor, rate: float) -> torch.Tensor:
    """What ``neurons`` give with the weights found; only the pair itself, nothing in between."""
    for _ in range(_ROUNDS):
        output = _spiking(neurons, weighted(inputs))
        found = float(output.mean())
        if not found > 0:
            weighted.weight.mul_(4.0)
            continue
        weighted.weight.mul_(min(max(rate / found, 0.25), 4.0))
    return _searched(weighted, neurons, inputs, rate)


def _searched(weighted: Any, neurons: Any, inputs: torch.Tensor, rate: float) -> torch.Tensor:
    """As `_balanced`, by halving the interval that ``rate`` is in, where it is not near already.

    Few neurons (those of the classes) hardly spike below some scale of their weights, and often
    just above it: there, steps in proportion go back and forth.
    """
    scale, low, high = 1.0, 0.0, math.inf
    for _ in range(_HALVINGS):
        output = _spiking(neurons, weighted(inputs))
        found = float(output.mean())
        if rate / 2 < found < rate * 2:
            return output
        low, high = (scale, high) if found <= rate else (low, scale)
        between = math.sqrt(low * high) if low and high < math.inf else 2 * low or high / 2
        weighted.weight.mul_(between / scale)
        scale = between
    raise ArgumentError(f"neurons spike {found:.3g} times a step with the weights found, not "
                        f"{rate}: is their threshold in reach?")  # fmt: skip


def _spiking(neurons: Any, values: torch.Tensor) -> torch.Tensor:
    """What ``neurons`` give, of a copy: their states stay as they are."""
    fresh = copy.deepcopy(neurons)
    fresh.batch_size, fresh.num_timesteps = _SAMPLES, -1
    for name, state in list(fresh.named_buffers()):
        setattr(fresh, name, torch.zeros(0, dtype=state.dtype))
    output: torch.Tensor = fresh(values)
    return output
