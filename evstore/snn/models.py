"""Spiking convolutional networks of the sizes that a Speck chip holds.

All are `TimeSequential`: a plain Sequential of convolutions, IAF neurons and pools, that takes
frames with their time, (B, T, P, H, W), or without, (B * T, P, H, W), as sinabs' tools do.

Their neurons may spike several times a step. So their surrogate is the periodic one of Weidel and
Sheik (2021, arXiv:2111.01456), which is as large above several thresholds as above one: with
sinabs' usual one, SingleExponential, what gets far above the threshold in one step learns nothing
any more, and training diverges where steps are long.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import sinabs
import torch
from sinabs.activation import PeriodicExponential
from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.initial import balance
from evstore.snn.kinds import spikes
from evstore.snn.neurons import IAFSqueeze
from evstore.snn.pooling import SumPool2d
from evstore.snn.states import reset_states

_POOLS = (nn.AvgPool2d, nn.LPPool2d, nn.MaxPool2d)


class TimeSequential(nn.Sequential):  # type: ignore[misc]
    """Layers in a row, whose input may have its time in an axis of its own.

    (B, T, ...) -> (B, T, ...), or (B * T, ...) -> (B * T, ...) where the squeezing layers were told
    the batch size (sinabs.set_batch_size). ``...`` is (P, H, W) where the first layer with weights
    is a convolution in two axes, (features,) where it is linear, of which a Flatten or pools before
    it may make either. States carry from call to call; ``reset=True``
    (as all models here have it) begins each call of (B, T, ...) with states of zero.
    """

    def __init__(self, *layers: Any, reset: bool = True) -> None:
        super().__init__(*layers)
        self.reset = reset

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames through all layers; any dtype, computed in that of the weights."""
        if not isinstance(frames, torch.Tensor):
            raise ArgumentError("a network takes frames, as tensors: give the Dataset "
                                "frames=evstore.Frames(bins=...)")  # fmt: skip
        weights = next((p for p in self.parameters() if p.is_floating_point()), None)
        if weights is not None:
            frames = frames.to(weights.dtype)
        if frames.dim() - 2 not in self._sample_axes:
            return super().forward(frames)
        if self.reset:
            reset_states(self)
        sinabs.set_batch_size(self, frames.shape[0])
        return super().forward(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    @property
    def _sample_axes(self) -> tuple[int, ...]:
        """Axes that a single frame may have."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, *_POOLS)):
                return (3,)
            if isinstance(module, nn.Conv1d):
                return (2,)
            if isinstance(module, nn.Flatten):
                return (1, 3)
            if isinstance(module, nn.Linear):
                return (1,)
        return (3,)


def talk(classes: int = 10, resolution: tuple[int, int] = (30, 30), **neuron: Any) -> nn.Module:
    """The network of the talk, in its right form: two convolutions, two pools, one linear layer.

    ``resolution`` is (width, height) of the frames, ``neuron`` goes to `IAFSqueeze`. Raises
    ArgumentError where so small a frame leaves nothing for the linear layer.

    >>> talk()[-2].in_features
    576
    """
    width, height = (((side - 2) // 2 - 2) // 2 for side in resolution)
    _check_left(width, height, resolution)
    return TimeSequential(
        nn.Conv2d(2, 8, 3, bias=False), _spiking(neuron), SumPool2d(2),
        nn.Conv2d(8, 16, 3, bias=False), _spiking(neuron), SumPool2d(2),
        nn.Flatten(), nn.Linear(16 * width * height, classes, bias=False), _spiking(neuron),
    )  # fmt: skip


def mlp(features: int = 100, classes: int = 20, hidden: int = 128, depth: int = 3) -> nn.Module:
    """``depth`` hidden layers of IAF neurons over (B, T, features), and one of the classes."""
    layers: list[Any] = []
    for _ in range(depth):
        layers += [nn.Linear(features, hidden, bias=False), _spiking({})]
        features = hidden
    return TimeSequential(*layers, nn.Linear(features, classes, bias=False), _spiking({}))


def digits(
    classes: int = 10,
    resolution: tuple[int, int] = (34, 34),
    width: float = 1.0,
    dropout: float = 0.0,
    **neuron: Any,
) -> nn.Module:
    """Three convolutions (16, 32 and 64 channels) and a linear layer, for digits of 34x34.

    ``resolution`` is (width, height) of the frames, ``width`` multiplies the channels, ``dropout``
    is the part of spikes left out before the linear layer in training, ``neuron`` goes to
    `IAFSqueeze`. With ``width`` 1 it fits a Speck. Weights are such that neurons spike from the
    start (`evstore.snn.initial.balance`). Raises ArgumentError for frames below 18x18.

    >>> digits()(torch.zeros(2, 5, 2, 34, 34)).shape
    torch.Size([2, 5, 10])
    """
    first, second, third = _channels(width)
    left = tuple((side - 2) // 2 for side in resolution)
    columns, rows = ((side - 2) // 2 - 2 for side in left)
    _check_left(columns, rows, resolution)
    model = TimeSequential(
        nn.Conv2d(2, first, 3, bias=False), _spiking(neuron), SumPool2d(2),
        nn.Conv2d(first, second, 3, bias=False), _spiking(neuron), SumPool2d(2),
        nn.Conv2d(second, third, 3, bias=False), _spiking(neuron),
        nn.Dropout(dropout), nn.Flatten(),
        nn.Linear(third * columns * rows, classes, bias=False), _spiking(neuron),
    )  # fmt: skip
    return balance(model, (2, resolution[1], resolution[0]))


def gestures(
    classes: int = 11,
    resolution: tuple[int, int] = (128, 128),
    width: float = 1.0,
    dropout: float = 0.0,
    **neuron: Any,
) -> nn.Module:
    """As `digits`, for 128x128: frames are summed over 2x2 first, as the chip's sensor can do.

    Convolutions keep the size (padding 1) but the first, whose stride is 2; after each, spikes are
    summed over 2x2. Raises ArgumentError for frames below 30x30.

    >>> gestures()(torch.zeros(1, 2, 2, 128, 128)).shape
    torch.Size([1, 2, 11])
    """
    first, second, third = _channels(width)
    columns, rows = (((side // 2 + 1) // 2) // 8 for side in resolution)
    _check_left(columns, rows, resolution)
    model = TimeSequential(
        SumPool2d(2),
        nn.Conv2d(2, first, 3, stride=2, padding=1, bias=False), _spiking(neuron), SumPool2d(2),
        nn.Conv2d(first, second, 3, padding=1, bias=False), _spiking(neuron), SumPool2d(2),
        nn.Conv2d(second, third, 3, padding=1, bias=False), _spiking(neuron), SumPool2d(2),
        nn.Dropout(dropout), nn.Flatten(),
        nn.Linear(third * columns * rows, classes, bias=False), _spiking(neuron),
    )  # fmt: skip
    return balance(model, (2, resolution[1], resolution[0]))


def relu_twin(model: nn.Module) -> nn.Module:
    """A copy of ``model`` with ReLU in place of each spiking layer: the same network on frames.

    Weights are copied; shapes and layers' names stay.

    >>> relu_twin(talk())[1]
    ReLU()
    """
    twin = copy.deepcopy(model)
    for parent in list(twin.modules()):
        for name, child in parent.named_children():
            if spikes(child):
                setattr(parent, name, nn.ReLU())
    return nn.ReLU() if spikes(twin) else twin


def _channels(width: float) -> tuple[int, int, int]:
    if not (math.isfinite(width) and width > 0):
        raise ArgumentError(f"width multiplies channels: above 0 and finite, got {width}")
    first, second, third = (max(1, round(width * count)) for count in (16, 32, 64))
    return first, second, third


def _spiking(options: dict[str, Any]) -> Any:
    """Its potential has a floor: without one, quantised weights would all be zero on the chip."""
    usual = {"batch_size": 1, "min_v_mem": -1.0, "surrogate_grad_fn": PeriodicExponential()}
    return IAFSqueeze(**{**usual, **options})


def _check_left(width: int, height: int, resolution: tuple[int, int]) -> None:
    if math.prod((max(width, 0), max(height, 0))) == 0:
        raise ArgumentError(f"frames of {resolution} are too small: nothing is left after pooling")
