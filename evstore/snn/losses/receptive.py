"""Same receptive field: spikes that meet at a neuron in one step, and cancel each other there."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def receptive_field(
    layer: Any, inputs: torch.Tensor, output: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """conv(s, \\|w\\|) - \\|conv(s, w)\\|, mean a neuron and step, in units of the potential.

    A clocked simulation adds all that arrives in a step, of either sign; the chip takes event by
    event, and may spike in between. It is 0 where all that meets has one sign. ``output`` is what
    ``layer`` (convolution or linear) gave for ``inputs``, so that only one more convolution is
    needed; ``weight`` stands for the layer's where others were used. Source: sinabs'
    input_diff_hook, to which it is equal (of convolutions with dilation too, which that lacks).

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 1.0)
    >>> field = torch.tensor([[1.0, -1.0]])
    >>> receptive_field(layer, field.abs(), layer(field.abs())).item()
    0.0
    """
    sizes = (layer.weight if weight is None else weight).abs()
    if isinstance(layer, nn.Linear):
        most = functional.linear(inputs, sizes)
    else:
        most = layer._conv_forward(inputs, sizes, None)
    return (most - output.abs()).mean()
