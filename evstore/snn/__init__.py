"""Spiking networks trained straight from shards: neurons, models, losses, monitoring, training.

>>> import evstore.snn as snn
>>> model = snn.models.small(classes=10, resolution=(34, 34))                    # doctest: +SKIP
>>> spikes = model(frames)                    # (B, T, P, H, W) -> (B, T, 10)    # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from evstore.errors import MissingDependencyError

if TYPE_CHECKING:
    from evstore.snn import models
    from evstore.snn.accelerating import accelerate
    from evstore.snn.neurons import IAF, LIF, IAFSqueeze, LIFSqueeze
    from evstore.snn.states import detach_states, forget_states, reset_states
    from evstore.snn.synops import SynopsCounter, fanout
    from evstore.snn.training.config import load_config
    from evstore.snn.training.evaluation import evaluate
    from evstore.snn.training.loop import train
    from evstore.snn.training.readout import class_scores
    from evstore.snn.training.schema import Config

#: Where each public name lives; torch and sinabs are imported when one of them is used.
_HOMES = {
    "Config": "training.schema",
    "IAF": "neurons",
    "IAFSqueeze": "neurons",
    "LIF": "neurons",
    "LIFSqueeze": "neurons",
    "SynopsCounter": "synops",
    "accelerate": "accelerating",
    "class_scores": "training.readout",
    "detach_states": "states",
    "evaluate": "training.evaluation",
    "fanout": "synops",
    "forget_states": "states",
    "load_config": "training.config",
    "models": "models:",
    "reset_states": "states",
    "train": "training.loop",
}

__all__ = [
    "IAF",
    "LIF",
    "Config",
    "IAFSqueeze",
    "LIFSqueeze",
    "SynopsCounter",
    "accelerate",
    "class_scores",
    "detach_states",
    "evaluate",
    "fanout",
    "forget_states",
    "load_config",
    "models",
    "reset_states",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evstore.snn' has no attribute {name!r}")
    home, whole, _ = _HOMES[name].partition(":")
    try:
        module = import_module(f"evstore.snn.{home}")
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package in ("", "evstore"):
            raise
        raise MissingDependencyError(package, "snn", "a spiking network") from None
    return module if whole else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
