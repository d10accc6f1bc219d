"""The network that a run has trained."""

from __future__ import annotations

import os

from torch import nn

from evstore.errors import ArgumentError
from evstore.snn.training.building import Built, build_model
from evstore.snn.training.checkpoint import load_tested
from evstore.snn.training.config import load_config
from evstore.snn.training.folder import RunFolder
from evstore.snn.training.sets import datasets_of, facts_of


def load_run(folder: str | os.PathLike[str], *, best: bool = False) -> nn.Module:
    """The model of a run's last checkpoint, on the CPU, ready to be evaluated.

    Of a run that is done, that is as it was tested last; one that was cut may have its last
    checkpoint within an epoch. Its weights are the averaged ones where the run kept them. ``best``:
    of the epoch with the best test accuracy, which is no fair estimate of any other. The run's
    dataset must be where it was. Raises ArgumentError for a folder without a checkpoint,
    CorruptError, OSError.

    >>> model = load_run("runs/nmnist")                                      # doctest: +SKIP
    """
    return load_built(folder, best=best).model


def load_built(folder: str | os.PathLike[str], *, best: bool = False) -> Built:
    """As `load_run`, and whether the model takes frames as (B, T, features)."""
    at = RunFolder(folder)
    path = at.best if best else at.last
    if not (at.config.exists() and path.exists()):
        raise ArgumentError(f"{at.path}: no run with a checkpoint: make one with `evstore train`")
    config = load_config(at.config)
    built = build_model(config, facts_of(config.data, *datasets_of(config.data)))
    model = built.model
    load_tested(model, path)
    model.eval()
    return built
