"""Which layers are which: those with weights, those that spike, those that take a mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from sinabs.layers import StatefulLayer
from torch import nn

_CONVOLUTIONS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}
#: Layers with weights that spikes meet. (Of transposed convolutions nothing is known here.)
WEIGHTED = (*_CONVOLUTIONS, nn.Linear)
_FIXED = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
AVERAGING = (*_FIXED, *_ADAPTIVE)


def spikes(module: nn.Module) -> bool:
    """Whether ``module`` is a layer of neurons that spike (sinabs' ExpLeak does not)."""
    return isinstance(module, StatefulLayer) and bool(module.does_spike)


def first_given(given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """What a layer was called with, by place or by name, as hooks get it; None for nothing.

    >>> first_given((), {"input": 1})
    1
    """
    return given[0] if given else next(iter(named.values()), None)


def computes_as(layer: nn.Module, kinds: Iterable[type]) -> bool:
    """Whether ``layer`` computes as one of ``kinds`` does, and not in a way of its own.

    >>> computes_as(nn.Linear(1, 1), (nn.Linear,))
    True
    """
    return any(type(layer).forward is getattr(kind, "forward", None) for kind in kinds)


def spatial_axes(layer: nn.Module) -> int | None:
    """1, 2 or 3 of a convolution; None of anything else."""
    return next((n for kind, n in _CONVOLUTIONS.items() if isinstance(layer, kind)), None)


def averaged_over(
    layer: Any, entering: torch.Tensor | None = None, leaving: torch.Tensor | None = None
) -> float:
    """How many inputs an average pool takes the mean of; 1 for any other layer.

    Of an adaptive pool only what went in and came out says that; without both it is taken as 1.

    >>> averaged_over(nn.AvgPool2d(2)), averaged_over(nn.ReLU())
    (4.0, 1.0)
    """
    if isinstance(layer, _ADAPTIVE) and entering is not None and leaving is not None:
        return float(entering.numel() / max(1, leaving.numel()))
    if not isinstance(layer, _FIXED):
        return 1.0
    if getattr(layer, "divisor_override", None):
        return float(layer.divisor_override)
    kernel = layer.kernel_size
    axes = 1 + _FIXED.index(next(kind for kind in _FIXED if isinstance(layer, kind)))
    return float(math.prod(kernel) if isinstance(kernel, tuple) else kernel**axes)


def averaged_behind(
    layer: nn.Module,
    averaged: float,
    entering: torch.Tensor | None = None,
    leaving: torch.Tensor | None = None,
) -> float:
    """By how much pools made the spikes smaller that leave ``layer``, where it was ``averaged``.

    The one rule, for layers in the order in which they compute: a chip sums where an average pool
    takes the mean, so what comes next counts so many times. Weights and spikes begin anew.
    """
    if isinstance(layer, WEIGHTED) or spikes(layer):
        return 1.0
    return averaged * averaged_over(layer, entering, leaving)
