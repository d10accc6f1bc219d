"""All terms of a chip's costs, gathered from a network while it computes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.kinds import (
    AVERAGING,
    WEIGHTED,
    averaged_behind,
    first_given,
    spatial_axes,
    spikes,
)
from evstore.snn.losses.rates import rate_excess
from evstore.snn.losses.receptive import receptive_field
from evstore.snn.losses.spread import spread
from evstore.snn.losses.synops import synops, synops_excess
from evstore.snn.losses.weights import weight_excess
from evstore.snn.pairs import Pair, pairs, used_weights
from evstore.snn.squeezed import batch_and_steps
from evstore.snn.synops import fan_out

Band = float | tuple[float | None, float | None]
#: What `HardwareLosses` has.
TERMS = ("rate", "synops", "weight_ratio", "spread", "receptive")


class HardwareLosses:
    """Terms of a chip's costs for any network and any loop.

        losses = HardwareLosses(model, synops=2e6, rate=(0.01, 0.2), weight_ratio=1.0)
        with losses:
            out = model(frames)
        loss = cross_entropy(out.sum(1), labels) + sum(losses.terms().values())

    rate          spikes a neuron and step (a second, with ``dt_us``), mean of each spiking layer:
                  highest, or (lowest, highest), of all layers or as {layer: band}; `rate_excess`
    synops        limit of SynOps a sample (a second, with ``dt_us``): of all layers together, the
                  first with what the frames cost it, or as {layer with weights: limit};
                  `synops_excess`
    weight_ratio  largest weight allowed, in thresholds of the neurons behind it; 1.0 is what the
                  chip wants; with ``per_channel``, of each output channel; `weight_excess`
    spread        spikes allowed a neuron and step, 1.0 as the chip has them; `spread`
    receptive     potential allowed to cancel, in thresholds, a neuron and step; 0.0 or more;
                  `receptive_field`, beyond it

    A term is the mean over its layers; those of rates, SynOps and weights are 1 at twice the limit.
    ``weights`` ({term: factor}) weighs them, 1 unless given. ``with`` adds hooks and takes them
    away again, so the model stays as it is; several calls in one block are taken together, each
    with samples of its own. `terms` may be asked once a block. SynOps count what layers get, so
    dropout before one (which scales what it keeps) is counted right in the mean only. Layers are
    paired by the order in which the model registers them (`pairs`).

    Raises ArgumentError for limits that are not positive, and for layers that are not there.

    >>> from evstore.snn import models
    >>> losses = HardwareLosses(models.talk(), synops=1e5)
    >>> with losses:
    ...     _ = losses.model(torch.ones(1, 4, 2, 30, 30))
    >>> list(losses.terms())
    ['synops']
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        rate: Band | Mapping[str, Band] | None = None,
        synops: float | Mapping[str, float] | None = None,
        weight_ratio: float | None = None,
        spread: float | None = None,
        receptive: float | None = None,
        per_channel: bool = False,
        dt_us: float | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.model = model
        self._pairs = pairs(model)
        self._spiking = {n: m for n, m in model.named_modules() if spikes(m)}
        self._weighted = {n: m for n, m in model.named_modules() if isinstance(m, WEIGHTED)}
        self._bands = _bands(rate, self._spiking)
        self._limits = _limits(synops, self._weighted)
        self._ratio = _positive("weight_ratio", weight_ratio)
        self._spread = _positive("spread", spread)
        self._receptive = _positive("receptive", receptive, zero=True)
        self._per_channel = per_channel
        self._dt_us = _positive("dt_us", dt_us)
        self._weights = _weights(weights)
        self._check_behind()
        self._averaged = 1.0
        self._handles: list[Any] = []
        self._gathered: dict[str, dict[str, list[torch.Tensor]]] = {}
        self._calls: list[tuple[int, int] | None] = []
        self._asked = False  # whether terms() took what was gathered
        self._first: Any = None  # the spiking layer that was called first
        #: {"rate.LAYER", "synops.LAYER", ...: value} of the last terms, without their gradients.
        self.measured: dict[str, torch.Tensor] = {}

    def __enter__(self) -> HardwareLosses:
        if self._handles:
            raise ArgumentError("these losses gather already: one with-block at a time")
        self._clear()
        self._handles.append(self.model.register_forward_pre_hook(self._begin))
        for name, layer in self._spiking.items():
            self._handles.append(layer.register_forward_hook(self._spiking_hook(name)))
        for name, layer in self._weighted.items():
            hook = self._weighted_hook(name)
            self._handles.append(layer.register_forward_hook(hook, with_kwargs=True))
        for layer in self.model.modules():
            if isinstance(layer, AVERAGING):
                self._handles.append(layer.register_forward_hook(self._averaging, with_kwargs=True))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if kind is not None:
            self._clear()

    def terms(self) -> dict[str, torch.Tensor]:
        """The terms that are switched on, scalars; what was gathered for them is let go.

        Raises ArgumentError where the model was not called, or has no spiking layer to say what a
        sample is.
        """
        if not self._calls:
            why = ("terms() was asked since: keep what it gives" if self._asked
                   else "call the model in `with losses:` first")  # fmt: skip
            raise ArgumentError(f"nothing was gathered: {why}")
        try:
            found = {name: getattr(self, f"_{name}_term")() for name in TERMS if self._asks(name)}
            return {name: self._weights.get(name, 1.0) * term for name, term in found.items()}
        finally:
            self._clear()
            self._asked = True

    def _asks(self, name: str) -> bool:
        settings = (self._bands, self._limits, self._ratio, self._spread, self._receptive)
        return dict(zip(TERMS, settings, strict=True))[name] is not None

    def _clear(self) -> None:
        self._gathered = {name: {} for name in TERMS}
        self._calls = []
        self._asked = False

    def _check_behind(self) -> None:
        if self._asks("rate") or self._asks("spread"):
            _need(self._spiking, "spiking layer", "rate and spread")
        if self._asks("synops"):
            _need(self._weighted, "layer with weights", "synops")
        if self._asks("weight_ratio") or self._asks("receptive"):
            behind = {pair.name: pair.spiking for pair in self._pairs if pair.spiking is not None}
            _need(behind, "spiking layer behind weights", "weight_ratio and receptive")

    # What is gathered: a number a layer and call, whose graph holds what its gradient needs.

    def _begin(self, module: nn.Module, inputs: Any) -> None:
        self._calls.append(None)
        self._first = None
        self._averaged = 1.0

    def _spiking_hook(self, name: str) -> Any:
        def hook(layer: Any, inputs: Any, output: torch.Tensor) -> None:
            if self._calls:
                self._count_steps(layer, output)
            if self._bands is not None and name in self._bands:
                self._keep("rate", name, _wide(output).mean())
            if self._spread is not None:
                self._keep("spread", name, spread(_wide(output), self._spread))
            self._averaged = 1.0

        return hook

    def _weighted_hook(self, name: str) -> Any:
        own = self._weighted[name]
        alone = Pair(name, own, None, None)  # inside of a recurrent layer of neurons
        found = next((pair for pair in self._pairs if pair.weighted is own), alone)

        def hook(layer: Any, given: Any, named: Any, output: torch.Tensor) -> None:
            entering = first_given(given, named)
            if self._limits is not None and ("" in self._limits or name in self._limits):
                frame = entering.shape[-1 - (spatial_axes(layer) or 0) :]
                reached = fan_out(layer, frame, entering.device)
                self._keep("synops", name, synops(entering, reached, self._averaged))
            if self._receptive is not None and found.spiking is not None:
                field = receptive_field(layer, entering, output, used_weights(layer)[0])
                self._keep("receptive", name, field / _threshold(found))
            self._averaged = 1.0

        return hook

    def _averaging(self, layer: Any, given: Any, named: Any, output: torch.Tensor) -> None:
        entering = first_given(given, named)
        self._averaged = averaged_behind(layer, self._averaged, entering, output)

    def _count_steps(self, layer: Any, output: torch.Tensor) -> None:
        """Samples and steps of a call of the model: a model may loop over time by itself."""
        batch, steps = batch_and_steps(layer, output)
        if self._first is None:
            self._first, self._calls[-1] = layer, (batch, steps)
        elif self._first is layer and self._calls[-1] is not None:
            self._calls[-1] = (self._calls[-1][0], self._calls[-1][1] + steps)

    def _keep(self, term: str, name: str, value: torch.Tensor) -> None:
        self._gathered[term].setdefault(name, []).append(value)

    # The terms.

    def _rate_term(self) -> torch.Tensor:
        assert self._bands is not None
        each = []
        for name, rate in self._means("rate").items():
            if self._dt_us is not None:
                rate = rate * (1e6 / self._dt_us)
            self.measured[f"rate.{name}"] = rate.detach()
            lowest, highest = self._bands[name]
            each.append(rate_excess(rate, highest, lowest))
        return torch.stack(each).mean()

    def _synops_term(self) -> torch.Tensor:
        assert self._limits is not None
        if not self._gathered["synops"]:
            raise ArgumentError("synops: none of the layers it is asked of was called")
        if None in self._calls:
            raise ArgumentError("SynOps a sample: the model called no spiking layer, so nobody "
                                "says what of the first axis is time")  # fmt: skip
        samples = sum(call[0] for call in self._calls if call)
        each = {}
        for name, operations in self._gathered["synops"].items():
            each[name] = torch.stack(operations).sum() / samples
            if self._dt_us is not None:
                steps = sum(call[0] * call[1] for call in self._calls if call) / samples
                each[name] = each[name] / (steps * self._dt_us * 1e-6)
            self.measured[f"synops.{name}"] = each[name].detach()
        if "" in self._limits:
            return synops_excess(torch.stack(list(each.values())).sum(), self._limits[""])
        return torch.stack([synops_excess(each[n], self._limits[n]) for n in each]).mean()

    def _weight_ratio_term(self) -> torch.Tensor:
        assert self._ratio is not None
        each = []
        for pair in self._pairs:
            if pair.spiking is not None:
                weight = used_weights(pair.weighted)[0] / pair.averaged
                bound = pair.spiking.spike_threshold
                ratio = (weight.detach().abs().max() / bound.min()).detach()
                self.measured[f"weight_ratio.{pair.name}"] = ratio
                each.append(weight_excess(weight, bound, self._ratio, self._per_channel))
        return torch.stack(each).mean()

    def _spread_term(self) -> torch.Tensor:
        return torch.stack(list(self._means("spread", note=True).values())).mean()

    def _receptive_term(self) -> torch.Tensor:
        assert self._receptive is not None
        each = self._means("receptive", note=True).values()
        return torch.relu(torch.stack(list(each)) - self._receptive).mean()

    def _means(self, term: str, note: bool = False) -> dict[str, torch.Tensor]:
        """Mean over calls of each layer; ``note`` puts them among what was measured."""
        if not self._gathered[term]:
            raise ArgumentError(f"{term}: none of the layers it is asked of was called")
        means = {n: torch.stack(values).mean() for n, values in self._gathered[term].items()}
        if note:
            self.measured.update({f"{term}.{n}": value.detach() for n, value in means.items()})
        return means


