"""From a network's output to classes and a loss."""

from __future__ import annotations

import torch
from torch.nn import functional

from evstore.errors import ArgumentError


def class_scores(output: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Spikes (B, T, classes) summed over time: (B, classes). What has no time stays as it is.

    ``mask`` (B, T): only these steps count, a sample's own and not those that fill up a batch.

    >>> class_scores(torch.ones(1, 3, 2), torch.tensor([[True, True, False]])).tolist()
    [[2.0, 2.0]]
    """
    if output.dim() == 2:
        return output
    if mask is not None and not bool(mask.all()):
        output = output * mask[..., None].to(output)
    return output.sum(1)


def check_classes(scores: torch.Tensor, targets: torch.Tensor) -> None:
    """Raises ArgumentError where a target (B,) is none of the classes of the scores (B, classes).

    >>> check_classes(torch.zeros(1, 2), torch.tensor([2]))
    Traceback (most recent call last):
    ...
    evstore.errors.ArgumentError: a label is 2, and the model tells 2 classes apart, 0 to 1
    """
    samples = len(targets)
    if scores.dim() != 2 or len(scores) != samples:
        raise ArgumentError(f"the model must give (B, T, classes) or (B, classes) of {samples} "
                            f"samples: its sums are of shape {tuple(scores.shape)}")  # fmt: skip
    if samples and not 0 <= (worst := int(targets.max())) < scores.shape[1]:
        raise ArgumentError(f"a label is {worst}, and the model tells {scores.shape[1]} classes "
                            f"apart, 0 to {scores.shape[1] - 1}")  # fmt: skip


def output_loss(
    scores: torch.Tensor,
    targets: torch.Tensor,
    kind: str = "rate",
    *,
    steps: int | torch.Tensor = 1,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """The mean loss of scores (B, classes) for targets (B,), int64.

    "rate": cross entropy of the summed spikes. "mse": mean squared difference of spikes a step and
    a one for the right class, a zero for the others, of ``steps`` time steps: of each sample's own
    where it is (B,).

    >>> round(output_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([1])).item(), 3)
    0.693
    """
    if kind == "rate":
        return functional.cross_entropy(scores, targets, label_smoothing=label_smoothing)
    wanted = functional.one_hot(targets, scores.shape[1]).to(scores)
    if label_smoothing:
        wanted = wanted * (1 - label_smoothing) + label_smoothing / scores.shape[1]
    if isinstance(steps, torch.Tensor):
        steps = steps.to(scores)[:, None]
    return functional.mse_loss(scores / steps, wanted)
