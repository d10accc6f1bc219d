"""Training ends where a number is none: with what it was, and where."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from evstore.errors import EvstoreError


class TrainingError(EvstoreError, RuntimeError):
    """A run that cannot go on: its loss, a gradient or a weight is no finite number."""


def check_loss(loss: float, terms: dict[str, float], where: str) -> None:
    """Raises TrainingError for a loss that is not finite."""
    if not _finite(loss):
        said = ", ".join(f"{name} {value}" for name, value in terms.items())
        raise TrainingError(f"{where}: the loss is {loss} ({said}). {ADVICE}")


def check_gradients(
    norm: float, parameters: Iterable[tuple[str, torch.nn.Parameter]], where: str
) -> None:
    """Raises TrainingError for a norm of gradients that is not finite, with whose they are."""
    if not _finite(norm):
        named = ((name, p.grad) for name, p in parameters if p.grad is not None)
        raise TrainingError(f"{where}: {_first(named, 'gradient')}. {ADVICE}")


def check_weights(parameters: Iterable[tuple[str, torch.nn.Parameter]], where: str) -> None:
    """Raises TrainingError where a weight is not finite.

    >>> check_weights([("a", torch.nn.Parameter(torch.ones(2)))], "epoch 0, step 3")
    """
    for name, parameter in parameters:
        if not bool(parameter.detach().isfinite().all()):
            said = _first([(name, parameter.detach())], "weight")
            raise TrainingError(f"{where}: {said}. {ADVICE}")


ADVICE = (
    "The last checkpoint, if there is one, is from before that. Begin in another folder (--out), "
    "with a lower training.lr or with training.clip_norm"
)


def _finite(value: float) -> bool:
    return value - value == 0


def _first(named: Iterable[tuple[str, torch.Tensor]], what: str) -> str:
    for name, values in named:
        bad = int((~values.isfinite()).sum())
        if bad:
            return f"{bad:,} of {values.numel():,} {what}s of {name!r} are not finite"
    return f"the norm of all {what}s is not finite"
