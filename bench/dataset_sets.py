"""Datasets to measure: real digits, simulated gestures, a simulated large sensor.

Each is there twice: as a dataset of evstore's, and as the files that tonic (or expelliarmus, which
tonic's readers call) reads. The simulated ones are made once and kept in the benchmark's folder.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.bars import Settings
from bench.recordings import data_folder
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.manifest import NAME, write_manifest
from evstore.datasets.packing.pack import pack
from evstore.events import Events
from evstore.frames import Frames
from evstore.shard.writer import ShardWriter
from evstore.synth import simulate


@dataclass(frozen=True)
class Set:
    """A dataset in both forms, and the frames that are made of it.

    ``plain`` is what tonic users write: a dataset object whose samples are structured arrays,
    of as many recordings as are measured; ``numbers`` are theirs in evstore's.
    """

    name: str
    folder: Path
    sensor_size: tuple[int, int, int]
    frames: Frames
    plain: Any
    numbers: list[int]


class DatFiles:
    """A large sensor's recordings as DAT files, read as tonic's readers read them."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.transform: Any = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from expelliarmus import Wizard

        events = Wizard(encoding="dat").read(str(self.paths[index]))
        return (self.transform(events) if self.transform else events), 0


@dataclass(frozen=True)
class Made:
    """A simulated set: so many recordings, of which ``distinct`` are simulated, others mirrored."""

    name: str
    resolution: tuple[int, int]
    recordings: int
    distinct: int
    events: int
    duration_us: int
    measured: int
    frame_us: int
    milliseconds: bool = False  # whole ones, as tonic's archive of gestures has them


GESTURES = Made("gestures-ms", (128, 128), 1300, 65, 300_000, 5_000_000, 24, 10_000, True)
LARGE = Made("1280x720", (1280, 720), 80, 40, 2_000_000, 200_000, 8, 10_000)


def smaller(made: Made) -> Made:
    """To try the code."""
    return replace(made, name=f"{made.name}-quick", recordings=8, distinct=4, events=20_000,
                   duration_us=40_000, measured=8, frame_us=10_000)  # fmt: skip


def digits(settings: Settings) -> Set | None:
    """N-MNIST's small sample, where the real recordings are."""
    data = data_folder()
    if data is None:
        return None
    folder = settings.folder / "datasets"
    packed, tree = folder / "nmnist", folder / "tonic" / "NMNIST"
    if not (packed / NAME).exists():
        pack(data / "nmnist_small", packed, layout="nmnist", overwrite=True)
    tree.parent.mkdir(parents=True, exist_ok=True)
    if not tree.exists():
        os.symlink(data / "nmnist_small", tree)
    plain = tonic_dataset("NMNIST", tree.parent)
    names = [os.path.relpath(path, tree)[:-4].replace("Train", "train") for path in plain.data]
    from evstore.datasets.dataset import Dataset

    ids = {id: k for k, id in enumerate(Dataset(packed).ids)}
    chosen = np.random.default_rng(1).permutation(len(names)).tolist()
    plain.data = [plain.data[k] for k in chosen]
    plain.targets = [plain.targets[k] for k in chosen]
    numbers = [ids[names[k]] for k in chosen]
    return Set("N-MNIST", packed, (34, 34, 2), Frames(duration=10_000), plain, numbers)


def tonic_dataset(name: str, save_to: Path) -> Any:
    """One of tonic's own classes, which otherwise looks for what it would have downloaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tonic.datasets

    kind = getattr(tonic.datasets, name)
    found = type(name, (kind,), {"_check_exists": lambda self: True})
    return found(save_to=str(save_to), train=True)


def simulated(made: Made, settings: Settings) -> Set:
    """A set that is made here, and kept."""
    folder = settings.folder / "datasets" / made.name
    if not (folder / "evs" / NAME).exists():
        make(made, folder)
    from evstore.datasets.dataset import Dataset

    dataset = Dataset(folder / "evs", output="events")
    rng = np.random.default_rng(2)
    numbers = sorted(rng.permutation(len(dataset))[: made.measured].tolist())
    width, height = made.resolution
    frames = Frames(duration=made.frame_us)
    if made.resolution == (128, 128):
        plain = as_gestures(folder / "tonic", dataset, numbers)
    else:
        plain = as_dat(folder / "dat", dataset, numbers)
    return Set(made.name, folder / "evs", (width, height, 2), frames, plain, numbers)


def make(made: Made, folder: Path) -> None:
    """Shards of about a quarter of a gigabyte, and the manifest."""
    target = folder / "evs"
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        path.unlink()
    todo = enumerate(recordings(made))
    shard: ShardWriter | None = None
    for k, events in todo:
        if shard is None:
            name = target / f"train-{k:05d}.evs"
            shard = ShardWriter(name, flush_s=None, overwrite=True)
        out = shard.recording(
            f"train/{k:05d}", resolution=made.resolution, label=k % 11, metadata={"split": "train"}
        )
        out.write(events)
        out.close()
        if shard.file.at > 256 << 20:
            shard.close()
            shard = None
    if shard is not None:
        shard.close()
    write_manifest(index_shards(shards_below(target), target), target)


def recordings(made: Made) -> Iterator[Events]:
    """Each simulated recording, then mirrored ones of it: other bytes, the same statistics."""
    width, height = made.resolution
    for seed in range(made.distinct):
        rate = made.events / made.duration_us * 1e6
        parts, count = [], 0
        for batch in simulate(made.resolution, 2 * made.duration_us, events_per_s=rate, seed=seed):
            parts.append(batch)
            count += len(batch)
            if count >= made.events:
                break
        events = Events.concatenate(parts)[: made.events]
        for k in range(made.recordings // made.distinct):
            t, x, y, p = events.t + 1000 * k, events.x, events.y, events.p
            if made.milliseconds:
                t = t // 1000 * 1000
            x = width - 1 - x if k & 1 else x
            y = height - 1 - y if k & 2 else y
            p = 1 - p if k & 4 else p
            x = (x + 7 * (k >> 3)) % width
            yield Events(t, x.astype(np.uint16), y.astype(np.uint16), p, made.resolution)


def as_gestures(root: Path, dataset: Any, numbers: list[int]) -> Any:
    """As tonic's archive of DVS128 Gesture: rows x, y, p, t, of which t is in milliseconds."""
    for k, number in enumerate(numbers):
        folder = root / "DVSGesture" / "ibmGestureTrain" / f"user{k:02d}_lab"
        path = folder / f"{number % 11}.npy"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            events = dataset[number][0]
            np.save(path, np.stack([events.x, events.y, events.p, events.t // 1000], 1))
    plain = tonic_dataset("DVSGesture", root)
    order = np.argsort(plain.users)
    plain.data = [plain.data[i] for i in order]
    plain.targets = [plain.targets[i] for i in order]
    return plain


def as_dat(root: Path, dataset: Any, numbers: list[int]) -> DatFiles:
    """As DAT files."""
    from evstore.formats import dat

    root.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in numbers:
        path = root / f"{number}.dat"
        paths.append(path)
        if path.exists():
            continue
        events = dataset[number][0]
        with open(path, "wb") as file:
            writer = dat.writer(file, events.resolution, {})
            writer.write(events.t, events.x, events.y, events.p)
            writer.close()
    return DatFiles(paths)
