"""Train on digits with a sensor's noise in them, other noise in each epoch, and see what it is for.

    python examples/train_with_noise.py NMNIST/ shards/       with NMNIST/{Train,Test}/0 .. 9

A network that saw clean digits only is asked about noisy ones, beside one that was trained with
noise. Runs in seconds on a CPU, on 1,000 digits.
"""

from __future__ import annotations

import os
import sys

import torch
from torch import nn

import evstore
from evstore.noise import BackgroundActivity, Compose, HotPixels, Transform

EPOCHS, BATCH, BINS = 3, 20, 5

#: A sensor in the dark: shot noise, and one pixel of ten that fires all the time.
TRAINED_WITH = Compose(
    BackgroundActivity(rate_hz=5), HotPixels(fraction=0.1, redraw="sample"), seed=1
)
#: Another sensor of the kind: its hot pixels stay where they are.
TESTED_WITH = Compose(BackgroundActivity(rate_hz=5), HotPixels(fraction=0.1), seed=2)


def digits(shards: str, split: str, noise: Transform | None) -> evstore.Dataset:
    """Frames (T, P, H, W) of BINS equal times, noise among the events, and the digit."""
    frames = evstore.Frames(bins=BINS, dtype="uint8", overflow="saturate")
    return evstore.Dataset(shards, split, frames=frames, noise=noise)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(1, 2),  # times and polarities are channels
        nn.Conv2d(2 * BINS, 16, 5, stride=2), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip


def trained(dataset: evstore.Dataset) -> nn.Module:
    torch.manual_seed(1)
    model = network()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    loader = evstore.Loader(dataset, BATCH, seed=1)
    while loader.epoch < EPOCHS:
        for batch in loader:  # the loader says the epoch: a digit's noise is another one in each
            loss = nn.functional.cross_entropy(model(batch.data.float()), batch.targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


@torch.no_grad()
def accuracy(model: nn.Module, dataset: evstore.Dataset) -> float:
    right = 0
    for batch in evstore.Loader(dataset, BATCH, shuffle=False, pad=True):
        right += int((model(batch.data.float()).argmax(1) == batch.targets).sum())
    return right / len(dataset)


def main(recordings: str, shards: str) -> None:
    if not os.path.exists(shards):
        evstore.pack(recordings, shards, layout="nmnist")
    torch.set_num_threads(1)  # for so small a network more would only wait for each other
    one = digits(shards, "train", TRAINED_WITH)
    added = one[0][0].sum() / digits(shards, "train", None)[0][0].sum() - 1
    print(f"noise adds {added:.0%} to the events of the first digit")
    clean, noisy = digits(shards, "test", None), digits(shards, "test", TESTED_WITH)
    for name, noise in (("without", None), ("with", TRAINED_WITH)):
        model = trained(digits(shards, "train", noise))
        print(
            f"trained {name} noise: {accuracy(model, clean):.0%} of clean digits right, "
            f"{accuracy(model, noisy):.0%} of noisy ones"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
