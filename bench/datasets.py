"""Datasets: frames for training straight from shards, against tonic on files and on its caches."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench import dataset_scale
from bench.bars import Bar, Settings
from bench.dataset_sets import GESTURES, LARGE, Set, digits, simulated, smaller
from bench.timing import Spread, exact, rounds_of
from evstore.datasets.dataset import Dataset
from evstore.datasets.loading.collate import pad_collate
from evstore.datasets.loading.loader import Loader
from evstore.frames import to_frames

BATCH = 4


def measure(settings: Settings) -> list[Bar]:
    if find_spec("tonic") is None or find_spec("torch") is None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tonic  # noqa: F401
    made = [smaller(GESTURES), smaller(LARGE)] if settings.quick else [GESTURES, LARGE]
    sets = [digits(settings), *(simulated(one, settings) for one in made)]
    there = [one for one in sets if one is not None]
    return [
        *against_tonic(there, settings),
        *fused(there, settings),
        *dataset_scale.measure(there, settings),
    ]


def against_tonic(sets: list[Set], settings: Settings) -> list[Bar]:
    files, alone, cached, sizes, sizes_events = {}, {}, {}, {}, {}
    for one in sets:
        plain, frames = tonic_ways(one, settings)
        packed = Dataset(one.folder, frames=one.frames).select(one.numbers)
        check_equal(packed, plain)
        rounds = 3 if settings.quick else 7
        taken = rounds_of(
            rounds,
            lambda packed=packed: deliver(ours(packed)),
            lambda plain=plain: deliver(theirs(plain)),
            lambda frames=frames: deliver(theirs(frames)),
            lambda packed=packed: with_one_thread(lambda: deliver(ours(packed))),
        )
        files[one.name] = Spread.of(b / a for a, b, _, _ in taken)
        cached[one.name] = Spread.of(c / a for a, _, c, _ in taken)
        alone[one.name] = Spread.of(b / d for _, b, _, d in taken)
        mine = share(one)
        sizes[one.name] = exact(mine / folder_bytes(cache_folder(one, settings, "frames")))
        sizes_events[one.name] = exact(mine / folder_bytes(cache_folder(one, settings, "events")))
    note = (
        "batches of 4 to one process, no workers, each with its own collation, of datasets that "
        "were opened before; evstore reads with the threads that torch has"
    )
    return [
        bar("frames for training, against tonic reading the files", "x", 8, 15, files, note),
        bar("the same with one thread, against tonic reading the files", "x", None, None, alone),
        bar("frames for training, against tonic's warm cache of frames", "x", 3, 5, cached, note),
        bar("bytes of shards, against tonic's cache of frames", "less", 0.7, None, sizes),
        bar("bytes of shards, against tonic's cache of events", "less", 1 / 3, None, sizes_events),
    ]


def bar(
    name: str,
    kind: str,
    must: float | None,
    aim: float | None,
    parts: dict[str, Spread],
    note: str = "",
) -> Bar:
    """A row; the set that does worst counts."""
    better = "less" if kind == "less" else "more"
    pick = max if better == "less" else min
    worst = pick(parts.values(), key=lambda part: part.median)
    return Bar(name, "x", better, must, aim, worst, parts, note)


def tonic_ways(one: Set, settings: Settings) -> tuple[Any, Any]:
    """Tonic on the files with ToFrame, and its warm cache of these frames.

    Its cache of events is made too: its bytes are looked at.
    """
    import copy

    from tonic import DiskCachedDataset
    from tonic.transforms import ToFrame

    transform = ToFrame(sensor_size=one.sensor_size, time_window=one.frames.duration)
    plain, bare = copy.copy(one.plain), copy.copy(one.plain)
    plain.transform, bare.transform = transform, None
    ways = [plain]
    for kind, source in (("frames", plain), ("events", bare)):
        folder = cache_folder(one, settings, kind)
        shutil.rmtree(folder, ignore_errors=True)
        cached = DiskCachedDataset(source, cache_path=str(folder))
        for k in range(len(cached)):
            cached[k]
        ways.append(cached)
    return ways[0], ways[1]


def cache_folder(one: Set, settings: Settings, kind: str) -> Path:
    return settings.folder / "datasets" / "tonic-cache" / one.name / kind


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def share(one: Set) -> float:
    """Bytes of the shards, of the recordings that are measured: by their events."""
    dataset = Dataset(one.folder)
    part = dataset.n_events[one.numbers].sum() / dataset.n_events.sum()
    return float(folder_bytes(one.folder) * part)


def check_equal(packed: Dataset, plain: Any) -> None:
    """The very frames that tonic makes."""
    for k in range(min(4, len(packed))):
        mine, other = packed[k][0], np.asarray(plain[k][0])
        assert np.array_equal(mine, other), packed.ids[k]


def ours(dataset: Dataset) -> Iterable[Any]:
    return Loader(dataset, BATCH, shuffle=False, collate=pad_collate)


def theirs(dataset: Any) -> Iterable[Any]:
    from tonic.collation import PadTensors
    from torch.utils.data import DataLoader

    return DataLoader(dataset, BATCH, collate_fn=PadTensors(batch_first=True), drop_last=True)


def with_one_thread(work: Callable[[], Any]) -> Any:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return work()
    finally:
        torch.set_num_threads(before)


def deliver(loader: Iterable[Any]) -> int:
    """Have every batch in the training process."""
    return sum(1 for _ in loader)


def fused(sets: list[Set], settings: Settings) -> list[Bar]:
    """From chunk to frame in one go, against all events first and then frames."""
    found: dict[str, dict[str, Spread]] = {"fast": {}, "balanced": {}}
    for one in sets:
        for preset, parts in found.items():
            folder = of_preset(one, settings, preset)
            parts[one.name] = fused_of(folder, one, settings)
    return [
        bar("`fast`: frames straight from chunks, against decoding first", "x", 1.3, 2,
            found["fast"]),
        bar("`balanced`: frames straight from chunks, against decoding first", "x", 1, None,
            found["balanced"]),
    ]  # fmt: skip


def of_preset(one: Set, settings: Settings, preset: str) -> Path:
    """The measured recordings in a shard of that preset."""
    from evstore.shard.writer import ShardWriter

    path = settings.folder / "datasets" / f"{one.name}-{preset}.evs"
    if not path.exists():
        dataset = Dataset(one.folder, output="events").select(one.numbers)
        with ShardWriter(path, preset=preset, flush_s=None) as shard:
            for k in range(len(dataset)):
                events = dataset[k][0]
                with shard.recording(f"{k:04d}", resolution=events.resolution) as out:
                    out.write(events)
            shard.close()
    return path


def fused_of(path: Path, one: Set, settings: Settings) -> Spread:
    straight = Dataset(path, frames=one.frames)
    events = Dataset(path, output="events")

    def each(make: Callable[[int], Any]) -> None:
        for k in range(len(events)):
            make(k)

    assert np.array_equal(straight[0][0], to_frames(events[0][0], one.frames))
    taken = rounds_of(
        3 if settings.quick else 9,
        lambda: each(lambda k: straight[k][0]),
        lambda: each(lambda k: to_frames(events[k][0], one.frames)),
    )
    return Spread.of(b / a for a, b in taken)
