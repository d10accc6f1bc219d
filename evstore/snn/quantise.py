"""Training with the chip's numbers: 8-bit weights and biases, 16-bit thresholds and states.

Of a layer with weights and the neurons behind it, all share one scale, as on the chip: the largest
by which weights and biases stay within their bits, threshold and lower bound within those of the
state. Numbers that count are the integers; a scale only says what one of them is worth.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from evstore.errors import ArgumentError
from evstore.snn.kinds import averaged_over
from evstore.snn.pairs import Pair, in_the_way, pairs

_ADVICE = "give the neurons a floor of their own size, as min_v_mem=-1.0"


@dataclass(frozen=True)
class QuantisedLayer:
    """What the chip would hold of a layer: ``integers / scale`` are about the weights.

    integers    weights, int32, in the layer's shape (after an average pool: of the summed inputs)
    biases      int32 (channels,), or None
    scale       units a unit of the potential
    threshold   spike threshold, in units; None where no spiking layer stands behind
    lower       lower bound of the potential, in units; None likewise
    error       relative RMS of the weights' rounding, by what the network computes: 0.01 is 1 %
    zeros       part of the weights that are 0, while they were not before
    limited_by  which numbers set the scale: 'weights', unless others lose them precision
    """

    integers: torch.Tensor
    biases: torch.Tensor | None
    scale: float
    threshold: int | None
    lower: int | None
    error: float
    zeros: float
    limited_by: str


class _Grid(NamedTuple):
    """Where the numbers of a layer may lie: tensors without a gradient."""

    scale: torch.Tensor  # units a unit of the potential
    step: torch.Tensor  # the unit, so that the threshold is a whole number of them
    scales: dict[str, torch.Tensor]  # what each kind of numbers would allow


@dataclass(frozen=True)
class _Chip:
    """What a layer that computes with rounded weights knows of its neurons and of the bits.

    The neurons are in a tuple, so that torch takes them for no child of the layer.
    """

    neurons: tuple[Any, ...]
    averaged: float
    weight_bits: int
    state_bits: int


class _Quantised:
    """Layers with weights as they are, which compute with what the chip would hold.

    Parameters, their names and the state stay those of the plain layer: checkpoints fit both.
    (torch's parametrizations rename them, and refuse to save a model.)
    """

    chip: _Chip
    weight: Any
    bias: Any

    def quantised(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Weights and biases on the grid; gradients go straight through to the full ones."""
        grid = _grid(self.weight, self.bias, self.chip)
        bits, averaged = self.chip.weight_bits, self.chip.averaged
        weight = _straight(self.weight, grid, bits, averaged)
        return weight, None if self.bias is None else _straight(self.bias, grid, bits, 1.0)


class _QuantisedConv1d(_Quantised, nn.Conv1d):  # type: ignore[misc]
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(inputs, *self.quantised())


class _QuantisedConv2d(_Quantised, nn.Conv2d):  # type: ignore[misc]
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(inputs, *self.quantised())


class _QuantisedLinear(_Quantised, nn.Linear):  # type: ignore[misc]
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return functional.linear(inputs, *self.quantised())


_KINDS: dict[Any, Any] = {
    nn.Conv1d: _QuantisedConv1d,
    nn.Conv2d: _QuantisedConv2d,
    nn.Linear: _QuantisedLinear,
}
_PLAIN = {quantised: plain for plain, quantised in _KINDS.items()}
#: What layers are under `fake_quantise`.
QUANTISED = tuple(_PLAIN)


def fake_quantise(model: nn.Module, weight_bits: int = 8, state_bits: int = 16) -> nn.Module:
    """Have ``model`` compute with the weights that a chip would hold, and train the full ones.

    In place; returned. Each layer with weights (Conv1d, Conv2d, Linear) is rounded at each call, on
    the grid that it shares with its neurons; gradients go straight through, since no weight lies
    outside. Thresholds stay: a unit is made such that they are whole numbers of it, which the chip
    computes with in just the same way. The lower bound is rounded, by half a unit at most, once
    `remove_quantise` bakes it. After an average pool, weights are rounded as those behind the sum
    that the chip takes. A layer without neurons behind has a scale of its own. Parameters keep
    their names, optimisers and checkpoints stay as they are, `copy.deepcopy` and torch.save work.

    Raises ArgumentError where the chip could not hold the model, or only a dead one: neurons
    without a finite ``min_v_mem`` (whose bound of -32768 would leave a scale of 1, and weights
    of 0), all weights of a layer 0, a threshold that rounds to 0 or differs between neurons, batch
    norm or any layer that is not known in between, a layer that several others share, weights that
    are computed anew in each call. Warns (UserWarning) where biases, threshold or bound leave
    weights less than half of their range.

    >>> from evstore.snn import models
    >>> model = fake_quantise(models.talk())
    >>> quantised_weights(model)["0"].threshold == round(quantised_weights(model)["0"].scale)
    True
    """
    _check_bits(weight_bits, state_bits)
    found = _checked_pairs(model)
    for pair in found:
        if type(pair.weighted) not in _KINDS and type(pair.weighted) not in _PLAIN:
            raise ArgumentError(f"layer {pair.name!r} is a {type(pair.weighted).__name__}: only "
                                "plain Conv1d, Conv2d and Linear can be quantised")  # fmt: skip
        if "weight" not in pair.weighted._parameters:
            raise ArgumentError(f"layer {pair.name!r}: its weight is computed anew in each call, "
                                "as pruning and weight norm do; make it a parameter first "
                                "(torch.nn.utils.prune.remove, remove_weight_norm)")  # fmt: skip
    for pair in found:
        _check_held(pair.name, _layer(pair, weight_bits, state_bits), weight_bits)
    for pair in found:
        pair.weighted.chip = _chip(pair, weight_bits, state_bits)
        pair.weighted.__class__ = _KINDS.get(type(pair.weighted), type(pair.weighted))
    return model


def remove_quantise(model: nn.Module, bake: bool = True) -> nn.Module:
    """Make ``model``'s layers plain again, in place; returned.

    ``bake`` leaves what the chip would hold, on its grid, in weights, biases and ``min_v_mem``;
    else the full weights of the training come back. A model that is plain stays as it is.

    >>> from evstore.snn import models
    >>> type(remove_quantise(fake_quantise(models.talk()))[0]).__name__
    'Conv2d'
    """
    for layer in list(model.modules()):
        if type(layer) not in _PLAIN:
            continue
        if bake:
            _bake(layer)
        layer.__class__ = _PLAIN[type(layer)]
        del layer.chip
    return model


def quantised_weights(
    model: nn.Module, weight_bits: int = 8, state_bits: int = 16
) -> dict[str, QuantisedLayer]:
    """What the chip would hold of each layer with weights, by name; ``model`` stays as it is.

    Bits are those given, also of a model under `fake_quantise`. Neurons without ``min_v_mem`` have
    the lowest state as their bound, and so a scale of 1 at most. Raises ArgumentError as
    `fake_quantise` does, but tells, by ``zeros`` and ``limited_by``, of layers that would be dead.

    >>> from evstore.snn import models
    >>> {name: layer.integers.abs().max().item() for name, layer in
    ...  quantised_weights(models.mlp(8, 4, 16, 1)).items()}  # doctest: +SKIP
    {'0': 127, '2': 127}
    """
    _check_bits(weight_bits, state_bits)
    found = _checked_pairs(model, floors=False)
    return {pair.name: _layer(pair, weight_bits, state_bits) for pair in found}


def _straight(full: torch.Tensor, grid: _Grid, bits: int, averaged: float) -> torch.Tensor:
    """Rounded to the grid, with the gradient of the full numbers."""
    with torch.no_grad():
        whole = _whole(full, grid.scale / averaged, bits)
        rounded = (whole * (grid.step * averaged)).to(full.dtype)
    return full + (rounded - full).detach()


def _whole(full: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    top = 2 ** (bits - 1)
    return torch.round(full.detach() * scale).clamp(-top, top - 1)


def _grid(weight: torch.Tensor, bias: Any, chip: _Chip) -> _Grid:
    """The largest scale that all numbers of the layer and its neurons allow.

    Source: sinabs' rule of discretisation for DYNAP-CNN: the largest number becomes the largest
    integer, or the smallest one, whichever is nearer to its end.
    """
    with torch.no_grad():
        scales = {"weights": _allowed(weight / chip.averaged, chip.weight_bits)}
        if bias is not None:
            scales["biases"] = _allowed(bias, chip.weight_bits)
        for layer in chip.neurons:
            scales["threshold"] = _allowed(_one(layer.spike_threshold), chip.state_bits)
            scales["min_v_mem"] = _allowed(_bound(layer, chip.state_bits), chip.state_bits)
            both = torch.stack([_bound(layer, chip.state_bits), _one(layer.spike_threshold)])
            state = _allowed(both, chip.state_bits)
        least = [scales[kind] for kind in ("weights", "biases") if kind in scales]
        scale = torch.stack([*least, state] if chip.neurons else least).min()
        scale = torch.where(torch.isinf(scale), torch.ones_like(scale), scale)  # nothing but 0
        step = 1 / scale
        for layer in chip.neurons:
            threshold = _one(layer.spike_threshold)
            step = threshold / torch.round(threshold * scale).clamp_min(1)
    return _Grid(scale, step, scales)


def _allowed(numbers: torch.Tensor, bits: int) -> torch.Tensor:
    """By how much ``numbers`` can be multiplied; infinite where all are 0."""
    top = 2 ** (bits - 1)
    numbers = numbers.detach().to(torch.promote_types(numbers.dtype, torch.float32))
    highest, lowest = numbers.max().abs(), numbers.min().abs()
    upper = lowest <= highest * (top / (top - 1))
    return torch.where(upper, (top - 1) / highest, top / lowest)


def _one(value: torch.Tensor) -> torch.Tensor:
    """A layer's threshold or bound, which is one number for all of its neurons."""
    flat = value.detach().flatten()
    return flat[0].to(torch.promote_types(flat.dtype, torch.float32))


def _bound(layer: Any, bits: int) -> torch.Tensor:
    if layer.min_v_mem is None:
        return torch.full_like(_one(layer.spike_threshold), -(2.0 ** (bits - 1)))
    return _one(layer.min_v_mem)


def _chip(pair: Pair, weight_bits: int, state_bits: int) -> _Chip:
    neurons = () if pair.spiking is None else (pair.spiking,)
    return _Chip(neurons, pair.averaged, weight_bits, state_bits)


def _layer(pair: Pair, weight_bits: int, state_bits: int) -> QuantisedLayer:
    chip, weight, bias = _chip(pair, weight_bits, state_bits), pair.weighted.weight, None
    if pair.weighted.bias is not None:
        bias = pair.weighted.bias
    grid = _grid(weight, bias, chip)
    if not bool(torch.isfinite(grid.scale) & (grid.scale > 0)):
        raise ArgumentError(f"layer {pair.name!r}: a weight or bias is infinite or not a number")
    full = weight.detach() / chip.averaged
    whole = _whole(full, grid.scale, weight_bits)
    size = full.double().square().mean().sqrt().clamp_min(1e-300)
    error = (whole * grid.step - full).double().square().mean().sqrt() / size
    lost = ((whole == 0) & (full != 0)).double().mean()
    ends = [_rounded(_one(n.spike_threshold), grid) for n in chip.neurons]
    lower = [_rounded(_bound(n, state_bits), grid) for n in chip.neurons]
    return QuantisedLayer(
        whole.to(torch.int32),
        None if bias is None else _whole(bias, grid.scale, weight_bits).to(torch.int32),
        float(grid.scale),
        ends[0] if ends else None,
        lower[0] if lower else None,
        float(error),
        float(lost),
        min(grid.scales, key=lambda kind: float(grid.scales[kind])),
    )


def _rounded(value: torch.Tensor, grid: _Grid) -> int:
    return int(torch.round(value * grid.scale))


def _bake(layer: Any) -> None:
    """Leave rounded numbers in the parameters."""
    grid = _grid(layer.weight, layer.bias, layer.chip)
    with torch.no_grad():
        weight, bias = layer.quantised()
        bounds = [_bound(n, layer.chip.state_bits) for n in layer.chip.neurons]
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
        for neurons, bound in zip(layer.chip.neurons, bounds, strict=True):
            if neurons.min_v_mem is not None:
                if not neurons.min_v_mem.is_floating_point():  # of sinabs, given as -1
                    neurons.min_v_mem.data = neurons.min_v_mem.data.float()
                neurons.min_v_mem.fill_(torch.round(bound * grid.scale) * grid.step)


def _checked_pairs(model: nn.Module, floors: bool = True) -> list[Pair]:
    """The pairs of ``model``, where each can be held by a core of its own."""
    found = pairs(model)
    if not found:
        raise ArgumentError("the model has no Conv1d, Conv2d or Linear layer to quantise")
    for kind in ("weighted", "spiking"):
        uses = Counter(id(getattr(p, kind)) for p in found if getattr(p, kind) is not None)
        for pair in found:
            if uses[id(getattr(pair, kind))] > 1:
                raise ArgumentError(f"layer {pair.name!r}: it or its neurons are shared with "
                                    "others, whose scale may differ: copy it")  # fmt: skip
    for name, other, neurons in in_the_way(model):
        raise ArgumentError(f"layer {other!r} stands between weights, {name!r}, and neurons, "
                            f"{neurons!r}, which it gives no scale to: take it out")  # fmt: skip
    for pair in found:
        _check_between(pair)
        if pair.spiking is not None:
            _check_neurons(pair, floors)
    return found


def _check_between(pair: Pair) -> None:
    for layer in pair.between:
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            raise ArgumentError(f"layer {pair.name!r}: merge the batch norm behind it into its "
                                "weights first (torch.nn.utils.fusion.fuse_conv_bn_eval, or "
                                "fuse_linear_bn_eval); a chip has none")  # fmt: skip
        if averaged_over(layer) != 1.0:
            raise ArgumentError(f"layer {pair.name!r}: an average pool stands between weights and "
                                "neurons; put it behind the neurons")  # fmt: skip


def _check_neurons(pair: Pair, floors: bool) -> None:
    layer: Any = pair.spiking
    for name in ("spike_threshold", "min_v_mem"):
        value = getattr(layer, name)
        if value is not None and (value.numel() == 0 or not bool((value == _one(value)).all())):
            raise ArgumentError(f"layer {pair.spiking_name!r}: {name} differs between neurons, or "
                                "is not a number; the chip has one a layer")  # fmt: skip
    threshold = float(_one(layer.spike_threshold))
    if not (0 < threshold < math.inf):
        raise ArgumentError(f"layer {pair.spiking_name!r}: spike_threshold must be above 0 and "
                            f"finite, got {threshold}")  # fmt: skip
    if layer.min_v_mem is None and floors:
        raise ArgumentError(f"layer {pair.spiking_name!r} has no min_v_mem: its potential could "
                            "fall to the lowest state, which leaves a scale of 1 and weights of 0; "
                            f"{_ADVICE}")  # fmt: skip


def _check_held(name: str, layer: QuantisedLayer, weight_bits: int) -> None:
    """Refuse what would be dead on the chip, and warn of what loses precision."""
    cause = f"layer {name!r}: its {layer.limited_by} limit the scale to {layer.scale:.4g}"
    if not bool(layer.integers.any()):
        raise ArgumentError(f"{cause}, and all weights become 0; make them smaller, or {_ADVICE}")
    if layer.threshold == 0:
        raise ArgumentError(f"{cause}, and the threshold becomes 0; make the weights smaller")
    half = 2 ** (weight_bits - 2)
    if layer.limited_by != "weights" and int(layer.integers.abs().max()) < half:
        warnings.warn(f"{cause}; the largest weight is {int(layer.integers.abs().max())} of "
                      f"{2 * half - 1}", stacklevel=3)  # fmt: skip


def _check_bits(weight_bits: int, state_bits: int) -> None:
    for name, bits in (("weight_bits", weight_bits), ("state_bits", state_bits)):
        if isinstance(bits, bool) or not isinstance(bits, int) or not 2 <= bits <= 24:
            raise ArgumentError(f"{name} must be a whole number from 2 to 24, got {bits!r}")
