"""Small datasets for tests, whose events are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import evstore
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.manifest import write_manifest
from evstore.shard.writer import ShardWriter

RESOLUTION = (34, 30)
CLASSES = ["left", "right", "none"]


def random_events(
    seed: int, count: int, resolution: tuple[int, int] = RESOLUTION, span: int = 100_000
) -> evstore.Events:
    """Events in order of time, from a clock that began a while ago."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, span, count)) + 5_000_000 + seed
    width, height = resolution
    return evstore.Events(
        t,
        rng.integers(0, width, count),
        rng.integers(0, height, count),
        rng.integers(0, 2, count),
        resolution,
    )


@dataclass
class Made:
    """A dataset's folder, and what is in it by id."""

    folder: Path
    events: dict[str, evstore.Events] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)


def make_dataset(
    folder: Path,
    *,
    recordings: int = 12,
    a_shard: int = 5,
    count: int = 3000,
    preset: str = "balanced",
    intervals: bool = False,
    boxes: bool = False,
) -> Made:
    """Recordings ``test/0 ...`` and ``train/0 ...`` with labels, users and groups of two."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Made(folder)
    for begin in range(0, recordings, a_shard):
        path = folder / f"part-{begin // a_shard}.evs"
        with ShardWriter(path, preset=preset, flush_s=None) as shard:
            for k in range(begin, min(begin + a_shard, recordings)):
                _write(made, shard, k, count, intervals, boxes, first=k == begin)
            shard.close()
    write_manifest(index_shards(shards_below(folder), folder), folder)
    return made


def _write(
    made: Made, shard: ShardWriter, k: int, count: int, intervals: bool, boxes: bool, first: bool
) -> None:
    split = "test" if k % 3 == 0 else "train"
    id, label = f"{split}/{k}", k % 3
    events = random_events(k, count + 10 * k)
    said: dict[str, Any] = {"split": split, "group": f"g{k // 2}", "columns": {"user": k % 4}}
    if first:
        said["dataset"] = {"classes": CLASSES}
    out = shard.recording(id, resolution=RESOLUTION, label=label, metadata=said)
    out.write(events)
    t0 = int(events.t[0])
    if intervals:
        out.label(
            [0, 1, 2], [t0, t0 + 20_000, t0 + 50_000], [t0 + 15_000, t0 + 50_000, t0 + 90_000]
        )
    if boxes:
        rng = np.random.default_rng(k)
        n = 20
        side = {"t": np.sort(rng.integers(t0, t0 + 100_000, n))}
        side |= {name: rng.integers(0, 20, n).astype("<f4") for name in ("x", "y")}
        side |= {name: rng.integers(1, 10, n).astype("<f4") for name in ("w", "h")}
        out.append_rows("boxes", {**side, "class_id": rng.integers(0, 3, n)})
    out.close()
    made.events[id], made.said[id] = events, {**said, "label": label}
