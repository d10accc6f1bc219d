"""How good a model is, and what it costs."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import torch

from evstore.errors import ArgumentError
from evstore.snn.each_sample import each_sample
from evstore.snn.modes import inferring
from evstore.snn.states import reset_states
from evstore.snn.synops import SynopsCounter
from evstore.snn.training.ranks import summed
from evstore.snn.training.readout import check_classes, class_scores, output_loss


class Evaluation(NamedTuple):
    """What `evaluate` finds: a share of 0..1, a mean loss, and means a sample."""

    accuracy: float
    loss: float
    samples: int
    synops_per_sample: float
    seconds: float


def evaluate(model: Any, loader: Any, *, loss: str = "rate", flat: bool = False) -> Evaluation:
    """The accuracy and mean loss of a model over all samples of a loader, and SynOps a sample.

    ``loader``: a `Loader` (its epoch 0, whatever it has read before, so that noise is the same each
    time; samples that only fill up a batch are left out), or any batches that begin with data and
    targets, (B, T, ...) and (B,). Shared between ranks where the loader is. States are reset
    before each batch. Of classes with equal scores the first is the answer, as torch's argmax has
    it; `latency` and `answer_stream` take them for none. ``flat``: frames (B, T, P, H, W) are
    handed over as (B, T, features). For ``loss`` see `output_loss`. Raises ArgumentError where
    there is no sample, for a `Loader` that leaves some out, and for targets that the model has no
    class of.

    >>> batches = [(torch.eye(2)[:, None], torch.tensor([0, 1]))]
    >>> found = evaluate(torch.nn.Identity(), batches)
    >>> found.accuracy, found.samples, found.synops_per_sample
    (1.0, 2, 0.0)
    """
    began = time.perf_counter()
    right = samples = 0
    total_loss = 0.0
    device = next((p.device for p in model.parameters()), None)
    with inferring(model), SynopsCounter(model) as counter:
        for data, targets, mask, _ in each_sample(loader):
            scores, steps = scores_of(model, data, mask, device, flat)
            check_classes(scores, targets)
            targets = targets.to(scores.device)
            right += int((scores.argmax(1) == targets).sum())
            total_loss += len(targets) * output_loss(scores, targets, loss, steps=steps).item()
            samples += len(targets)
    sums = summed([float(right), total_loss, float(samples), counter.total], device)
    if not sums[2]:
        raise ArgumentError("there is no sample to evaluate")
    return Evaluation(
        sums[0] / sums[2],
        sums[1] / sums[2],
        int(sums[2]),
        sums[3] / sums[2],
        time.perf_counter() - began,
    )


def scores_of(
    model: Any, data: torch.Tensor, mask: torch.Tensor | None, device: Any, flat: bool
) -> tuple[torch.Tensor, int | torch.Tensor]:
    """A model's class scores of frames (B, T, ...), from states of zero; and how many steps T.

    With a ``mask`` (B, T) of the samples' own steps, those are counted: (B,), at least 1.
    """
    reset_states(model)
    frames = data.flatten(2) if flat else data
    frames = frames.to(device=device, dtype=torch.get_default_dtype())
    if mask is None:
        return class_scores(model(frames)), data.shape[1]
    return class_scores(model(frames), mask.to(device)), mask.sum(1).clamp(min=1)
