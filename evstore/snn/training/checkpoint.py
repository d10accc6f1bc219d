"""A run's state on disk: whole or not there at all."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evstore.errors import ArgumentError, CorruptError
from evstore.shard.output import sync_folder
from evstore.snn.states import stateful


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a dictionary of tensors and plain values; before, there is the old file, then the new.

    Raises OSError.
    """
    octets = io.BytesIO()
    torch.save(dict(state), octets)
    write_whole(path, octets.getvalue())


def load_checkpoint(path: str | os.PathLike[str], device: Any = "cpu") -> dict[str, Any]:
    """What `save_checkpoint` wrote; runs no code of the file's. Raises CorruptError, OSError."""
    with open(path, "rb") as file:
        try:
            found: Any = torch.load(file, map_location=device, weights_only=True)
        except OSError:
            raise
        except Exception as error:  # of a zip, of pickle, of torch
            raise CorruptError(f"no checkpoint: {error}", path=path) from None
    if not isinstance(found, dict):
        raise CorruptError("no checkpoint", path=path, expected="a dictionary", got=type(found))
    return found


def write_whole(path: str | os.PathLike[str], octets: bytes) -> None:
    """Write a file under another name, and give it its own once it is on the disk."""
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    with open(part, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    sync_folder(str(path.parent))


def weights_of(model: nn.Module) -> dict[str, Any]:
    """The model's state_dict without what neurons carry from sample to sample.

    Those have the shape of the last batch, which a fresh model could not load.

    >>> sorted(weights_of(nn.Linear(1, 1)))
    ['bias', 'weight']
    """
    carried = _carried(model)
    return {name: value for name, value in model.state_dict().items() if name not in carried}


def load_weights(model: nn.Module, weights: Mapping[str, Any]) -> None:
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
        for prefix, module in model.named_modules()
        if id(module) in states
        for name, _ in module.named_buffers(recurse=False)
    }
