"""Synaptic operations: every spike that comes into a layer, times the weights that it meets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from evstore.errors import ArgumentError

CONVOLUTIONS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}


def fanout(layer: nn.Module, input_shape: Sequence[int]) -> torch.Tensor:
    """How many weights a spike at each place of a layer's input meets: float64, of its shape.

    ``input_shape`` is that of one frame: (channels, height, width) of a Conv2d, (..., features) of
    a Linear. Padding, stride and dilation are counted exactly: a pixel at the border, or one that
    a stride leaves out, meets fewer. Weights of zero count. Raises ArgumentError for other layers
    and shapes.

    >>> fanout(nn.Conv2d(1, 2, 3, stride=2), (1, 5, 5))[0, 0].tolist()
    [2.0, 2.0, 4.0, 2.0, 2.0]
    >>> fanout(nn.Linear(3, 7), (3,)).tolist()
    [7.0, 7.0, 7.0]
    """
    shape = tuple(input_shape)
    if isinstance(layer, nn.Linear):
        if shape[-1:] != (layer.in_features,):
            raise ArgumentError(f"{layer} takes {layer.in_features} features, got {shape}")
        return torch.full(shape, layer.out_features, dtype=torch.float64)
    n_axes = spatial_axes(layer)
    if n_axes is None:
        raise ArgumentError(f"the fan-out of {type(layer).__name__} is not known: Conv or Linear")
    if len(shape) != n_axes + 1 or shape[0] != layer.in_channels:
        raise ArgumentError(f"{layer} takes {layer.in_channels} channels, got {shape}")
    per_place = torch.tensor(layer.out_channels // layer.groups, dtype=torch.float64)
    for axis, side in enumerate(shape[1:]):
        per_place = per_place[..., None] * _met(layer, axis, side)
    return per_place.expand(shape).clone()


def spatial_axes(layer: nn.Module) -> int | None:
    """1, 2 or 3 of a convolution; None of anything else."""
    return next((n for kind, n in CONVOLUTIONS.items() if isinstance(layer, kind)), None)


def _met(layer: Any, axis: int, side: int) -> torch.Tensor:
    """Along one axis: how often the kernel, on its way, lies with a weight on each place."""
    kernel, stride, dilation = (
        getattr(layer, k)[axis] for k in ("kernel_size", "stride", "dilation")
    )
    before, after = _padding(layer, axis)
    whole = torch.arange(side, dtype=torch.float64)[None, None]
    if layer.padding_mode == "zeros":
        source = functional.pad(whole, (before, after), value=-1.0)
    else:
        source = functional.pad(whole, (before, after), mode=layer.padding_mode)
    places = source.flatten().long()
    steps = (len(places) - dilation * (kernel - 1) - 1) // stride + 1
    starts = torch.arange(max(0, steps)) * stride
    met = places[(starts[:, None] + torch.arange(kernel) * dilation).flatten()]
    return torch.bincount(met[met >= 0], minlength=side).double()


def _padding(layer: Any, axis: int) -> tuple[int, int]:
    if layer.padding == "valid":
        return 0, 0
    if layer.padding == "same":
        both = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
        return both // 2, both - both // 2
    return layer.padding[axis], layer.padding[axis]


class SynopsCounter:
    """Counts the synaptic operations of every Conv and Linear layer of a model, by hooks.

    What comes into a layer is taken as numbers of spikes: behind a sum pool they may be more than
    one. Behind an average pool they are fractions, and so is what is counted: a chip, which sums,
    does the pool's area times as many. Negative inputs (signed frames) count by their size. Events
    that come into the first layer count as well. Transposed convolutions are not counted. Hooks
    are there between ``with`` and its end only.

    >>> layer = nn.Linear(2, 5)
    >>> with SynopsCounter(layer) as counter:
    ...     _ = layer(torch.tensor([[3.0, 0.0], [1.0, 1.0]]))
    >>> counter.total, counter.layers
    (25.0, {'': 25.0})
    """

    def __init__(self, model: nn.Module) -> None:
        self._counted = {
            name: module
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) or spatial_axes(module) is not None
        }
        self._sums: dict[str, torch.Tensor] = {}
        self._fanouts: dict[str, torch.Tensor] = {}
        self._hooks: list[Any] = []

    def __enter__(self) -> SynopsCounter:
        for name, module in self._counted.items():
            hook = module.register_forward_pre_hook(
                lambda module, given, named, name=name: self._count(name, module, *given, **named),
                with_kwargs=True,
            )
            self._hooks.append(hook)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @property
    def layers(self) -> dict[str, float]:
        """Operations of each layer since the beginning, by its name in the model."""
        return {name: self._sums[name].item() for name in self._counted if name in self._sums}

    @property
    def total(self) -> float:
        """Operations of all layers."""
        return math.fsum(self.layers.values())

    def _count(self, name: str, module: nn.Module, input: torch.Tensor) -> None:
        n_axes = spatial_axes(module)
        own = 1 if n_axes is None else n_axes + 1  # axes of one frame
        frames, shape = input.shape[: input.dim() - own], input.shape[input.dim() - own :]
        spikes = input.detach().abs().reshape(frames.numel(), *shape)
        sums = spikes.sum(0, dtype=torch.float64)
        met = self._fanouts.get(name)
        if met is None or met.shape != shape:
            met = self._fanouts[name] = fanout(module, shape).to(input.device)
        counted = (sums * met).sum()
        self._sums[name] = self._sums[name] + counted if name in self._sums else counted