def _wide(values: torch.Tensor) -> torch.Tensor:
    """Half types are summed as float32: 2,048 spikes and one more are 2,048 in float16."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _threshold(pair: Pair) -> torch.Tensor:
    assert pair.spiking is not None
    smallest: torch.Tensor = pair.spiking.spike_threshold.min()
    return smallest


def _bands(rate: Any, known: Mapping[str, Any]) -> dict[str, tuple[Any, Any]] | None:
    if rate is None:
        return None
    named = rate if isinstance(rate, Mapping) else dict.fromkeys(known, rate)
    _check_names("rate", named, known, "spiking layers")
    bands = {}
    for name, band in named.items():
        lowest, highest = band if isinstance(band, (tuple, list)) else (None, band)
        _positive("rate", lowest), _positive("rate", highest)
        if lowest is not None and highest is not None and lowest > highest:
            raise ArgumentError(f"rate: a band is (lowest, highest), got {band}")
        bands[name] = (lowest, highest)
    return bands


def _limits(limits: Any, known: Mapping[str, Any]) -> dict[str, float] | None:
    """Limits by the layer's name, or one of all, named ''."""
    if limits is None:
        return None
    named = dict(limits) if isinstance(limits, Mapping) else {"": limits}
    if isinstance(limits, Mapping):
        _check_names("synops", named, known, "layers with weights")
    for limit in named.values():
        _positive("synops", limit)
    return named


def _weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    unknown = set(weights or {}) - set(TERMS)
    if unknown:
        raise ArgumentError(f"weights: no term {sorted(unknown)}; terms are {', '.join(TERMS)}")
    return dict(weights or {})


def _check_names(term: str, names: Mapping[str, Any], known: Mapping[str, Any], of: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        said = f"no layer {unknown}; {of} are {', '.join(known)}" if known else f"there are no {of}"
        raise ArgumentError(f"{term}: {said}")


def _need(found: Mapping[str, Any], what: str, term: str) -> None:
    if not found:
        raise ArgumentError(f"{term}: the model has no {what}")


def _positive(name: str, value: float | None, zero: bool = False) -> float | None:
    if value is None:
        return None
    if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise ArgumentError(f"{name} must be above 0 and finite, got {value}")
    return value
