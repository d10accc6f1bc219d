"""Synaptic operations: how many connections the spikes that enter a layer go along."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)
AVERAGING = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
#: torch's names of what surrounds an image, as numpy says them.
PADDING = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def synops(layer: nn.Module, entering: torch.Tensor) -> torch.Tensor:
    """SynOps of a call of a convolution or a linear layer: a float64 scalar, on its device.

    Sum over all that ``entering`` holds of |value| times the number of weights that it meets, which
    at borders, and where a stride skips it, is less than the kernel's. For spikes that is what
    sinabs.hooks count. Biases are no operations.
    """
    values = entering.detach()
    if isinstance(layer, nn.Linear):
        return _absolute(values).sum() * layer.out_features
    sizes = values.shape[-len(layer.kernel_size) :]
    summed = _absolute(values.reshape(-1, math.prod(sizes)).T).reshape(sizes)
    for axis, size in enumerate(sizes):
        met = fan_out(
            size, layer.kernel_size[axis], layer.stride[axis], _padding(layer, axis),
            layer.dilation[axis], layer.padding_mode,
        )  # fmt: skip
        summed = torch.tensordot(torch.from_numpy(met).to(summed.device), summed, dims=([0], [0]))
    return summed * (layer.out_channels // layer.groups)


def averaged_over(pool: Any, entering: torch.Tensor, leaving: torch.Tensor) -> float:
    """By how much a pool's average makes spikes smaller than they are: the values in a window.

    Windows that overlap or leave gaps would need more than a number (sinabs warns of these).
    """
    size = getattr(pool, "kernel_size", None)
    if size is None:  # adaptive: windows as they come
        return float(entering.numel() / max(1, leaving.numel()))
    return float(size**2 if isinstance(size, int) else math.prod(size))


@lru_cache(maxsize=256)
def fan_out(
    size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int, mode: str
) -> NDArray[np.float64]:
    """For each place of one axis: how many weights of a convolution's kernel it meets.

    >>> fan_out(5, 3, 1, (0, 0), 1, "zeros")
    array([1., 2., 3., 2., 1.])
    >>> fan_out(5, 3, 2, (1, 1), 1, "zeros")
    array([1., 2., 1., 2., 1.])
    """
    places = np.arange(size)
    source = (
        np.pad(places, padding, constant_values=-1)
        if mode == "zeros"
        else np.pad(places, padding, mode=PADDING[mode])  # type: ignore[call-overload]
    )
    outputs = (source.size - dilation * (kernel - 1) - 1) // stride + 1
    first = np.arange(outputs) * stride
    met = source[first[:, None] + np.arange(kernel) * dilation]
    return np.bincount(met[met >= 0], minlength=size).astype(np.float64)


def _padding(layer: Any, axis: int) -> tuple[int, int]:
    """Before and behind the values of an axis."""
    if layer.padding == "valid":
        return 0, 0
    if layer.padding == "same":
        total = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
        return total // 2, total - total // 2
    return layer.padding[axis], layer.padding[axis]


def _absolute(values: torch.Tensor) -> torch.Tensor:
    """Sums of |values| over the last axis: float32 holds sums of spikes exactly to 16 million."""
    return torch.linalg.vector_norm(values.float(), 1, dim=-1).double()
