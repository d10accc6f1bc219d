"""Where losses for hardware and quantised weights join a run, by their names in a configuration."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.training.schema import Quantise

#: What gives a run's further terms of the loss after each forward pass, by name, weights included.
Terms = Callable[[], dict[str, torch.Tensor]]

#: Of each key of [losses]: made of a model and the key's value, gives that term after a forward.
LOSSES: dict[str, Callable[[nn.Module, Any], Callable[[], torch.Tensor]]] = {}


def hardware_terms(model: nn.Module, losses: Mapping[str, Any]) -> Terms:
    """The terms that [losses] names; raises ArgumentError for one that there is not.

    >>> hardware_terms(nn.Identity(), {})()
    {}
    """
    for name in losses:
        if name not in LOSSES:
            near = difflib.get_close_matches(name, LOSSES, 1, 0.5)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(LOSSES) or 'none'}"
            )
            raise ArgumentError(f"no loss is called {name!r}; {hint}")
    made = {name: LOSSES[name](model, value) for name, value in losses.items()}
    return lambda: {name: term() for name, term in made.items()}


def quantised(model: nn.Module, how: Quantise) -> nn.Module:
    """The model, its weights rounded in each forward pass where [quantise] says so."""
    if not how.bits:
        return model
    home = "evstore.snn.quantise"
    if find_spec(home) is None:
        raise ArgumentError("quantise.bits: this version of evstore trains no quantised weights")
    made: nn.Module = import_module(home).fake_quantise(model, how.bits, **how.args)
    return made
