"""Small datasets that tests pack, and what they compare."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evstore
from command_line import raw_bytes, some_events
from evstore.datasets.manifest import Manifest, read_manifest
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.pack import pack
from evstore.shard.shard import Shard

CLASSES = ["cat", "dog", "owl"]


def sources(folder: Path, count: int, events: int = 500, seed: int = 1) -> list[Path]:
    """EVT3 files, each with other events."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{k:03}.raw" for k in range(count)]
    for k, path in enumerate(paths):
        path.write_bytes(raw_bytes(some_events(events, seed * 1000 + k)))
    return paths


def items(paths: Sequence[Path], prefix: str = "r", **said: Any) -> list[Item]:
    """An item a file: labels 0, 1, 2 in turn, every fourth of them is a test."""
    return [
        Item(
            str(path),
            f"{prefix}/{k}",
            split="test" if k % 4 == 3 else "train",
            label=k % 3,
            columns={"user": f"u{k % 5}"},
            **said,
        )
        for k, path in enumerate(paths)
    ]


def packed(tmp_path: Path, name: str, count: int = 12, **options: Any) -> Path:
    """A dataset of ``count`` recordings whose ids begin with its name."""
    seed = sum(map(ord, name))
    paths = sources(tmp_path / f"{name}-sources", count, seed=seed)
    found = Found(items(paths, name), CLASSES)
    report = pack(found, tmp_path / name, **{"shard_bytes": 2000, **options})
    assert report.manifest is not None, report.failed
    return tmp_path / name


def rows(manifest: Manifest | Path) -> dict[str, dict[str, Any]]:
    """The rows of a manifest by id, of one whose recordings have no parts."""
    if isinstance(manifest, Path):
        manifest = read_manifest(manifest)
    names = manifest.table.column_names
    table = zip(*(manifest.values(name) for name in names), strict=True)
    found = {row[0]: dict(zip(names, row, strict=True)) for row in table}
    assert len(found) == len(manifest)
    return found


def equal(a: Manifest | Path, b: Manifest | Path) -> bool:
    a, b = (read_manifest(m) if isinstance(m, Path) else m for m in (a, b))
    return (a.classes, dict(a.about)) == (b.classes, dict(b.about)) and a.table.equals(b.table)


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder and below."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def ids_of(folder: Path) -> list[str]:
    """Every recording of every shard, as often as it is there."""
    found = []
    for path in sorted(folder.rglob("*.evs")):
        with Shard(path) as shard:
            found += [info.id for info in shard.recordings]
    return sorted(found)


def events_of(folder: Path, row: dict[str, Any]) -> evstore.Events:
    with evstore.open(folder / row["shard"], recording=row["id"]) as recording:
        return recording[:]
