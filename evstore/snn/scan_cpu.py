"""The two passes on CPU tensors: Numba kernels, on the threads of torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from evstore import memory
from evstore.snn import scan_kernels as kernels
from evstore.snn.slopes import slopes_of
from evstore.snn.surrogate_kernels import Given
from evstore.snn.threads import on_threads, parts_of

F = np.float32


def forward(
    neurons: Any, flat: Mapping[str, torch.Tensor], x: torch.Tensor, v: torch.Tensor,
    current: torch.Tensor, *, keep: bool,
) -> Any:  # fmt: skip
    """Spikes, both states at the end, and (potentials before spikes, currents) if they are kept."""
    batch, steps, n = _sizes(x)
    spikes = empty(x.shape)
    v_end, current_end = v.detach().clone(), current.detach().clone()
    synaptic = neurons.synapse is not None
    before = empty(x.shape) if keep else None
    currents = empty(x.shape) if keep and synaptic else None
    rows = [
        torch.empty(n) if one is None else one for one in (before, currents)
    ]  # a row that each step writes over, where nothing is kept
    parts = parts_of(batch, steps, n)
    if len(parts) > 1 and batch >= len(parts):  # a row each: threads have the same neurons
        rows = [torch.empty(len(parts), n) if one is None else one for one in (before, currents)]
    arrays = [_array(one) for one in (x, v_end, current_end)]
    p, rules = _parameters(flat, n, x), rules_of(neurons)
    outs = [_array(one) for one in (spikes, *rows)]
    order = {part: k for k, part in enumerate(parts)}

    def run(part: Any) -> None:
        own = [
            row if kept is not None or row.size == n else row[order[part] * n :]
            for row, kept in zip(outs[1:], (before, currents), strict=True)
        ]
        kernels.forward(
            *arrays, p, rules, outs[0], *own,
            n if before is not None else 0, n if currents is not None else 0, steps, n, *part,
        )  # type: ignore[call-arg]  # fmt: skip

    on_threads(run, parts)
    return spikes, v_end, current_end, (before, currents)


def backward(
    neurons: Any, flat: Mapping[str, torch.Tensor], before: torch.Tensor, kept: Any, grads: Any,
    wants: bool,
) -> Any:  # fmt: skip
    """Gradients of the input, of both states at the start, and of parameters by name."""
    batch, steps, n = _sizes(before)
    x, v, current, currents = kept
    g, g_v, g_current = grads
    later, of_current = (one.detach().clone() for one in (g_v, g_current))
    how, slopes = neurons.dynamics.surrogate, None
    if how is None:
        how, slopes = Given(F(0)), slopes_of(neurons, flat, before)
    nothing = np.empty(n, F)
    holds = kernels.Kept(
        _array(before), _array(x) if wants else nothing,
        nothing if currents is None else _array(currents), 0 if currents is None else n,
        _array(v), _array(current), nothing if slopes is None else _array(slopes),
        0 if slopes is None else n,
    )  # fmt: skip
    states = kernels.States(
        _array(later), _array(of_current), np.zeros(batch * n, F), np.empty(batch * n, F)
    )
    sums = kernels.Sums(*(np.zeros(batch * n, F) for _ in range(5))) if wants else None
    dx = empty(before.shape)
    gradient, p, out = _array(g), _parameters(flat, n, before), _array(dx)
    rules = rules_of(neurons)

    def run(part: Any) -> None:
        kernels.backward(how, holds, gradient, p, rules, states, out, sums, steps, n, *part)

    on_threads(run, parts_of(batch, steps, n))
    return dx, later, of_current, _by_name(sums, flat, before)


def _by_name(sums: Any, flat: Mapping[str, torch.Tensor], x: torch.Tensor) -> dict[str, Any]:
    """Gradients of the parameters' own shape: over samples, unless they have their own."""
    if sums is None:
        return {}
    made = {}
    for name, total in sums._asdict().items():
        each = torch.from_numpy(total).view(x.shape[0], *x.shape[2:])
        made[name] = each if flat[name].dim() == each.dim() else each.sum(0)
    return made


def empty(shape: Any) -> torch.Tensor:
    """float32 values that are not set, in memory that is used again."""
    size = math.prod(shape)
    # Shaped by numpy: autograd lets nobody change a view that a function gives in place.
    return torch.from_numpy(memory.room(4 * size).view(F).reshape(tuple(shape)))


def rules_of(neurons: Any) -> Any:
    """The neurons' dynamics as kernels take them."""
    how = neurons.dynamics
    return kernels.Rules(
        how.single, F(how.limit), how.zero, F(how.value),
        neurons.floor is not None, neurons.synapse is not None,
    )  # fmt: skip


def _parameters(flat: Mapping[str, torch.Tensor], n: int, x: torch.Tensor) -> Any:
    own = flat["carry"].dim() == x.dim() - 1
    arrays = {name: _array(one) for name, one in flat.items()}
    return kernels.Parameters(**arrays, rows=n if own else 0)


def _sizes(x: torch.Tensor) -> tuple[int, int, int]:
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def _array(tensor: torch.Tensor) -> Any:
    """Its values, one after the other."""
    return tensor.detach().contiguous().view(-1).numpy()
