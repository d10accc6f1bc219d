"""Datasets of many recordings: opening, planning, ordering; two workers."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.bars import Bar, Settings
from bench.dataset_sets import Set
from bench.memory import peak_bytes
from bench.timing import Spread, exact, nothing, rounds_of
from evstore.bench.measure import forget_peak
from evstore.datasets.dataset import Dataset
from evstore.datasets.loading.loader import Loader
from evstore.datasets.loading.order import epoch_order
from evstore.datasets.manifest import NAME, make_manifest, write_manifest
from evstore.datasets.windows import Windows

FIRST = 8  # batches that are not measured: memory is taken, files are opened


def measure(sets: list[Set], settings: Settings) -> list[Bar]:
    return [
        *planning(settings),
        *ordering(settings),
        opening(settings),
        *workers(sets[-2], settings),
    ]


def manifest_of(folder: Path, recordings: int, duration: int) -> Path:
    """A manifest whose shards there are not: what is measured reads none of them."""
    if not (folder / NAME).exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        rng = np.random.default_rng(3)
        for k in range(recordings):
            start = int(rng.integers(0, 1 << 40))
            rows.append({
                "id": f"train/{k % 10}/{k:05d}", "part": 0, "split": "train", "label": k % 10,
                "shard": f"train-{k // 8000:05d}.evs", "position": k % 8000, "first_event": 0,
                "events": 4000 + k % 99, "t_first": start, "t_min": start,
                "t_max": start + duration - 1, "width": 34, "height": 34, "boxes": 0,
                "root": rng.bytes(32), "source": f"{k:05d}.bin",
            })  # fmt: skip
        write_manifest(make_manifest(rows, [str(k) for k in range(10)]), folder)
    return folder


def planning(settings: Settings) -> list[Bar]:
    """A million windows of ten thousand recordings."""
    count = 1000 if settings.quick else 10_000
    folder = manifest_of(settings.folder / "datasets" / f"manifest-{count}", count, 1_000_000)
    windows = Windows(duration=10_000)

    def plan() -> int:
        found = Dataset(folder, windows=windows)
        assert len(found) == count * 100
        return len(found)

    rows = np.zeros((count * 100, 4), np.int64)

    def touch() -> int:
        return int(rows.sum())

    taken = rounds_of(5, plan, touch)
    return [
        Bar("a million windows over 10,000 recordings planned, manifest read", "s", "less", 1,
            None, Spread.of(a for a, _ in taken),
            {"a million rows of numpy touched": Spread.of(b for _, b in taken)}),
    ]  # fmt: skip


def ordering(settings: Settings) -> list[Bar]:
    """The order of ten million samples, in a process of its own: its memory is looked at."""
    n = 100_000 if settings.quick else 10_000_000
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        seconds, mb = pool.apply(_order, (n,))
    return [
        Bar("order of 10 M samples in 1,000 shards", "s", "less", 1, None, seconds),
        Bar("memory for it", "MB", "less", 200, None, exact(mb)),
    ]


def _order(n: int) -> tuple[Spread, float]:
    """Seconds of an order of ``n`` samples, and by how many megabytes the process grows for one.

    The arrays that say where samples lie are there before, and not counted; what is made on the
    way is, by numpy's sorting too, which no count of Python's memory sees.
    """
    shards = np.sort(np.random.default_rng(0).integers(0, 1000, n).astype(np.int32))
    epoch_order(1000, 0, 0)
    forget_peak()  # sorting the shards took more
    before = peak_bytes()
    taken = []
    for epoch in range(5):
        started = time.perf_counter()
        epoch_order(n, 7, epoch, shards=shards)
        taken.append(time.perf_counter() - started)
    return Spread.of(taken), (peak_bytes() - before) / 1e6


def opening(settings: Settings) -> Bar:
    """A dataset of 60,000 recordings, against its manifest alone."""
    from pyarrow import parquet

    count = 2000 if settings.quick else 60_000
    folder = manifest_of(settings.folder / "datasets" / f"manifest-{count}", count, 300_000)
    taken = rounds_of(
        15,
        lambda: len(Dataset(folder, "train")),
        lambda: parquet.read_table(folder / NAME).num_rows,
    )
    ratio = Spread.of(a / b for a, b in taken)
    return Bar("opening 60,000 recordings, against pyarrow reading the manifest", "x", "less", 2,
               None, ratio)  # fmt: skip


def workers(one: Set, settings: Settings) -> list[Bar]:
    """What worker processes deliver, against processes that read for themselves, in one run.

    Seconds are of a batch, once all are at work: a loop takes the batches and does nothing.
    """
    dataset = Dataset(one.folder, frames=one.frames)
    count = 96 if settings.quick else 160
    part = dataset.select(np.random.default_rng(5).integers(0, len(dataset), count))
    second, first = [], []
    for _ in range(3 if settings.quick else 11):
        one_worker, two_workers = (steady(loader(part, workers)) for workers in (1, 2))
        one_process, two_processes = (alone(part, processes) for processes in (1, 2))
        second.append((one_worker / two_workers) / (one_process / two_processes))
        first.append(one_process / one_worker)
    return [
        Bar("two workers over one, relative to two plain processes over one", "x", "more",
            0.85, None, Spread.of(second)),
        Bar("one worker, relative to one plain process", "x", "more", None, None,
            Spread.of(first)),
    ]  # fmt: skip


def loader(dataset: Dataset, num_workers: int) -> Loader:
    """Of batches of 4; two are read ahead."""
    return Loader(dataset, 4, shuffle=False, num_workers=num_workers, prefetch_factor=2)


def steady(loader: Loader, ready: Callable[[], Any] = nothing) -> float:
    """Seconds a batch, of all but the first ones, from when ``ready`` says so."""
    batches = iter(loader)
    for _ in range(FIRST):
        next(batches)
    ready()
    started = time.perf_counter()
    for _ in batches:
        pass
    return (time.perf_counter() - started) / (len(loader) - FIRST)


def alone(dataset: Dataset, processes: int) -> float:
    """Seconds a batch of so many plain processes, each of which reads its part for itself."""
    context = multiprocessing.get_context("fork")
    shares = [dataset.select(range(k, len(dataset), processes)) for k in range(processes)]
    barrier, results = context.Barrier(processes), context.SimpleQueue()
    running: list[Any] = [
        context.Process(target=_read, args=(share, barrier, results)) for share in shares
    ]
    for process in running:
        process.start()
    taken = [results.get() for _ in running]
    for process in running:
        process.join()
    slowest: float = max(taken)
    return slowest / processes


def _read(dataset: Dataset, barrier: Any, results: Any) -> None:
    results.put(steady(loader(dataset, 0), barrier.wait))
