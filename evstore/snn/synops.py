"""Synaptic operations: every spike that comes into a layer, times the weights that it meets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from evstore.errors import ArgumentError
from evstore.snn.kinds import (
    AVERAGING,
    WEIGHTED,
    averaged_behind,
    first_given,
    spatial_axes,
    spikes,
)


def fan_out(layer: Any, input_shape: Sequence[int], device: Any = "cpu") -> torch.Tensor:
    """How many weights a spike at each place of a layer's input meets: float64, of its shape.

    ``input_shape`` is that of one frame: (channels, height, width) of a Conv2d, (..., features) of
    a Linear. Padding, stride and dilation are counted exactly: a pixel at the border, or one that
    a stride leaves out, meets fewer. Weights of zero count. Raises ArgumentError for other layers
    and shapes.

    >>> fan_out(nn.Conv2d(1, 2, 3, stride=2), (1, 5, 5))[0, 0].tolist()
    [2.0, 2.0, 4.0, 2.0, 2.0]
    >>> fan_out(nn.Linear(3, 7), (3,)).tolist()
    [7.0, 7.0, 7.0]
    """
    shape = tuple(input_shape)
    if isinstance(layer, nn.Linear):
        if shape[-1:] != (layer.in_features,):
            raise ArgumentError(f"{layer} takes {layer.in_features} features, got {shape}")
        return torch.full(shape, layer.out_features, dtype=torch.float64, device=device)
    n_axes = spatial_axes(layer)
    if n_axes is None:
        raise ArgumentError(f"the fan-out of {type(layer).__name__} is not known: Conv or Linear")
    if len(shape) != n_axes + 1 or shape[0] != layer.in_channels:
        raise ArgumentError(f"{layer} takes {layer.in_channels} channels, got {shape}")
    return _of_a_channel(layer, shape[1:], torch.device(device)).expand(shape).clone()


def synops(layer: Any, entering: torch.Tensor) -> torch.Tensor:
    """SynOps of a call of a convolution or a linear layer: a float64 scalar, on its device.

    The sum over all that ``entering`` holds of |value| times `fan_out`, without a gradient. For
    spikes that is what sinabs' hooks count. Biases are no operations.

    >>> float(synops(nn.Linear(2, 5), torch.tensor([[3.0, 0.0], [1.0, -1.0]])))
    25.0
    """
    values = entering.detach()
    n_axes = spatial_axes(layer)
    if n_axes is None:
        return _absolute(values, -1).sum() * layer.out_features
    sides = values.shape[-n_axes:]
    places = math.prod(sides)
    summed = _absolute(values.reshape(values.numel() // max(1, places), places), 0)
    return (summed.reshape(sides) * _of_a_channel(layer, sides, values.device)).sum()


def _absolute(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Sums of |values| over an axis: float32 holds sums of spikes exactly to 16 million.

    Not torch's vector_norm, whose sums over the first axis take up to twenty times as long.
    """
    wide = values if values.dtype == torch.float64 else values.float()
    return wide.abs().sum(axis).double()


def _of_a_channel(layer: Any, sides: Sequence[int], device: torch.device) -> torch.Tensor:
    """Fan-out at each place of any input channel; kept by geometry, so not to be written to."""
    axes = tuple(
        (
            layer.kernel_size[axis], layer.stride[axis], layer.dilation[axis],
            *_padding(layer, axis), layer.padding_mode, int(side),
        )
        for axis, side in enumerate(sides)
    )  # fmt: skip
    return _spread_over(layer.out_channels // layer.groups, axes, device)


@lru_cache(maxsize=256)
def _spread_over(
    per_weight: int, axes: tuple[tuple[Any, ...], ...], device: torch.device
) -> torch.Tensor:
    with torch.inference_mode(False):  # where it is kept, others may want a gradient
        found = torch.tensor(per_weight, dtype=torch.float64)
        for axis in axes:
            found = found[..., None] * _met(*axis)
        return found.to(device)


def _met(
    kernel: int, stride: int, dilation: int, before: int, after: int, mode: str, side: int
) -> torch.Tensor:
    """Along one axis: how often the kernel, on its way, lies with a weight on each place."""
    whole = torch.arange(side, dtype=torch.float64)[None, None]
    if mode == "zeros":
        source = functional.pad(whole, (before, after), value=-1.0)
    else:
        source = functional.pad(whole, (before, after), mode=mode)
    places = source.flatten().long()
    steps = (len(places) - dilation * (kernel - 1) - 1) // stride + 1
    starts = torch.arange(max(0, steps)) * stride
    met = places[(starts[:, None] + torch.arange(kernel) * dilation).flatten()]
    return torch.bincount(met[met >= 0], minlength=side).double()


def _padding(layer: Any, axis: int) -> tuple[int, int]:
    """Before and behind the values of an axis."""
    if layer.padding == "valid":
        return 0, 0
    if layer.padding == "same":
        both = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
        return both // 2, both - both // 2
    return layer.padding[axis], layer.padding[axis]


class SynopsCounter:
    """Counts the synaptic operations of every Conv and Linear layer of a model, by hooks.

    What comes into a layer is taken as numbers of spikes: behind a sum pool they may be more than
    one. Behind an average pool they are counted as the sums that a chip takes. Negative inputs
    (signed frames) count by their size. Events that come into the first layer count as well.
    Transposed convolutions are not counted. Hooks are there between ``with`` and its end only.

    >>> layer = nn.Linear(2, 5)
    >>> with SynopsCounter(layer) as counter:
    ...     _ = layer(torch.tensor([[3.0, 0.0], [1.0, 1.0]]))
    >>> counter.total, counter.layers
    (25.0, {'': 25.0})
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._names = {
            module: name
            for name, module in model.named_modules()
            if isinstance(module, (*WEIGHTED, *AVERAGING)) or spikes(module)
        }
        self._averaged = 1.0
        self._sums: dict[str, torch.Tensor] = {}
        self._hooks: list[Any] = []

    def __enter__(self) -> SynopsCounter:
        self._hooks = [self._model.register_forward_pre_hook(self._begin)]
        for module in self._names:
            self._hooks.append(module.register_forward_hook(self._called, with_kwargs=True))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @property
    def layers(self) -> dict[str, float]:
        """Operations of each layer since the beginning, by its name in the model."""
        return {
            name: self._sums[name].item() for name in self._names.values() if name in self._sums
        }

    @property
    def total(self) -> float:
        """Operations of all layers."""
        return math.fsum(self.layers.values())

    def _begin(self, module: nn.Module, given: Any) -> None:
        self._averaged = 1.0

    def _called(self, module: nn.Module, given: Any, named: Any, leaving: torch.Tensor) -> None:
        entering = first_given(given, named)
        if isinstance(module, WEIGHTED):
            name, counted = self._names[module], synops(module, entering) * self._averaged
            self._sums[name] = self._sums[name] + counted if name in self._sums else counted
        self._averaged = averaged_behind(module, self._averaged, entering, leaving)
