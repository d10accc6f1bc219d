"""A tiny dataset, networks and configurations that train on it in a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import evstore
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.manifest import write_manifest
from evstore.shard.writer import ShardWriter
from evstore.snn.models import TimeSequential
from evstore.snn.neurons import IAFSqueeze
from evstore.snn.training.config import make_config
from evstore.snn.training.schema import Config

RESOLUTION = (6, 4)
CLASSES = ["left", "middle", "right"]


def made_dataset(
    folder: Path, recordings: int = 24, a_shard: int = 9, resolution: tuple[int, int] = RESOLUTION
) -> Path:
    """Recordings whose events lie mostly in the third of the sensor that their label says."""
    folder.mkdir(parents=True)
    for begin in range(0, recordings, a_shard):
        with ShardWriter(folder / f"part-{begin // a_shard}.evs", flush_s=None) as shard:
            for k in range(begin, min(begin + a_shard, recordings)):
                said: dict[str, Any] = {"split": "test" if k % 4 == 3 else "train"}
                if k == begin:
                    said["dataset"] = {"classes": CLASSES}
                with shard.recording(
                    f"r{k:02}", resolution=resolution, label=k % 3, metadata=said
                ) as out:
                    out.write(_events(k, k % 3))
            shard.close()
    write_manifest(index_shards(shards_below(folder), folder), folder)
    return folder


def _events(seed: int, label: int, count: int = 150) -> evstore.Events:
    random = np.random.default_rng(seed)
    x = np.where(random.random(count) < 0.6, label * 2 + random.integers(0, 2, count), 5)
    x = np.where(random.random(count) < 0.3, random.integers(0, 6, count), x)
    t = np.sort(random.integers(0, 10_000, count))
    return evstore.Events(
        t, x, random.integers(0, 4, count), random.integers(0, 2, count), RESOLUTION
    )


def bad_gradient(features: int, classes: int, bad: str) -> nn.Module:
    """Whose second layer gets one gradient that is no number."""
    model = TimeSequential(
        nn.Linear(features, 8), IAFSqueeze(batch_size=1), nn.Linear(8, classes),
        IAFSqueeze(batch_size=1),
    )  # fmt: skip
    spoilt = torch.zeros(classes, 8)
    spoilt[0, 0] = float(bad)
    model[2].weight.register_hook(lambda gradient: gradient + spoilt)
    return model


def of_single_frames(classes: int) -> nn.Module:
    """Which does not know that frames come with their time."""
    return nn.Sequential(nn.Conv2d(2, 2, 3), IAFSqueeze(batch_size=1), nn.Flatten(),
                         nn.Linear(16, classes))  # fmt: skip


def with_dropout(features: int, classes: int, hidden: int = 8) -> nn.Module:
    """Whose training depends on random generators."""
    return TimeSequential(
        nn.Linear(features, hidden), IAFSqueeze(batch_size=1, min_v_mem=-1.0), nn.Dropout(0.3),
        nn.Linear(hidden, classes), IAFSqueeze(batch_size=1, min_v_mem=-1.0),
    )  # fmt: skip


def with_norm(features: int, classes: int, hidden: int = 8) -> nn.Module:
    """Which keeps running statistics of what it sees."""
    return TimeSequential(
        nn.Linear(features, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes)
    )


class Poisoned(nn.Module):  # type: ignore[misc]
    """After so many passes of training its output, a gradient or a weight is no number."""

    def __init__(self, features: int, classes: int, at: int = 5, what: str = "loss") -> None:
        super().__init__()
        self.layer = nn.Linear(features, classes)
        self.at, self.what, self.passes = at, what, 0
        if what == "gradient":
            self.layer.weight.register_hook(self._spoilt)

    def _spoilt(self, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * (float("inf") if self.passes > self.at else 1.0)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        self.passes += self.training
        if self.what == "loss" and self.passes > self.at:
            return self.layer(frames) * float("nan")
        output = self.layer(frames)
        if self.what == "weight" and self.passes > self.at:
            self.layer.weight.data[0, 0] = float("inf")
        return output


def config_of(root: Path, *overrides: str, **sections: dict[str, Any]) -> Config:
    """Three epochs of four batches, a checkpoint every two steps."""
    said: dict[str, dict[str, Any]] = {
        "data": {"root": str(root), "bins": 4, "batch": 4, "workers": "0"},
        "model": {"name": "some_runs:with_dropout"},
        "training": {"epochs": 3, "lr": 0.01, "checkpoint_every_steps": 2, "threads": 1},
        "augment": {"shift_pixels": 1, "time_crop": 0.7},
    }
    for name, section in sections.items():
        said[name] = {**said.get(name, {}), **section}
    return make_config(said, overrides)


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    kept = torch.load(run / "checkpoints" / f"{name}.pt", weights_only=True)
    found: dict[str, torch.Tensor] = kept["model"]
    return found


def equal_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def lines(run: Path) -> list[dict[str, Any]]:
    """The records of steps and epochs, without what they took; every line must be whole.

    Layers are looked at where a run goes on, too: those records are not of the steps alone.
    """
    text = (run / "metrics.jsonl").read_text()
    assert text.endswith("\n")
    found = [json.loads(line) for line in text.splitlines()]
    for record in found:
        for key in ("seconds", "sampled"):
            record.pop(key, None)
    return [record for record in found if record["kind"] != "layers"]
