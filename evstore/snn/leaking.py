"""The same network with a leak: what it has heard fades."""

from __future__ import annotations

import copy
from typing import Any

import sinabs.layers as sl
import torch
from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.kinds import computes_as
from evstore.snn.neurons import LIF, SPIKING, LIFSqueeze
from evstore.snn.states import stateful


def leaky(model: nn.Module, tau_mem: float) -> nn.Module:
    """A copy of ``model`` with a LIF layer in place of each IAF layer; weights are the same.

    ``tau_mem`` is in steps: after so many, 1 / e of a potential is left. Inputs are not scaled
    (``norm_input=False``), so a very large ``tau_mem`` gives what ``model`` gives. Thresholds,
    floors, spikes and resets stay; states are zero. Raises ArgumentError for ``tau_mem`` <= 0, for
    IAF layers that compute in a way of their own, and where there is none.

    >>> from evstore.snn import IAF
    >>> leaky(IAF(), 2.0)(torch.full((1, 6, 1), 0.5)).detach().flatten().tolist()
    [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    if not tau_mem > 0:
        raise ArgumentError(f"tau_mem is in steps: above 0, got {tau_mem}")
    # States begin anew; those of a step that was trained have a history, which nothing can copy.
    states = [state for layer in stateful(model) for state in layer.buffers(recurse=False)]
    copied = copy.deepcopy(model, {id(state): torch.zeros(0) for state in states})
    if isinstance(copied, sl.IAF):
        return _leaky(copied, tau_mem)
    made: dict[int, Any] = {}
    for parent in list(copied.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, sl.IAF):
                if id(child) not in made:
                    made[id(child)] = _leaky(child, tau_mem)
                setattr(parent, name, made[id(child)])
    if not made:
        raise ArgumentError("the model has no IAF layer that could leak")
    return copied


def _leaky(layer: Any, tau_mem: float) -> Any:
    if not computes_as(layer, SPIKING):
        raise ArgumentError(f"a {type(layer).__name__} computes in its own way, which no leak can "
                            "be added to")  # fmt: skip
    squeezes = isinstance(layer, sl.IAFSqueeze)
    options = {
        name: getattr(layer, name)
        for name in ("spike_threshold", "spike_fn", "reset_fn", "surrogate_grad_fn", "tau_syn",
                     "min_v_mem", "record_states")
    }  # fmt: skip
    options |= {"train_threshold": getattr(layer, "train_threshold", False)}
    if squeezes:
        options |= {"batch_size": layer.batch_size, "num_timesteps": layer.num_timesteps}
    kind = LIFSqueeze if squeezes else LIF
    made: Any = kind(tau_mem=torch.tensor(float(tau_mem)), norm_input=False, **options)
    made.train(layer.training)
    return made.to(next(layer.parameters()).device)
