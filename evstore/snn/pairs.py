"""Which neurons stand behind which weights: what shares a core of the chip, and so a scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sinabs.layers as sl
from torch import nn

from evstore.snn.kinds import WEIGHTED, averaged_behind, spikes

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool2d, nn.LPPool2d)  # SumPool2d is an LPPool2d
_SHAPES = (nn.Flatten, nn.Unflatten, nn.Identity, sl.FlattenTime, sl.UnflattenTime)
#: What may stand between weights and their neurons.
PASSED = (*_DROPOUTS, *_NORMS, *_POOLS, *_SHAPES)


@dataclass(frozen=True)
class Pair:
    """A layer with weights, and the spiking layer behind it (None: there is none).

    ``between`` are the layers between both, and ``averaged`` says over how many inputs average
    pools before the weights took the mean: the chip sums, and so has weights of 1 / averaged.
    """

    name: str
    weighted: Any
    spiking_name: str | None
    spiking: Any | None
    between: tuple[Any, ...] = ()
    averaged: float = 1.0


def layers(model: nn.Module, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every layer in the order of registration; one that stands in several places, each time."""
    whole = isinstance(model, (*WEIGHTED, sl.StatefulLayer))
    children = [(key, child) for key, child in model._modules.items() if child is not None]
    if whole or not children:
        yield name, model
        return
    for key, child in children:
        yield from layers(child, f"{name}.{key}" if name else key)


def pairs(model: nn.Module) -> list[Pair]:
    """Layers with weights and the neurons behind them, by the order of registration.

    Pools, flattening, dropout and batch norm between both are passed over; any other layer ends the
    search. Pairs of the same two layers, used in several places, are given once.

    >>> import torch
    >>> from sinabs.layers import IAF
    >>> [p.spiking_name for p in pairs(nn.Sequential(nn.Linear(2, 3), nn.Dropout(), IAF()))]
    ['2']
    """
    found: dict[tuple[int, int], Pair] = {}
    row = list(layers(model))
    averaged = 1.0
    for place, (name, layer) in enumerate(row):
        if isinstance(layer, WEIGHTED):
            pair = _pair(name, layer, row[place + 1 :], averaged)
            found.setdefault((id(layer), id(pair.spiking)), pair)
        averaged = averaged_behind(layer, averaged)
    return list(found.values())


def in_the_way(model: nn.Module) -> list[tuple[str, str, str]]:
    """Weights, the layer that no `Pair` passes over, and the neurons behind it: names of each."""
    found, row = [], list(layers(model))
    for place, (name, layer) in enumerate(row):
        if not isinstance(layer, WEIGHTED):
            continue
        other = ""
        for behind, one in row[place + 1 :]:
            if isinstance(one, WEIGHTED):
                break
            if spikes(one):
                found += [(name, other, behind)] if other else []
                break
            other = other or ("" if isinstance(one, PASSED) else behind)
    return found


def used_weights(layer: Any) -> tuple[Any, Any]:
    """Weights and biases that ``layer`` computes with: quantised, where it trains with those."""
    quantised = getattr(layer, "quantised", None)
    return quantised() if callable(quantised) else (layer.weight, layer.bias)


def _pair(name: str, layer: Any, behind: list[tuple[str, Any]], averaged: float) -> Pair:
    between: list[Any] = []
    for spiking_name, other in behind:
        if spikes(other):
            return Pair(name, layer, spiking_name, other, tuple(between), averaged)
        if not isinstance(other, PASSED):
            break
        between.append(other)
    return Pair(name, layer, None, None, (), averaged)
