"""A model's weights: all of its state_dict but what neurons carry from sample to sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.states import stateful


def weights_of(model: nn.Module, keep_vars: bool = False) -> dict[str, Any]:
    """The model's state_dict without the states of neurons; ``keep_vars`` as torch has it.

    Those have the shape of the last batch, which a fresh model could not load.

    >>> sorted(weights_of(nn.Linear(1, 1)))
    ['bias', 'weight']
    """
    carried = _carried(model)
    held = model.state_dict(keep_vars=keep_vars)
    return {name: value for name, value in held.items() if name not in carried}


def set_weights(model: nn.Module, weights: Mapping[str, Any]) -> None:
    """What `weights_of` gave, into a model of the same layers. Raises ArgumentError for others."""
    try:
        found = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ArgumentError(f"the weights are of another model: {error}") from None
    missing = [name for name in found.missing_keys if name not in _carried(model)]
    if missing or found.unexpected_keys:
        raise ArgumentError(
            f"the weights are of another model: it lacks {missing or 'none'}, "
            f"and has {found.unexpected_keys or 'none'} that this one has not"
        )


def _carried(model: nn.Module) -> set[str]:
    """Names of the buffers that are states of neurons."""
    states = {id(layer) for layer in stateful(model)}
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules(remove_duplicate=False)
        if id(module) in states
        for name, _ in module.named_buffers(recurse=False)
    }
