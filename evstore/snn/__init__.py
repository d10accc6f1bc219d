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
    from evstore.snn.monitor.json_lines import JsonLines
    from evstore.snn.monitor.monitoring import Monitor
    from evstore.snn.monitor.tensorboard import TensorBoard
    from evstore.snn.neurons import IAF, LIF, IAFSqueeze, LIFSqueeze
    from evstore.snn.pooling import SumPool2d
    from evstore.snn.states import detach_states, reset_states

#: Where each public name lives; torch and sinabs are imported when one of them is used.
_HOMES = {
    "IAF": "neurons",
    "IAFSqueeze": "neurons",
    "JsonLines": "monitor.json_lines",
    "LIF": "neurons",
    "LIFSqueeze": "neurons",
    "SumPool2d": "pooling",
    "Monitor": "monitor.monitoring",
    "TensorBoard": "monitor.tensorboard",
    "accelerate": "accelerating",
    "detach_states": "states",
    "models": "models:",
    "reset_states": "states",
}

__all__ = [
    "IAF",
    "LIF",
    "IAFSqueeze",
    "JsonLines",
    "LIFSqueeze",
    "Monitor",
    "SumPool2d",
    "TensorBoard",
    "accelerate",
    "detach_states",
    "models",
    "reset_states",
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
