"""The 'train fast' experiment: an epoch from events of 700 channels, tonic and sinabs against ours.

Simulated recordings of the size of those of Spiking Speech Commands (Cramer and others, 2020):
about 8,000 events of one polarity in a second. Naive is what the tutorials do: tonic's own reader
of the HDF5 file, Downsample and ToFrame for each sample, torch's DataLoader, sinabs' layers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bars import Bar, Settings, worst
from bench.snn import about
from bench.timing import Spread, rounds_of
from evstore.datasets.dataset import Dataset
from evstore.datasets.loading.loader import Loader
from evstore.events import Events
from evstore.frames import Frames
from evstore.shard.writer import ShardWriter

CHANNELS, BINNED, CLASSES = 700, 100, 35
STEP_US, STEPS = 4000, 250
DURATION_US = STEP_US * STEPS
BATCH = 128
SAMPLES, EVENTS = 1280, 8000
QUICK_SAMPLES = 256
ROUNDS = 3  # of whole epochs
WORKERS = (0, 2)
#: Formants of a class: where their tracks begin and end, and how long.
TRACKS = 4


def measure(settings: Settings) -> list[Bar]:
    if any(find_spec(name) is None for name in ("torch", "sinabs", "tonic", "h5py")):
        return []
    samples = QUICK_SAMPLES if settings.quick else SAMPLES
    dataset, plain = both(settings.folder / f"ssc-{samples}", samples)
    check_same_frames(dataset, plain)
    naive = [naive_loader(plain, workers) for workers in WORKERS]
    loaders = [Loader(dataset, BATCH), *naive]
    models = networks()
    ways = [
        lambda model=model, loader=loader: epoch(model, loader)
        for model, loader in zip(models, loaders, strict=True)
    ]
    taken = rounds_of(1 if settings.quick else ROUNDS, *ways)
    found = {
        f"naive with {workers} workers": Spread.of(times[k] / times[0] for times in taken)
        for k, workers in enumerate(WORKERS, 1)
    }
    ours = Spread.of(times[0] for times in taken).median
    fused = Spread.of(times[1] / times[0] for times in data_alone(loaders, settings))
    note = (
        f"{about()}; {samples} simulated recordings of about {EVENTS:,} events, batch {BATCH}, "
        f"3 layers of 128 IAF neurons and one of {CLASSES}; the same frames, the same spikes; the "
        f"better number of workers; ours, without workers: {ours:.1f} s an epoch"
    )
    return [
        Bar("CPU: 'train fast', 700 channels binned to 100, 250 steps of 4 ms: a whole epoch "
            "against naive tonic + sinabs", "x", "more", 4, 6, worst(found, "more"), found, note),
        Bar("CPU: the same, frames alone, against naive tonic without workers",
            "x", "more", None, None, fused),
    ]  # fmt: skip


# ---------------------------------------------------------------------- recordings


def both(folder: Path, samples: int) -> tuple[Dataset, Any]:
    """The same recordings as a shard, and as the HDF5 file that tonic's SSC reads."""
    shard, file = folder / "ssc.evs", folder / "SSC" / "ssc_train.h5"
    if not (shard.exists() and file.exists()):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_both(shard, file, samples)
    frames = Frames(
        duration=STEP_US, start=0, stop=DURATION_US, kind="merged", size=(BINNED, 1), dtype="uint8"
    )
    return Dataset(shard, frames=frames), as_tonic(folder)


def write_both(shard: Path, file: Path, samples: int) -> None:
    """As Zenke's files have them: times in seconds, float16; units, uint16; a row a sample."""
    import h5py

    part = file.with_suffix(".part")
    with h5py.File(part, "w") as out, ShardWriter(shard, flush_s=None, overwrite=True) as writer:
        times = out.create_dataset("spikes/times", (samples,), h5py.vlen_dtype(np.float16))
        units = out.create_dataset("spikes/units", (samples,), h5py.vlen_dtype(np.uint16))
        labels = np.arange(samples, dtype=np.uint8) % CLASSES
        out["labels"] = labels
        out["extra/keys"] = np.array([f"word {k}" for k in range(CLASSES)], "S")
        out["extra/speaker"] = np.zeros(samples, np.uint16)
        for k in range(samples):
            times[k], units[k] = seconds, channels = spikes(k, int(labels[k]))
            t = (seconds.astype(np.float64) * 1e6).astype(np.int64)  # as tonic makes them
            zeros = np.zeros(t.size, np.uint16)
            events = Events(t, channels, zeros, zeros.astype(np.uint8), (CHANNELS, 1))
            with writer.recording(
                f"train/{k:05d}", resolution=(CHANNELS, 1), label=int(labels[k])
            ) as recording:
                recording.write(events)
        writer.close()
    part.replace(file)


