"""Where losses for hardware and quantised weights join a run, as a configuration asks for them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.losses import HardwareLosses
from evstore.snn.quantise import fake_quantise
from evstore.snn.training.schema import Quantise


def hardware_losses(model: nn.Module, asked: Mapping[str, Any]) -> HardwareLosses | None:
    """What gathers the terms of [losses] from a model's forward passes; None where none is asked.

    A context manager around the forward, and ``terms()`` behind it. Raises ArgumentError for
    options that there are not, and for values that they do not take.

    >>> hardware_losses(nn.Identity(), {}) is None
    True
    """
    if not asked:
        return None
    known = [name for name in inspect.signature(HardwareLosses).parameters if name != "model"]
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ArgumentError(f"[losses] has no {name!r}; {hint}")
    try:
        return HardwareLosses(model, **{name: _tuples(value) for name, value in asked.items()})
    except (TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            f"[losses] has a value of another kind: {error}; got {dict(asked)}"
        ) from (error)


def quantised(model: nn.Module, how: Quantise) -> nn.Module:
    """The model, its weights rounded in each forward pass where [quantise] says so."""
    if not how.weight_bits:
        return model
    return fake_quantise(model, how.weight_bits, how.state_bits)


def _tuples(value: Any) -> Any:
    """Bands, (lowest, highest), are lists in TOML."""
    if isinstance(value, Mapping):
        return {name: _tuples(one) for name, one in value.items()}
    return tuple(value) if isinstance(value, list) else value
