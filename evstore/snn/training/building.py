"""The model that a configuration names, and its optimiser."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from evstore.errors import ArgumentError, EvstoreError
from evstore.snn import models
from evstore.snn.accelerating import accelerate
from evstore.snn.training.hardware import quantised
from evstore.snn.training.schema import Config, Training
from evstore.snn.training.sets import Facts


class Built(NamedTuple):
    """A model, and whether it takes frames as (B, T, features)."""

    model: nn.Module
    flat: bool


def build_model(config: Config, facts: Facts) -> Built:
    """The model of [model], with the weights that the random generators give now.

    Raises ArgumentError for a name that there is not and for arguments that it does not take.

    >>> from evstore.snn.training.schema import Model
    >>> build_model(Config(model=Model("mlp")), Facts(3, (4, 2), 2)).flat
    True
    """
    make = find_model(config.model.name)
    takes = _parameters(make)
    known = {"features": facts.features, **facts._asdict()}
    given = {name: value for name, value in known.items() if name in takes} | config.model.args
    try:
        model = make(**given)
    except Exception as error:
        kind = "" if isinstance(error, (TypeError, EvstoreError)) else f"{type(error).__name__}: "
        hint = f"; model.args are {config.model.args}" if config.model.args else ""
        raise ArgumentError(f"{config.model.name}({_said(given)}): {kind}{error}{hint}") from error
    if not isinstance(model, nn.Module):
        raise ArgumentError(f"{config.model.name} gives no torch.nn.Module, but {model!r}")
    if config.model.accelerate:
        model = accelerate(model)
    # Behind it: what is rounded depends on the neurons that a layer feeds, so they must be final.
    return Built(quantised(model, config.quantise), "features" in takes)


def find_model(name: str) -> Callable[..., Any]:
    """A function of `evstore.snn.models` by its name, or any callable by "package.module:name".

    >>> find_model("talk").__name__, find_model("torch.nn:Identity").__name__
    ('talk', 'Identity')
    """
    module, colon, attribute = name.partition(":")
    try:
        home: Any = importlib.import_module(module or "?") if colon else models
    except ModuleNotFoundError as missing:
        raise ArgumentError(f"model.name: no module {missing.name!r} is found") from None
    found: Any = getattr(home, attribute if colon else module, None)
    if not (callable(found) if colon else _is_model(name, found)):
        there = [n for n, one in vars(models).items() if _is_model(n, one)]
        raise ArgumentError(
            f"no model is called {name!r}; there are {', '.join(there)}, or package.module:callable"
        )
    return found  # type: ignore[no-any-return]


def build_optimiser(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) over what the model has to learn.

    Raises ArgumentError where that is nothing.
    """
    learnt = [p for p in model.parameters() if p.requires_grad]
    if not learnt:
        raise ArgumentError("the model has no weights to learn")
    return torch.optim.AdamW(learnt, lr=training.lr, weight_decay=training.weight_decay)


def _parameters(make: Callable[..., Any]) -> set[str]:
    """Names of what a callable takes, as far as it says so."""
    try:
        return set(inspect.signature(make).parameters)
    except ValueError:  # of one that is written in C
        return set()


def _is_model(name: str, found: Any) -> bool:
    """A function of that module that makes a network of nothing: others change one."""
    return (
        inspect.isfunction(found)
        and found.__module__ == models.__name__
        and not name.startswith("_")
        and "classes" in inspect.signature(found).parameters
    )


def _said(given: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items())
