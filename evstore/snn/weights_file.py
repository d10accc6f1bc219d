"""Weights in a safetensors file: read by anyone, without running code, and checked by name."""

from __future__ import annotations

import json
import os
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from evstore import __version__
from evstore.errors import ArgumentError, CorruptError
from evstore.snn.model_weights import weights_of
from evstore.snn.pairs import layers
from evstore.snn.whole_file import write_whole


def save_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write ``model``'s parameters and buffers, but not the states of neurons, to ``path``.

    A file that is there is replaced once the new one is whole. Weights that several layers share
    are written once, by their first name. The metadata has ``evstore``, its version, and
    ``layers``, a JSON list of [name, layer] to read. Raises OSError where it cannot be written.

    >>> import tempfile
    >>> from evstore.snn import models
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(models.talk(), f"{folder}/talk.safetensors")
    ...     load_weights(models.talk(), f"{folder}/talk.safetensors")["evstore"] == __version__
    True
    """
    tensors = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in _tensors(model).items()
    }
    described = [[name, str(layer)] for name, layer in layers(model)]
    metadata = {"format": "pt", "evstore": __version__, "layers": json.dumps(described)}
    write_whole(path, save(tensors, metadata=metadata))


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> dict[str, str]:
    """Copy what `save_weights` wrote into ``model``, in place; returns the file's metadata.

    All is checked first: names, shapes and dtypes must be the model's own, else nothing is loaded
    and ArgumentError says which differ. States of neurons stay. Raises CorruptError for a file
    that is no safetensors file or is damaged, OSError where it cannot be read.
    """
    own = _tensors(model)
    if os.path.isdir(path):
        raise IsADirectoryError(f"{os.fspath(path)} is a folder, not a file of weights")
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise CorruptError(f"no safetensors file, or damaged: {error}", path=path) from None
    differences = _differences(own, held)
    if differences:
        raise ArgumentError(
            f"{os.fspath(path)} holds the weights of another model: " + "; ".join(differences)
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(held[name])
    return metadata


def _tensors(model: nn.Module) -> dict[str, Any]:
    """The model's weights by name, each once: by the first of several names."""
    found, seen = {}, set()
    for name, tensor in weights_of(model, keep_vars=True).items():
        if not isinstance(tensor, torch.Tensor):
            raise ArgumentError(f"{name!r} is a {type(tensor).__name__}, no tensor: a file of "
                                "weights cannot hold it")  # fmt: skip
        if id(tensor) not in seen:
            found[name] = tensor
        seen.add(id(tensor))
    return found


def _differences(own: dict[str, Any], held: dict[str, Any]) -> list[str]:
    missing = [f"no {name!r} in the file" for name in own if name not in held]
    more = [f"no {name!r} in the model" for name in held if name not in own]
    other = [
        f"{name!r} is {_kind(held[name])} in the file, {_kind(own[name])} in the model"
        for name in own
        if name in held and _kind(own[name]) != _kind(held[name])
    ]
    found = missing + more + other
    return found if len(found) <= 8 else [*found[:8], f"and {len(found) - 8} more"]


def _kind(tensor: Any) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
