"""Spiking convolutional networks of the sizes that a Speck chip holds.

All are `TimeSequential`: a plain Sequential of convolutions, IAF neurons and pools, that takes
frames with their time, (B, T, P, H, W), or without, (B * T, P, H, W), as sinabs' tools do.
"""

from __future__ import annotations

import math
from typing import Any

import sinabs
import torch
from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.neurons import IAFSqueeze
from evstore.snn.pooling import SumPool2d
from evstore.snn.states import reset_states


class TimeSequential(nn.Sequential):  # type: ignore[misc]
    """Layers in a row, whose input may have its time in an axis of its own.

    (B, T, ...) -> (B, T, ...), or (B * T, ...) -> (B * T, ...) where the squeezing layers were told
    the batch size (sinabs.set_batch_size). ``...`` is (P, H, W) where the first layer with weights
    is a convolution, (features,) where it is linear. States carry from call to call; ``reset=True``
    (as all models here have it) begins each call of (B, T, ...) with states of zero.
    """

    def __init__(self, *layers: Any, reset: bool = True) -> None:
        super().__init__(*layers)
        self.reset = reset

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames through all layers; any dtype, computed in that of the weights."""
        weights = next((p for p in self.parameters() if p.is_floating_point()), None)
        if weights is not None and not frames.is_floating_point():
            frames = frames.to(weights.dtype)
        if frames.dim() != self._sample_axes + 2:
            return super().forward(frames)
        if self.reset:
            reset_states(self)
        sinabs.set_batch_size(self, frames.shape[0])
        return super().forward(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    @property
    def _sample_axes(self) -> int:
        """Axes of a single frame."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                return 3
            if isinstance(module, nn.Linear):
                return 1
        return 3


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


def _spiking(options: dict[str, Any]) -> Any:
    """Its potential has a floor: without one, quantised weights would all be zero on the chip."""
    return IAFSqueeze(**{"batch_size": 1, "min_v_mem": -1.0, **options})


def _check_left(width: int, height: int, resolution: tuple[int, int]) -> None:
    if math.prod((max(width, 0), max(height, 0))) == 0:
        raise ArgumentError(f"frames of {resolution} are too small: nothing is left after pooling")
