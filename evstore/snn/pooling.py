"""Sum pooling, as chips do it: sinabs' layer with the gradient of a sum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sinabs.layers as sl
import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from evstore.snn import pool_kernels as kernels
from evstore.snn.same_class import SameClass
from evstore.snn.scan_cpu import empty
from evstore.snn.threads import on_threads, parts_of
from evstore.snn.uncompiled import uncompiled


class SumPool2d(sl.SumPool2d, metaclass=SameClass):  # type: ignore[misc]
    """Sums of squares of pixels, (N, C, H, W) -> (N, C, H // k, W // k): for spikes.

    sinabs' layer computes it as a root of a sum of powers, whose gradient torch takes to be zero
    wherever the sum is: where no neuron spiked, nothing is learnt. Here it is that of a sum. Of
    kernels that do not overlap, on the CPU, a kernel of our own does it in a pass each way.

    >>> SumPool2d(2)(torch.ones(1, 1, 5, 4)).flatten()
    tensor([4., 4., 4., 4.])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sums of x (..., H, W)."""
        size, stride = _pair(self.kernel_size), _pair(self.stride or self.kernel_size)
        sides = zip(x.shape[-2:], size, stride, strict=True)
        if self.ceil_mode and any((side - kernel) % step for side, kernel, step in sides):
            return super().forward(x)  # windows over the edge, which sinabs scales up
        if size == stride and size[0] == size[1] and x.is_cpu and x.dtype == torch.float32:
            return _sum_pool(x, size[0])
        return functional.avg_pool2d(x, size, stride, divisor_override=1)


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[-1])


@uncompiled
def _sum_pool(x: torch.Tensor, size: int) -> torch.Tensor:
    summed: torch.Tensor = _SumPool.apply(x, size)
    return summed


class _SumPool(torch.autograd.Function):  # type: ignore[misc]
    """Keeps the shape only, where torch's keeps the input."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, size: int) -> torch.Tensor:
        ctx.shape, ctx.size = x.shape, size
        *planes, height, width = x.shape
        shape = (*planes, height // size, width // size)
        if min(shape[-2:]) == 0:
            raise ValueError(f"a kernel of {size} does not fit into {height} x {width} pixels")
        out = empty(shape)
        given, made = x.contiguous().view(-1).numpy(), out.view(-1).numpy()

        def run(part: Any) -> None:
            row = np.empty(width, np.float32)
            kernels.sum_planes(given, made, row, size, height, width, *part[:2])

        on_threads(run, parts_of(math.prod(planes), 1, height * width))
        return out

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        dx = empty(ctx.shape)
        *planes, height, width = ctx.shape
        given, made = g.contiguous().view(-1).numpy(), dx.view(-1).numpy()

        def run(part: Any) -> None:
            kernels.spread_planes(given, made, ctx.size, height, width, *part[:2])

        on_threads(run, parts_of(math.prod(planes), 1, height * width))
        return dx, None
