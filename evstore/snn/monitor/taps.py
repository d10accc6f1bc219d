"""What a forward pass does, seen from outside: a hook that torch calls after every layer.

The hooks are torch's global ones, so that nothing stands in the model: its state_dict, its copies
and its pickles are those of a model that is not looked at.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as hooks

from evstore.snn.kinds import AVERAGING, WEIGHTED, averaged_behind, first_given, spikes
from evstore.snn.monitor.counting import counted
from evstore.snn.monitor.neurons import Counts
from evstore.snn.squeezed import with_time
from evstore.snn.synops import synops


@dataclass
class Spiking:
    """A spiking layer in one forward pass."""

    layer: Any
    counts: Counts
    membrane: list[torch.Tensor]  # least, greatest, mean


@dataclass(eq=False)
class Weighted:
    """A convolution or a linear layer in one forward pass."""

    layer: Any
    synops: list[torch.Tensor] = field(default_factory=list)  # of each call
    spiking: Any = None  # the layer that its output goes into
    averaged: float = 1.0  # by how much pools made the spikes smaller that came in


@dataclass
class Forward:
    """All layers in one forward pass, by name."""

    spiking: dict[str, Spiking] = field(default_factory=dict)
    weighted: dict[str, Weighted] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    averaged: float = 1.0  # by how much pools made the spikes smaller that come next
    waiting: list[Weighted] = field(default_factory=list)
    first: Any = None  # the spiking layer that was called first
    samples: int = 0  # of its first call
    sample_steps: int = 0  # samples times steps of all its calls: a model may loop over time


class Taps:
    """The hooks, and what the last forward pass of ``model`` under them did.

    Layers are matched by themselves, so that those that are swapped later are found as well.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._names: dict[nn.Module, str] = {}
        self._handles: list[Any] = []
        self.forward = Forward()
        self.seconds = 0.0  # spent in hooks

    @property
    def on(self) -> bool:
        """Whether hooks are there."""
        return bool(self._handles)

    def put_on(self) -> None:
        """Have torch call, until `take_off`."""
        if self._handles:
            return
        self._names = {
            module: name or "model" for name, module in self._model.named_modules()
            if spikes(module) or isinstance(module, (*WEIGHTED, *AVERAGING))
        }  # fmt: skip
        self._handles = [
            hooks.register_module_forward_pre_hook(_not_compiled(self._before)),
            hooks.register_module_forward_hook(_not_compiled(self._after), with_kwargs=True),
        ]

    def take_off(self) -> None:
        """No more calls. What was seen stays until `forget`."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._names = [], {}

    def forget(self) -> None:
        """Begin with nothing seen."""
        self.forward = Forward()

    def _before(self, module: nn.Module, entering: Any) -> None:
        if module is self._model:
            self.forget()

    def _after(self, module: nn.Module, given: Any, named: Any, leaving: Any) -> None:
        name = self._names.get(module)
        if name is None or not isinstance(leaving, torch.Tensor):
            return
        began = time.perf_counter()
        with torch.no_grad():
            if spikes(module):
                self._saw_spikes(name, module, leaving)
            elif isinstance(entering := first_given(given, named), torch.Tensor):
                self._saw_values(name, module, entering.detach(), leaving.detach())
        _wait_for(leaving.device)
        self.seconds += time.perf_counter() - began

    def _saw_spikes(self, name: str, layer: Any, leaving: torch.Tensor) -> None:
        seen = self.forward
        counts = counted(with_time(layer, leaving))
        if seen.first is None:
            seen.first, seen.samples = layer, counts.samples
        if seen.first is layer:
            seen.sample_steps += counts.steps
        while name in seen.spiking and seen.spiking[name].counts.shape != counts.shape:
            name += "'"  # used twice, for different shapes
        if name in seen.spiking:
            counts.add(seen.spiking[name].counts)
        else:
            seen.order.append(name)
        membrane = getattr(layer, "v_mem", None)
        seen.spiking[name] = Spiking(layer, counts, _range(membrane))
        for weighted in seen.waiting:
            weighted.spiking = layer
        seen.waiting, seen.averaged = [], 1.0

    def _saw_values(
        self, name: str, layer: Any, entering: torch.Tensor, leaving: torch.Tensor
    ) -> None:
        seen = self.forward
        averaged = seen.averaged
        seen.averaged = averaged_behind(layer, averaged, entering, leaving)
        if isinstance(layer, AVERAGING):
            return
        if name not in seen.weighted:
            seen.weighted[name] = Weighted(layer, averaged=averaged)
            seen.order.append(name)
        weighted = seen.weighted[name]
        weighted.synops.append(synops(layer, entering) * averaged)
        if weighted not in seen.waiting:
            seen.waiting.append(weighted)


def _not_compiled(hook: Any) -> Any:
    """Left out of what torch.compile makes of the model, where that was used at all.

    To ask for it imports the compiler, which takes a second.
    """
    return torch.compiler.disable(hook) if "torch._dynamo" in sys.modules else hook


def _range(membrane: Any) -> list[torch.Tensor]:
    if not isinstance(membrane, torch.Tensor) or not membrane.numel():
        return []
    values = membrane.detach().float()
    return [values.min(), values.max(), values.mean()]


def _wait_for(device: torch.device) -> None:
    """So that what the hooks cost counts as theirs."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
