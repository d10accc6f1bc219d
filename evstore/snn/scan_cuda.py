"""The two passes on CUDA tensors: launches of the Triton kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from evstore.errors import MissingDependencyError
from evstore.snn.slopes import slopes_of
from evstore.snn.surrogate_kernels import (
    Gaussian,
    Heaviside,
    MultiGaussian,
    PeriodicExponential,
    SingleExponential,
)

try:
    from evstore.snn import scan_triton as kernels
except ModuleNotFoundError:
    raise MissingDependencyError("triton", "snn", "spiking neurons on a GPU") from None

BLOCK = 128  # neurons a program: as many threads, so that small layers fill a GPU too
_KINDS = (SingleExponential, PeriodicExponential, Heaviside, Gaussian, MultiGaussian)


def forward(
    neurons: Any, flat: Mapping[str, torch.Tensor], x: torch.Tensor, v: torch.Tensor,
    current: torch.Tensor, *, keep: bool,
) -> Any:  # fmt: skip
    """As `scan_cpu.forward`."""
    x, v, current = (one.detach().contiguous() for one in (x, v, current))
    batch, steps, n = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    spikes = torch.empty_like(x)
    v_end, current_end = torch.empty_like(v), torch.empty_like(current)
    synaptic = neurons.synapse is not None
    before = torch.empty_like(x) if keep else None
    currents = torch.empty_like(x) if keep and synaptic else None
    if x.numel() == 0:
        return spikes, v.clone(), current.clone(), (before, currents)
    how = neurons.dynamics
    _launch(
        kernels.forward, x, _grid(n, batch),
        x, v, current, *_in_order(flat),
        spikes, spikes if before is None else before, spikes if currents is None else currents,
        v_end, current_end, how.limit, how.value, _rows(flat, x, n), steps, n,
        **_rules(neurons), KEEP=keep, BLOCK=BLOCK, enable_fp_fusion=False,
    )  # fmt: skip
    return spikes, v_end, current_end, (before, currents)


def backward(
    neurons: Any, flat: Mapping[str, torch.Tensor], before: torch.Tensor, kept: Any, grads: Any,
    wants: bool,
) -> Any:  # fmt: skip
    """As `scan_cpu.backward`."""
    batch, steps, n = before.shape[0], before.shape[1], math.prod(before.shape[2:])
    x, v, current, currents = kept
    g, g_v, g_current = (one.contiguous() for one in grads)
    dx, dv, dcurrent = torch.empty_like(before), torch.empty_like(g_v), torch.empty_like(g_v)
    names = ("carry", "gain", "synapse", "threshold", "amount")
    sums = {name: torch.zeros_like(g_v) if wants else dv for name in names}
    if before.numel() == 0:
        dv, dcurrent = g_v.clone(), g_current.clone()
    else:
        how, numbers, slopes = _surrogate(neurons, flat, before)
        _launch(
            kernels.backward, before, _grid(n, batch),
            before, g, slopes, x if wants else before, v, current,
            before if currents is None else currents, g_v, g_current, *_in_order(flat),
            dx, dv, dcurrent, *sums.values(), neurons.dynamics.limit, neurons.dynamics.value,
            *numbers, _rows(flat, before, n), steps, n,
            **_rules(neurons), HOW=how, SUMS=wants, BLOCK=BLOCK, enable_fp_fusion=False,
        )  # fmt: skip
    if not wants:
        return dx, dv, dcurrent, {}
    own = flat["carry"].dim() == before.dim() - 1
    by_name = {name: one if own else one.sum(0) for name, one in sums.items()}
    return dx, dv, dcurrent, by_name


def _surrogate(
    neurons: Any, flat: Mapping[str, torch.Tensor], before: torch.Tensor
) -> tuple[int, list[float], torch.Tensor]:
    """Its number, its parameters, and its values where only torch can compute them."""
    how = neurons.dynamics.surrogate
    if how is None:
        return kernels.GIVEN, [0.0] * 5, slopes_of(neurons, flat, before)
    numbers = [float(number) for number in how]
    return _KINDS.index(type(how)), numbers + [0.0] * (5 - len(numbers)), before


def _in_order(flat: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    return [flat[name] for name in ("carry", "gain", "synapse", "threshold", "amount", "floor")]


def _rules(neurons: Any) -> dict[str, bool]:
    how = neurons.dynamics
    return {
        "SINGLE": how.single, "ZERO": how.zero, "FLOORED": neurons.floor is not None,
        "SYNAPTIC": neurons.synapse is not None,
    }  # fmt: skip


def _rows(flat: Mapping[str, torch.Tensor], x: torch.Tensor, n: int) -> int:
    return n if flat["carry"].dim() == x.dim() - 1 else 0


def _launch(
    kernel: Any, on: torch.Tensor, grid: tuple[int, int], *given: Any, **options: Any
) -> None:
    """On the tensor's own device: Triton would launch on the one that is current."""
    with torch.cuda.device_of(on):
        kernel[grid](*given, **options)


def _grid(n: int, batch: int) -> tuple[int, int]:
    return (-(-n // BLOCK), batch)
