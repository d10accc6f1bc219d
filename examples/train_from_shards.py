"""Pack recordings, train a small network on them, stop in the middle, and go on.

    python examples/train_from_shards.py NMNIST/ shards/      with NMNIST/{Train,Test}/0 .. 9

The folder is packed once, and may then be deleted. Runs in seconds on a CPU, on 1,000 digits.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import torch
from torch import nn

import evstore

EPOCHS, BATCH, BINS = 2, 20, 10


def digits(shards: str, split: str) -> evstore.Dataset:
    """Frames (T, P, H, W) of BINS equal times, counted as 8-bit numbers, and the digit."""
    frames = evstore.Frames(bins=BINS, dtype="uint8", overflow="saturate")
    return evstore.Dataset(shards, split, frames=frames)


def loader_of(dataset: evstore.Dataset) -> evstore.Loader:
    return evstore.Loader(dataset, BATCH, seed=1, num_workers=2)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(1, 2),  # times and polarities are channels
        nn.Conv2d(2 * BINS, 16, 5, stride=2), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip


def train(
    model: nn.Module, optimiser: Any, loader: evstore.Loader, stop_at: int | None = None
) -> None:
    """The rest of the epoch that the loader is in, or up to some batch of it."""
    for batch in loader:
        loss = nn.functional.cross_entropy(model(batch.data.float()), batch.targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loader.batches_done == stop_at:
            return


@torch.no_grad()
def accuracy(model: nn.Module, dataset: evstore.Dataset) -> float:
    frames, labels = zip(*dataset, strict=True)
    given = torch.stack([torch.from_numpy(one) for one in frames]).float()
    right = model(given).argmax(1) == torch.tensor(labels)
    return right.float().mean().item()


def main(recordings: str, shards: str) -> None:
    if not os.path.exists(shards):
        report = evstore.pack(recordings, shards, layout="nmnist")
        size = report.total("bytes_out") / report.total("bytes_in")
        print(f"packed {report.total('recordings')} recordings to {size:.0%} of their bytes")

    torch.manual_seed(1)
    torch.set_num_threads(1)  # for so small a network more would only wait for each other
    model = network()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    loader = loader_of(digits(shards, "train"))
    print(f"{len(loader)} batches an epoch")

    # The job ends in the middle of an epoch: the batches that were read ahead are not counted.
    train(model, optimiser, loader, stop_at=len(loader) // 2)
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save({**state, "loader": loader.state_dict()}, os.path.join(shards, "checkpoint.pt"))

    # Another one goes on with the batch after it, on as many ranks and workers as it likes.
    saved = torch.load(os.path.join(shards, "checkpoint.pt"))
    model.load_state_dict(saved["model"])
    optimiser.load_state_dict(saved["optimiser"])
    loader = loader_of(digits(shards, "train"))
    loader.load_state_dict(saved["loader"])
    print(f"going on in epoch {loader.epoch} behind batch {loader.batches_done}")
    while loader.epoch < EPOCHS:
        train(model, optimiser, loader)
        print(f"epoch {loader.epoch}: {accuracy(model, digits(shards, 'test')):.0%} right")


if __name__ == "__main__":
    main(*sys.argv[1:])
