"""The datasets of a configuration, and the loaders that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from evstore.datasets.dataset import Dataset
from evstore.datasets.geometry import Geometry
from evstore.datasets.loading.loader import Loader
from evstore.errors import ArgumentError
from evstore.frames import Frames
from evstore.frames.spec import CHANNELS
from evstore.noise.compose import Compose
from evstore.noise.steps import parse_step
from evstore.snn.training.folds import folds_of
from evstore.snn.training.schema import Data
from evstore.snn.training.threads import Shares


class Facts(NamedTuple):
    """What a model has to know of the data; ``resolution`` is (width, height) of the frames."""

    classes: int
    resolution: tuple[int, int]
    channels: int

    @property
    def features(self) -> int:
        """Numbers of a frame."""
        return self.channels * self.resolution[0] * self.resolution[1]


def datasets_of(data: Data, seed: int = 0) -> tuple[Dataset, Dataset]:
    """What is trained on and what is tested, as [data] says; ``seed`` is that of training noise.

    Raises as `Dataset`, `folds_of` and `parse_step` do.
    """
    train = _dataset(data, None if data.folds else data.split, data.noise, seed)
    test = _dataset(
        data, None if data.folds else data.test_split, data.test_noise, data.test_noise_seed
    )
    if data.folds:
        fold = folds_of(list(train.ids), list(train.labels), data.folds)
        train = train.select(np.flatnonzero(fold != data.fold))
        test = test.select(np.flatnonzero(fold == data.fold))
    return train, test


def facts_of(data: Data, *datasets: Dataset) -> Facts:
    """Classes, resolution and channels of what datasets deliver.

    Raises ArgumentError where labels are no integers from 0 on, or recordings differ in size.
    """
    labels = [label for dataset in datasets for label in list(dataset.labels)]
    counts = (isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in labels)
    if not all(counts) or min(labels, default=0) < 0:
        raise ArgumentError(f"{data.root}: to be learnt, each recording's label must be 0, 1, ...")
    sizes = {dataset.sensor_size for dataset in datasets}
    size = sizes.pop()
    if size is None or sizes:
        raise ArgumentError(f"{data.root}: recordings differ in resolution: say data.size")
    named = datasets[0].classes
    classes = max(int(max(labels)) + 1, len(named or []))
    return Facts(classes, size[:2], CHANNELS[data.polarity])


def loaders_of(
    train: Dataset, test: Dataset, data: Data, seed: int, read: Shares
) -> tuple[Loader, Loader]:
    """The loader of each; what is tested comes in its own order, and whole.

    Raises ArgumentError for batches of more samples than there are to train with.
    """
    if data.batch > len(train):
        raise ArgumentError(f"data.batch is {data.batch}, and there are {len(train)} samples to "
                            "train with: say a smaller one")  # fmt: skip
    of_both: dict[str, Any] = {
        "global_batch": data.batch,
        "num_workers": read.workers,
        "workers": read.kind,
    }
    return (
        Loader(train, seed=seed, **of_both),
        Loader(test, shuffle=False, pad=True, **of_both),
    )


def _dataset(data: Data, split: str | None, noise: Sequence[str], seed: int) -> Dataset:
    frames = Frames(
        bins=data.bins or None,
        duration=data.duration_us or None,
        kind=data.polarity,
        binary=data.binary,
        dtype=data.dtype,
        overflow=data.overflow,
    )
    crop: Any = tuple(data.crop) or None
    size: Any = tuple(data.size) or None
    steps = [parse_step(text) for text in noise]
    return Dataset(
        data.root,
        split,
        frames=frames,
        geometry=Geometry(crop, size, data.flip_x, data.flip_y),
        target="label",
        noise=Compose(*steps, seed=seed) if steps else None,
    )
