"""Spiking layers as nodes of NIR, with beside them what NIR has no word for."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import nir
import numpy as np
import sinabs.activation as activations
import sinabs.layers as sl
import torch

from evstore.errors import ArgumentError, CorruptError
from evstore.snn.kinds import computes_as
from evstore.snn.neurons import SPIKING, IAFSqueeze, LIFSqueeze

#: Functions of sinabs that neurons may have, by name; the first two are classes that are passed on.
_CLASSES = ("MultiSpike", "SingleSpike")
_MADE = (
    "MaxSpike", "MembraneSubtract", "MembraneReset", "Heaviside", "Gaussian", "MultiGaussian",
    "SingleExponential", "PeriodicExponential",
)  # fmt: skip
_FUNCTIONS = ("spike_fn", "reset_fn", "surrogate_grad_fn")


def neurons_node(name: str, layer: Any, shape: tuple[int, ...]) -> tuple[Any, dict[str, Any]]:
    """NIR's node of a layer of IAF or LIF neurons of ``shape``, and what that cannot say."""
    if not (computes_as(layer, SPIKING) and isinstance(layer, sl.LIF) and layer.does_spike):
        raise ArgumentError(f"layer {name!r}, a {type(layer).__name__}, has no equal in NIR that "
                            "evstore writes: IAF and LIF neurons have")  # fmt: skip
    if layer.tau_syn_calculated is not None:
        raise ArgumentError(f"layer {name!r}: neurons with tau_syn cannot be written to NIR; train "
                            "without")  # fmt: skip
    threshold = _spread(name, layer.spike_threshold, shape)
    beside: dict[str, Any] = {fn: _described(name, getattr(layer, fn)) for fn in _FUNCTIONS}
    beside["min_v_mem"] = None
    if layer.min_v_mem is not None:
        beside["min_v_mem"] = _listed(name, "min_v_mem", layer.min_v_mem)
    if isinstance(layer, sl.IAF):
        return nir.IF(r=np.ones(shape, threshold.dtype), v_threshold=threshold), beside
    beside["norm_input"] = bool(layer.norm_input)
    tau = _spread(name, layer.tau_mem_calculated, shape)
    if layer.train_alphas:
        beside["alpha_mem"] = _listed(name, "alpha_mem", layer.alpha_mem)
    # NIR's R I over one step adds (1 - exp(-1 / tau)) R I; neurons that do not norm add I.
    gain = np.ones(shape) if layer.norm_input else 1 / (1 - np.exp(-1 / tau.astype(np.float64)))
    gain = gain.astype(threshold.dtype)
    leak = np.zeros(shape, threshold.dtype)
    return nir.LIF(tau=tau, r=gain, v_leak=leak, v_threshold=threshold), beside


def neurons_of(name: str, node: Any, beside: dict[str, Any] | None) -> Any:
    """The squeezing layer of evstore's that a node of NIR stands for, with batches of 1.

    ``beside`` is what `neurons_node` gave, None where another tool wrote the file: what sinabs
    reads into it holds then, min_v_mem = -threshold for IF nodes, none for LIF, several spikes a
    step. What NIR says of a leaky neuron's gain is followed: r = 1 is ``norm_input``.
    """
    threshold = _one(name, node.v_threshold)
    if not bool((threshold > 0).all() & torch.isfinite(threshold).all()):
        raise CorruptError(f"node {name!r}: thresholds must be above 0 and finite")
    options: dict[str, Any] = {"batch_size": 1, "spike_threshold": threshold}
    if beside is None:
        options["min_v_mem"] = -threshold if isinstance(node, nir.IF) else None
    else:
        options["min_v_mem"] = _unlisted(name, beside.get("min_v_mem"))
        options |= {fn: _function(name, beside.get(fn)) for fn in _FUNCTIONS}
    if isinstance(node, nir.IF):
        _check_gain(name, _one(name, node.r), [torch.ones(())])
        return IAFSqueeze(**options)
    return _leaky(name, node, options, beside)


