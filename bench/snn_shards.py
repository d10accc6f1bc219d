"""Training straight from shards, without a cache, against the same frames already in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from bench.bars import Bar, Settings, worst
from bench.recordings import data_folder
from bench.snn import about
from bench.timing import Spread, rounds_of
from evstore.datasets.dataset import Dataset
from evstore.datasets.loading.loader import Loader
from evstore.datasets.manifest import NAME
from evstore.datasets.packing.pack import pack
from evstore.frames import Frames

BATCH = 32
BINS = (10, 20)
RESOLUTION = (34, 34)
ROUNDS = 5  # of some epochs of tens of seconds each
#: How shards may be read; the first is what `Loader` does unless told otherwise.
WAYS: dict[str, dict[str, Any]] = {
    "in the process itself": {},
    "in a thread": {"num_workers": 1, "workers": "threads"},
    "in a process of its own": {"num_workers": 1},
}


class Part(NamedTuple):
    """A network, and how many of the digits it sees in an epoch (None: all)."""

    network: str
    bins: int
    digits: int | None


def measure(settings: Settings) -> list[Bar]:
    data = data_folder()
    if data is None or find_spec("torch") is None or find_spec("sinabs") is None:
        return []
    folder = packed(data, settings)
    rounds = min(settings.rounds, ROUNDS)
    digits, several = (2 * BATCH, BINS[:1]) if settings.quick else (None, BINS)
    parts = [Part(network, bins, digits) for network in ("talk", "digits") for bins in several]
    found: dict[str, dict[str, Spread]] = {way: {} for way in WAYS}
    for part in parts:
        for way, spread in epochs(folder, part, rounds).items():
            found[way][f"{part.network}, T {part.bins}"] = spread
    note = (
        f"{about()}; N-MNIST digits, batches of {BATCH}, shuffled; frames in memory are one tensor "
        "of uint8, batches index_select; shards are in the system's page cache; the part that does "
        "worst"
    )
    bars = []
    for k, (way, ratios) in enumerate(found.items()):
        name = f"CPU: training from shards, read {way}, time of an epoch over that from memory"
        bounds = (1.15, 1.0) if k == 0 else (None, None)
        said = f"{note}; what Loader does unless told otherwise" if k == 0 else note
        said += "; it is started for each epoch" if k == 2 else ""
        bars.append(Bar(name, "x", "less", *bounds, worst(ratios, "less"), ratios, said))
    return bars


def packed(data: Path, settings: Settings) -> Path:
    folder = settings.folder / "datasets" / "nmnist"
    if not (folder / NAME).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        pack(data / "nmnist_small", folder, layout="nmnist", overwrite=True)
    return folder


def epochs(folder: Path, part: Part, rounds: int) -> dict[str, Spread]:
    """Of each way to read shards its time over that of frames in memory."""
    dataset = Dataset(folder, frames=Frames(bins=part.bins, dtype="uint8"))
    if part.digits is not None:
        dataset = dataset.select(range(0, len(dataset), len(dataset) // part.digits))
    memory = InMemory(dataset)
    sources: list[Any] = [memory, *(Loader(dataset, BATCH, **how) for how in WAYS.values())]
    check_same_frames(sources[1], memory)
    train = Training(part.network)
    for source in sources[1:]:
        assert len(source) == len(memory)
    taken = rounds_of(rounds, *(lambda source=one: train.epoch(source) for one in sources))
    return {way: Spread.of(times[k] / times[0] for times in taken) for k, way in enumerate(WAYS, 1)}


class InMemory:
    """All frames as one tensor, and whole batches of them in a new order each epoch."""

    def __init__(self, dataset: Dataset) -> None:
        import numpy as np
        import torch

        self.frames = torch.from_numpy(np.stack([dataset[k][0] for k in range(len(dataset))]))
        self.labels = torch.as_tensor(np.asarray(dataset.labels))

    def __len__(self) -> int:
        return len(self.labels) // BATCH

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        import torch

        order = torch.randperm(len(self.labels))
        for k in range(len(self)):
            chosen = order[k * BATCH : (k + 1) * BATCH]
            yield self.frames.index_select(0, chosen), self.labels.index_select(0, chosen)


def check_same_frames(loader: Loader, memory: InMemory) -> None:
    """What the loader gives is what is in memory."""
    import torch

    batch = next(iter(loader))
    assert loader.current is not None
    assert torch.equal(batch.data, memory.frames[loader.current.numbers])
    assert torch.equal(batch.targets, memory.labels[loader.current.numbers])
    loader.seek(0)


class Training:
    """A network and its optimiser, which go on from epoch to epoch."""

    def __init__(self, network: str) -> None:
        import torch

        import evstore.snn as snn

        torch.manual_seed(1)
        self.model = getattr(snn.models, network)(resolution=RESOLUTION)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3)

    def epoch(self, batches: Iterable[Any]) -> float:
        """Train on all batches, (frames, labels, ...); the sum of the losses."""
        import torch

        total = 0.0
        for frames, labels, *_ in batches:
            self.optimiser.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(self.model(frames).sum(1), labels)
            loss.backward()
            self.optimiser.step()
            total += float(loss.detach())
        return total
