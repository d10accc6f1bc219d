"""IAF and LIF neurons: sinabs' layers, computed at once over all time steps.

The plain way, step by step, is that of sinabs itself: ``layer.fused = False``, or whatever kernels
do not know: a spike or reset function of somebody else, float64, ``record_states``.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import sinabs.layers as sl
import torch

from evstore.snn.rules import dynamics_of
from evstore.snn.same_class import SameClass
from evstore.snn.scan import Neurons, scan

FLOATS = (torch.float32, torch.float16, torch.bfloat16)


def _forward(layer: Any, x: torch.Tensor) -> torch.Tensor | None:
    """Spikes of x (B, T, ...) by the kernels; None where they do not know the layer or x."""
    dynamics = dynamics_of(layer.spike_fn, layer.reset_fn, layer.surrogate_grad_fn)
    if (
        dynamics is None
        or not layer.fused
        or layer.record_states
        or (x.is_floating_point() and x.dtype not in FLOATS)
        or x.is_complex()
        or x.device.type not in ("cpu", "cuda")
        or (layer.min_v_mem is not None and layer.min_v_mem.requires_grad)
    ):
        return None
    _fit_states(layer, x)
    carry, synapse = layer.alpha_mem_calculated, layer.alpha_syn_calculated
    gain = 1 - carry if layer.norm_input else torch.ones(())
    neurons = Neurons(
        carry, gain, synapse, layer.spike_threshold, layer.min_v_mem, dynamics,
        layer.surrogate_grad_fn, layer.train_threshold,
    )  # fmt: skip
    current = None if synapse is None else _state(layer.i_syn)
    spikes, layer.v_mem, layer.i_syn = scan(
        x.float().contiguous(), _state(layer.v_mem), current, neurons
    )
    layer.firing_rate = spikes.mean()
    layer.recordings = {}
    return spikes


def _fit_states(layer: Any, x: torch.Tensor) -> None:
    """As sinabs: zeros at first; of another batch size, states drawn from those there are."""
    batch, _, *trailing = x.shape
    if not layer.is_state_initialised() or not layer.has_trailing_dimension(trailing):
        layer.init_state_with_shape((batch, *trailing))
    elif not layer.state_has_shape(x.shape[:1] + x.shape[2:]):
        layer.handle_state_batch_size_mismatch(batch)


def _state(given: torch.Tensor) -> torch.Tensor:
    """As kernels take it; of torch.inference_mode a copy, since autograd keeps none of those."""
    state = given.float()
    return state.clone() if state.is_inference() else state


def _run(layer: Any, x: torch.Tensor, plain: Any) -> torch.Tensor:
    spikes = _forward(layer, x)
    return plain(x) if spikes is None else spikes


def _says_threshold(kind: Any, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether the arguments of a layer of sinabs name a threshold, by name or place."""
    names = list(inspect.signature(kind).parameters)
    return "spike_threshold" in options or "spike_threshold" in names[: len(args)]


class _AllSteps:
    """What makes a layer of sinabs one that is computed at once over all steps."""

    fused = True

    def __init__(self, *args: Any, train_threshold: bool = False, **options: Any) -> None:
        # sinabs' default is one tensor in all layers: whoever changes one changes all, and those
        # that come.
        if not _says_threshold(type(self).__bases__[-1], args, options):
            options["spike_threshold"] = torch.tensor(1.0)
        super().__init__(*args, **options)
        self.train_threshold = train_threshold
        given: Any = self.spike_threshold  # type: ignore[has-type]
        if given is not None:
            own = given.detach().clone()
            self.spike_threshold = torch.nn.Parameter(own, train_threshold or given.requires_grad)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes of x, in its shape."""
        run = partial(_run, self, plain=partial(sl.LIF.forward, self))
        if isinstance(self, sl.SqueezeMixin):
            squeezed: torch.Tensor = self.squeeze_forward(x, run)
            return squeezed
        return run(x)

    @property
    def _param_dict(self) -> dict[str, Any]:
        """What sinabs makes copies of."""
        given: dict[str, Any] = super()._param_dict  # type: ignore[misc]
        return {**given, "train_threshold": self.train_threshold}


class LIF(_AllSteps, sl.LIF, metaclass=SameClass):  # type: ignore[misc]
    """Leaky integrate-and-fire neurons over (B, T, ...): the arguments are those of sinabs' LIF.

    v = alpha v + (1 - alpha) i with ``norm_input`` (the default), else v = alpha v + i, where
    alpha = exp(-1 / tau_mem), tau_mem in steps; i is the input, or with ``tau_syn`` what synapses
    make of it. Then spikes, reset, and ``min_v_mem``. Gradients reach ``tau_mem``, ``tau_syn`` and,
    once it requires them, ``spike_threshold``: as in sinabs by what a spike takes away, and with
    ``train_threshold`` by whether there is one at all as well. States carry from call to call: what
    computes a call twice, as torch.utils.checkpoint does, must reset them within what it computes.

    >>> LIF(tau_mem=20.0)(torch.full((1, 50, 1), 2.0)).detach().sum()
    tensor(3.)
    """


class LIFSqueeze(_AllSteps, sl.LIFSqueeze, metaclass=SameClass):  # type: ignore[misc]
    """`LIF` over (B * T, ...): say ``batch_size`` or ``num_timesteps``.

    >>> LIFSqueeze(tau_mem=20.0, batch_size=2)(torch.full((100, 1), 2.0)).detach().sum()
    tensor(6.)
    """


class IAF(_AllSteps, sl.IAF, metaclass=SameClass):  # type: ignore[misc]
    """Integrate-and-fire neurons over (B, T, ...): `LIF` without a leak.

    >>> IAF()(torch.full((1, 4, 1), 0.5)).flatten()
    tensor([0., 1., 0., 1.])
    """


class IAFSqueeze(_AllSteps, sl.IAFSqueeze, metaclass=SameClass):  # type: ignore[misc]
    """`IAF` over (B * T, ...), what a Speck chip runs: say ``batch_size`` or ``num_timesteps``.

    >>> IAFSqueeze(batch_size=1)(torch.full((4, 1), 0.5)).flatten()
    tensor([0., 1., 0., 1.])
    """


#: Layers whose neurons are those of LIF or IAF, and nothing else.
SPIKING = (sl.LIF, sl.LIFSqueeze, sl.IAF, sl.IAFSqueeze, LIF, LIFSqueeze, IAF, IAFSqueeze)
