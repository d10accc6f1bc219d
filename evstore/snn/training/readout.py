"""From a network's output to classes and a loss."""

from __future__ import annotations

import torch
from torch.nn import functional


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
