"""Neurons over all steps of a call, with their gradient: what is the same on CPU and GPU."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable

from evstore.snn import scan_cpu
from evstore.snn.rules import Dynamics
from evstore.snn.uncompiled import uncompiled


class Neurons(NamedTuple):
    """What a call computes with: parameters of any shape that fits (B, ...), float32.

    v = carry v + gain i, i = synapse (i + x); ``synapse`` and ``floor`` may be None.
    """

    carry: torch.Tensor
    gain: torch.Tensor
    synapse: torch.Tensor | None
    threshold: torch.Tensor
    floor: torch.Tensor | None
    dynamics: Dynamics
    surrogate: Any  # as torch calls it
    train_threshold: bool


@uncompiled
def scan(
    x: torch.Tensor, v: torch.Tensor, current: torch.Tensor | None, neurons: Neurons
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Spikes of x (B, T, ...), and the states (B, ...) after it.

    ``v`` and ``current``: the states before. Differentiable in x, the states and the parameters
    but ``floor``; the second derivative is not defined.
    """
    flat = _flat_parameters(x, neurons)
    states = (v, torch.zeros_like(v) if current is None else current)
    given = (x, *states, *flat.values())
    if torch.is_grad_enabled() and any(one.requires_grad for one in given):
        spikes, v_end, current_end = _Scan.apply(neurons, tuple(flat), *given)
    else:
        spikes, v_end, current_end, _ = _backend(x).forward(neurons, flat, x, *states, keep=False)
    return spikes, v_end, None if current is None else current_end


def _flat_parameters(x: torch.Tensor, neurons: Neurons) -> dict[str, torch.Tensor]:
    """Each parameter of the neurons' shape, or of the samples' and theirs where one needs it."""
    shape = x.shape[2:]
    amount = neurons.dynamics.amount
    some = {
        "carry": neurons.carry,
        "gain": neurons.gain,
        "synapse": neurons.gain if neurons.synapse is None else neurons.synapse,
        "threshold": neurons.threshold,
        "amount": neurons.threshold if amount is None else torch.as_tensor(amount),
        "floor": neurons.threshold.detach() if neurons.floor is None else neurons.floor.detach(),
    }
    if any(one.dim() > len(shape) for one in some.values()):
        shape = (x.shape[0], *shape)
    return {
        name: one.to(x.device, torch.float32).expand(shape).contiguous()
        for name, one in some.items()
    }


def _backend(x: torch.Tensor) -> Any:
    if x.device.type == "cpu":
        return scan_cpu
    from evstore.snn import scan_cuda

    return scan_cuda


class _Scan(torch.autograd.Function):  # type: ignore[misc]
    """The pair of passes; ``names``: what the tensors behind the states are."""

    @staticmethod
    def forward(ctx: Any, neurons: Neurons, names: tuple[str, ...], *given: Any) -> Any:
        x, v, current, *parameters = given
        flat = dict(zip(names, parameters, strict=True))
        wants = any(one.requires_grad for one in parameters)
        spikes, v_end, current_end, kept = _backend(x).forward(
            neurons, flat, x, v, current, keep=True
        )
        before, currents = kept
        ctx.neurons, ctx.names, ctx.wants = neurons, names, wants
        ctx.set_materialize_grads(False)
        ctx.shape = v.shape
        if not wants:  # then the gradient needs none of them; no view, which would keep x alive
            x = v = current = x.new_empty(0)
            currents = None
        ctx.save_for_backward(before, x, v, current, currents, *parameters)
        return spikes, v_end, current_end

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, g: Any, g_v: Any, g_current: Any) -> Any:
        before, x, v, current, currents, *parameters = ctx.saved_tensors
        flat = dict(zip(ctx.names, parameters, strict=True))
        g = torch.zeros_like(before) if g is None else g
        g_v = before.new_zeros(ctx.shape) if g_v is None else g_v
        g_current = before.new_zeros(ctx.shape) if g_current is None else g_current
        dx, dv, dcurrent, sums = _backend(before).backward(
            ctx.neurons, flat, before, (x, v, current, currents), (g, g_v, g_current), ctx.wants
        )
        if not ctx.wants:
            return None, None, dx, dv, dcurrent, *(None for _ in parameters)
        if not ctx.neurons.train_threshold:  # as sinabs has it: only by what a spike takes away
            sums = {**sums, "threshold": None}
        of_parameters = [sums.get(name) for name in ctx.names]
        return None, None, dx, dv, dcurrent, *of_parameters