def _leaky(
    name: str, node: Any, options: dict[str, Any], beside: dict[str, Any] | None
) -> LIFSqueeze:
    tau = _one(name, node.tau)
    if not bool((tau > 0).all()):
        raise CorruptError(f"node {name!r}: time constants must be above 0")
    if np.any(np.asarray(node.v_leak) != 0):
        raise CorruptError(f"node {name!r}: leak to another potential than 0 is not supported")
    gain, full = _one(name, node.r), 1 / (1 - torch.exp(-1 / tau.double()))
    normed = _check_gain(name, gain, [full, torch.ones(())])
    if beside is not None:  # of neurons that forget within a step, r does not tell
        normed = bool(beside.get("norm_input"))
    alphas = None if beside is None else _unlisted(name, beside.get("alpha_mem"))
    layer = LIFSqueeze(tau_mem=tau, norm_input=normed, train_alphas=alphas is not None, **options)
    if alphas is not None:
        layer.alpha_mem.data = alphas
    return layer


def _check_gain(name: str, gain: torch.Tensor, known: list[torch.Tensor]) -> bool:
    """Whether the last of the known gains holds."""
    for place, value in enumerate(reversed(known)):
        if torch.allclose(gain.double(), value.double().expand_as(gain), rtol=1e-4):
            return place == 0
    raise CorruptError(f"node {name!r}: its resistance r is none that evstore's neurons have",
                       expected="1", got=float(gain.flatten()[0]))  # fmt: skip


def _spread(name: str, value: torch.Tensor, shape: tuple[int, ...]) -> Any:
    """A number a neuron, as NIR has them."""
    wide = value.detach().cpu()
    wide = wide if wide.dtype in (torch.float32, torch.float64) else wide.float()
    try:
        return np.ascontiguousarray(wide.expand(shape).numpy())
    except RuntimeError:
        raise ArgumentError(f"layer {name!r}: numbers of shape {tuple(wide.shape)} for neurons of "
                            f"shape {shape}") from None  # fmt: skip


def _one(name: str, values: Any) -> torch.Tensor:
    """A number a neuron again, or one where all are the same."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise CorruptError(f"node {name!r}: no numbers, but {array.dtype} of shape {array.shape}")
    array = array.astype(np.float32)
    first = array.flat[0]
    return torch.tensor(first if (array == first).all() else array)


def _listed(name: str, what: str, value: torch.Tensor) -> Any:
    """As JSON keeps it, exactly."""
    if not bool(value.isfinite().all()):
        raise ArgumentError(f"layer {name!r}: its {what} is not finite; use None for no bound")
    return value.detach().cpu().double().tolist()


def _unlisted(name: str, value: Any) -> torch.Tensor | None:
    if value is None:
        return None
    tensor = torch.tensor(value, dtype=torch.float32)
    if not bool(torch.isfinite(tensor).all()):
        raise CorruptError(f"node {name!r}: numbers in the metadata that are not finite")
    return tensor


def _described(name: str, function: Any) -> dict[str, Any]:
    kind = function if isinstance(function, type) else type(function)
    known = kind.__name__ in (*_CLASSES, *_MADE)
    if not known or getattr(activations, kind.__name__, None) is not kind:
        raise ArgumentError(f"layer {name!r}: {kind.__name__} is none of sinabs.activation's, and "
                            "could not be read back; use one of those")  # fmt: skip
    fields = {} if isinstance(function, type) else dataclasses.asdict(function)
    fields = {key: _plain(name, key, value) for key, value in fields.items()}
    return {"name": kind.__name__, **fields}


def _plain(name: str, key: str, value: Any) -> Any:
    """A number as JSON keeps it, also one of numpy's or torch's."""
    if value is None or isinstance(value, bool):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentError(f"layer {name!r}: {key} of its functions must be a number, got {value}")
    return int(number) if isinstance(value, int) else number


def _function(name: str, described: Any) -> Any:
    if not isinstance(described, dict) or described.get("name") not in (*_CLASSES, *_MADE):
        raise CorruptError(f"node {name!r}: metadata names no function of sinabs' neurons")
    fields = {key: value for key, value in described.items() if key != "name"}
    numbers = (int, float, type(None))
    if not all(isinstance(v, numbers) and math.isfinite(v or 0) for v in fields.values()):
        raise CorruptError(f"node {name!r}: metadata of {described['name']} holds no numbers")
    kind = getattr(activations, described["name"])
    return kind if described["name"] in _CLASSES else kind(**fields)
