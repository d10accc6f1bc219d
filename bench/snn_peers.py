"""What evstore's spiking layers are compared with: sinabs' layers, and SpikingJelly's."""

from __future__ import annotations

import copy
import inspect
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import sinabs.layers as sl
from torch import nn

import evstore.snn as snn

#: What SpikingJelly imports, and nothing that is measured uses.
_UNUSED = ("torchvision", "loguru")


def in_sinabs(model: nn.Module, iaf: Any = sl.IAFSqueeze) -> nn.Module:
    """A copy of the network in sinabs' own layers; what takes its frames and resets it stays.

    The layers are made anew: a class that is changed would keep attributes of ours. ``iaf`` is a
    layer with sinabs' arguments.
    """
    twin = copy.deepcopy(model)
    for parent in list(twin.modules()):
        for name, child in parent.named_children():
            if type(child) is snn.IAFSqueeze:
                setattr(parent, name, _iaf(child, iaf))
            elif type(child) is snn.SumPool2d:
                setattr(parent, name, sl.SumPool2d(child.kernel_size, child.stride))
    return twin


def _iaf(layer: Any, iaf: Any) -> Any:
    return iaf(
        spike_threshold=layer.spike_threshold, spike_fn=layer.spike_fn, reset_fn=layer.reset_fn,
        surrogate_grad_fn=layer.surrogate_grad_fn, min_v_mem=layer.min_v_mem, batch_size=1,
    )  # fmt: skip


class _Anything(ModuleType):
    """A module of which every name is something that may be called, and does nothing."""

    __path__: list[str] = []  # noqa: RUF012 - never changed

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name)

    def __call__(self, *_: Any, **__: Any) -> None:
        pass


def spikingjelly() -> Any:
    """Its modules `neuron` and `functional`; None where it is not installed."""
    if find_spec("spikingjelly") is None:
        return None
    absent = [name for name in _UNUSED if name not in sys.modules and find_spec(name) is None]
    for name in absent:
        sys.modules[name] = _Anything(name)
    try:
        from spikingjelly import activation_based
        from spikingjelly.activation_based import functional, neuron  # noqa: F401
    finally:
        for name in absent:  # who looks for them later is told that they are not there
            del sys.modules[name]
    return activation_based


def if_node(jelly: Any, backend: str) -> Any:
    """Its IAF neurons, over (T, B, ...): soft reset, as ours; the surrogate is its own.

    Since 2.0 it has no ``backend`` to choose: CPU tensors go to torch, those of a GPU to Triton.
    """
    options = {"step_mode": "m", "v_reset": None}
    if "backend" in inspect.signature(jelly.neuron.IFNode).parameters:
        options["backend"] = backend
    return jelly.neuron.IFNode(**options)
