"""A run's state on disk: whole or not there at all."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from evstore.errors import CorruptError
from evstore.snn.model_weights import set_weights
from evstore.snn.training.averaging import put_average
from evstore.snn.whole_file import write_whole


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


def load_tested(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Give the model a checkpoint's weights as they were tested: averaged where it has averages.

    Raises ArgumentError for weights of another model, CorruptError, OSError.
    """
    state = load_checkpoint(path)
    set_weights(model, state["model"])
    put_average(model, state.get("average", {}))