def spikes(sample: int, label: int) -> tuple[NDArray[np.float16], NDArray[np.uint16]]:
    """Tracks of a class that rise and fall over channels and time, over a sparse background."""
    of_class = np.random.default_rng([1, label])
    starts, stops = of_class.uniform(50, 650, (2, TRACKS))
    middle = of_class.uniform(0.3, 0.6, TRACKS)
    rng = np.random.default_rng([2, sample])
    count = int(EVENTS * rng.uniform(0.8, 1.2))
    of = rng.integers(0, TRACKS, count)
    t = np.clip(rng.normal(middle[of], 0.12, count), 0.001, 0.99)
    channel = starts[of] + (stops - starts)[of] * t + rng.normal(0, 15, count)
    lonely = rng.random(count) < 0.2
    channel = np.where(lonely, rng.uniform(0, CHANNELS, count), channel)
    t = np.where(lonely, rng.uniform(0.001, 0.99, count), t).astype(np.float16)
    order = np.argsort(t, kind="stable")
    channel = np.clip(channel, 0, CHANNELS - 1).astype(np.uint16)
    return t[order], channel[order]


def as_tonic(folder: Path) -> Any:
    """tonic's own class, which otherwise looks for what it would have downloaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tonic.datasets
        from tonic.transforms import Compose, Downsample, ToFrame

    found = type("SSC", (tonic.datasets.SSC,), {"_check_exists": lambda self: True})
    transform = Compose(
        [
            Downsample(spatial_factor=BINNED / CHANNELS),
            ToFrame((BINNED, 1, 1), time_window=STEP_US, start_time=0, end_time=DURATION_US),
        ]
    )
    return found(save_to=str(folder), split="train", transform=transform)


def check_same_frames(dataset: Dataset, plain: Any) -> None:
    """The very frames that tonic makes: (T, 1, 1, channels) here, (T, 1, channels) there."""
    assert len(dataset) == len(plain)
    for k in range(0, len(plain), max(1, len(plain) // 32)):
        (mine, label), (other, said) = dataset[k], plain[k]
        assert mine.shape == (STEPS, 1, 1, BINNED)
        assert np.array_equal(mine[:, 0], other), dataset.ids[k]
        assert label == said


# ---------------------------------------------------------------------- training


def naive_loader(plain: Any, workers: int) -> Any:
    from tonic.collation import PadTensors
    from torch.utils.data import DataLoader

    return DataLoader(
        plain, BATCH, shuffle=True, drop_last=True, collate_fn=PadTensors(batch_first=True),
        num_workers=workers,
    )  # fmt: skip


def networks() -> list[Any]:
    """Ours, and one in sinabs' layers for each number of workers: the same weights and spikes."""
    import torch

    import evstore.snn as snn
    from bench.snn import check_twins
    from bench.snn_peers import in_sinabs
    from evstore.snn.initial import balance

    torch.manual_seed(1)
    ours = balance(snn.models.mlp(BINNED, CLASSES, 128, 3), (BINNED,))
    theirs = [in_sinabs(ours) for _ in WORKERS]
    random = torch.Generator().manual_seed(3)
    check_twins(ours, theirs[0], torch.poisson(torch.full((2, 20, BINNED), 0.3), random))
    return [ours, *theirs]


def epoch(model: Any, loader: Iterable[Any]) -> float:
    """Train on every batch; the sum of the losses."""
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    total = 0.0
    for frames, labels, *_ in loader:
        optimiser.zero_grad(set_to_none=True)
        spikes = model(frames.flatten(2))
        loss = torch.nn.functional.cross_entropy(spikes.sum(1), labels)
        loss.backward()
        optimiser.step()
        total += float(loss.detach())
    return total


def data_alone(loaders: list[Any], settings: Settings) -> list[tuple[float, ...]]:
    """An epoch's frames, and no network: of ours and of the first of the others."""
    rounds = 1 if settings.quick else ROUNDS
    return rounds_of(rounds, *(lambda one=one: [0 for _ in one] for one in loaders[:2]))
