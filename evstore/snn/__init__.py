"""Spiking networks trained straight from shards: neurons, models, losses, monitoring, training.

>>> import evstore.snn as snn
>>> model = snn.models.digits(classes=10, resolution=(34, 34))                   # doctest: +SKIP
>>> spikes = model(frames)                    # (B, T, P, H, W) -> (B, T, 10)    # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from evstore.errors import MissingDependencyError

if TYPE_CHECKING:
    from evstore.snn import losses, models
    from evstore.snn.accelerating import accelerate
    from evstore.snn.allocation import keep_memory
    from evstore.snn.latencies import Latency, frame_latency, latency
    from evstore.snn.leaking import leaky
    from evstore.snn.losses import HardwareLosses
    from evstore.snn.memory_of_steps import step_memory
    from evstore.snn.modes import carrying, inferring
    from evstore.snn.monitor.json_lines import JsonLines
    from evstore.snn.monitor.monitoring import Monitor
    from evstore.snn.monitor.tensorboard import TensorBoard
    from evstore.snn.neurons import IAF, LIF, IAFSqueeze, LIFSqueeze
    from evstore.snn.nir_graph import from_nir, to_nir
    from evstore.snn.pooling import SumPool2d
    from evstore.snn.quantise import (
        QuantisedLayer,
        fake_quantise,
        quantised_weights,
        remove_quantise,
    )
    from evstore.snn.states import detach_states, reset_states
    from evstore.snn.streams import (
        StreamAnswers,
        answer_intervals,
        answer_stream,
        follow_stream,
        stream_frames,
        write_stream,
    )
    from evstore.snn.synops import SynopsCounter, fan_out
    from evstore.snn.training.config import load_config
    from evstore.snn.training.evaluation import evaluate
    from evstore.snn.training.loop import train
    from evstore.snn.training.readout import class_scores
    from evstore.snn.training.schema import Config
    from evstore.snn.training.trained import load_run
    from evstore.snn.truncating import backward_in_pieces
    from evstore.snn.weights_file import load_weights, save_weights

#: Where each public name lives; torch and sinabs are imported when one of them is used.
_HOMES = {
    "Config": "training.schema",
    "HardwareLosses": "losses",
    "IAF": "neurons",
    "IAFSqueeze": "neurons",
    "JsonLines": "monitor.json_lines",
    "LIF": "neurons",
    "LIFSqueeze": "neurons",
    "Latency": "latencies",
    "Monitor": "monitor.monitoring",
    "QuantisedLayer": "quantise",
    "StreamAnswers": "streams",
    "SumPool2d": "pooling",
    "SynopsCounter": "synops",
    "TensorBoard": "monitor.tensorboard",
    "accelerate": "accelerating",
    "answer_intervals": "streams",
    "answer_stream": "streams",
    "backward_in_pieces": "truncating",
    "carrying": "modes",
    "class_scores": "training.readout",
    "detach_states": "states",
    "evaluate": "training.evaluation",
    "fake_quantise": "quantise",
    "fan_out": "synops",
    "follow_stream": "streams",
    "frame_latency": "latencies",
    "from_nir": "nir_graph",
    "inferring": "modes",
    "keep_memory": "allocation",
    "latency": "latencies",
    "leaky": "leaking",
    "load_config": "training.config",
    "load_run": "training.trained",
    "load_weights": "weights_file",
    "losses": "losses:",
    "models": "models:",
    "quantised_weights": "quantise",
    "remove_quantise": "quantise",
    "reset_states": "states",
    "save_weights": "weights_file",
    "step_memory": "memory_of_steps",
    "stream_frames": "streams",
    "to_nir": "nir_graph",
    "train": "training.loop",
    "write_stream": "streams",
}

__all__ = [
    "IAF",
    "LIF",
    "Config",
    "HardwareLosses",
    "IAFSqueeze",
    "JsonLines",
    "LIFSqueeze",
    "Latency",
    "Monitor",
    "QuantisedLayer",
    "StreamAnswers",
    "SumPool2d",
    "SynopsCounter",
    "TensorBoard",
    "accelerate",
    "answer_intervals",
    "answer_stream",
    "backward_in_pieces",
    "carrying",
    "class_scores",
    "detach_states",
    "evaluate",
    "fake_quantise",
    "fan_out",
    "follow_stream",
    "frame_latency",
    "from_nir",
    "inferring",
    "keep_memory",
    "latency",
    "leaky",
    "load_config",
    "load_run",
    "load_weights",
    "losses",
    "models",
    "quantised_weights",
    "remove_quantise",
    "reset_states",
    "save_weights",
    "step_memory",
    "stream_frames",
    "to_nir",
    "train",
    "write_stream",
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
