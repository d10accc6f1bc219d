"""Weights to begin with: those of a run, or of a file, in place of random ones."""

from __future__ import annotations

import os
from pathlib import Path

from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.training.checkpoint import load_tested
from evstore.snn.training.folder import RunFolder
from evstore.snn.weights_file import load_weights


def begin_with(model: nn.Module, source: str | os.PathLike[str]) -> None:
    """Give ``model`` the weights of ``source``: a run's folder, or a file of `save_weights`.

    Of a run those of its last checkpoint, averaged where it kept averages. Raises ArgumentError
    where there is none, and for weights of another model; CorruptError, OSError.

    >>> begin_with(nn.Linear(1, 1), "runs/none")
    Traceback (most recent call last):
    ...
    evstore.errors.ArgumentError: model.weights: runs/none is no run with a checkpoint, and no file
    """
    path, at = Path(source), RunFolder(source)
    if path.is_file():
        load_weights(model, path)
    elif at.last.is_file():
        load_tested(model, at.last)
    else:
        raise ArgumentError(f"model.weights: {path} is no run with a checkpoint, and no file")
