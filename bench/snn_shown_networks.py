"""The networks that are shown: trained here in a short loop, or made in a process that measures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from bench.snn_peers import in_sinabs
from evstore import Loader, snn
from evstore.datasets.dataset import Dataset
from evstore.frames import Frames

DT_US = 10_000
BATCH, RATE = 32, 2e-3
CNN_EPOCHS = 5  # times as many: an epoch of single frames takes no time


class Trained(NamedTuple):
    """The spiking network with and without a floor of potentials, and its twin on frames."""

    floor: nn.Module
    no_floor: nn.Module
    cnn: nn.Module


def frames() -> Frames:
    return Frames(duration=DT_US, dtype="uint8", overflow="saturate")


def networks(folder: Path, train: Any, epochs: int) -> Trained:
    dataset = Dataset(folder, frames=frames()).select(train)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        floor, no_floor = (
            trained(made(min_v_mem), dataset, epochs, lambda model, data: model(data).sum(1))
            for min_v_mem in (-1.0, None)
        )
        torch.manual_seed(0)
        cnn = snn.models.relu_twin(snn.models.digits(dropout=0.2))[:-1]  # no ReLU on the classes
        cnn = trained(cnn, dataset, CNN_EPOCHS * epochs, lambda model, data: model(data.sum(1)))
    finally:
        torch.set_num_threads(threads)
    return Trained(floor, no_floor, cnn)


def made(min_v_mem: float | None) -> nn.Module:
    torch.manual_seed(0)
    return snn.models.digits(dropout=0.2, min_v_mem=min_v_mem)


def trained(
    model: nn.Module,
    dataset: Dataset,
    epochs: int,
    totals: Callable[[nn.Module, torch.Tensor], torch.Tensor],
) -> nn.Module:
    """AdamW, one cycle, cross entropy of ``totals(model, frames)``."""
    loader = Loader(dataset, BATCH, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, epochs=epochs, steps_per_epoch=len(loader)
    )
    model.train()
    for _ in range(epochs):
        for batch in loader:
            loss = nn.functional.cross_entropy(totals(model, batch.data.float()), batch.targets)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
    snn.reset_states(model)
    return model


def ours() -> nn.Module:
    """For a process that measures: no arguments."""
    return made(-1.0)


def sinabs_twin() -> nn.Module:
    """The same network of sinabs' own layers."""
    return in_sinabs(made(-1.0))
