"""Recordings of shards, to be packed into other ones."""

from __future__ import annotations

import os

from evstore.datasets.indexing import shards_below
from evstore.datasets.packing.item import Found, Item
from evstore.recording.opening import is_shard
from evstore.shard.shard import Shard


def holds_shards_only(path: str) -> bool:
    """Whether a path is a shard, or a folder in whose tree there are shards and a manifest."""
    if os.path.isfile(path):
        return is_shard(path)
    return os.path.exists(os.path.join(path, "manifest.parquet")) or (
        bool(shards := shards_below(path)) and len(shards) == _files_below(path)
    )


def _files_below(path: str) -> int:
    return sum(
        not name.startswith(".") and not name.endswith(".part")
        for _, _, files in os.walk(path)
        for name in files
    )


def find_shards(path: str) -> Found:
    """Every recording of a shard, or of the shards in a folder, with what it says of itself.

    A recording whose shard holds it alone, without an id, takes its file's name.
    """
    items: list[Item] = []
    classes: list[str] | None = None
    paths = [path] if os.path.isfile(path) else shards_below(path)
    base = os.path.dirname(path) if os.path.isfile(path) else path
    for name in paths:
        with Shard(name) as shard:
            for info in shard.recordings:
                said = info.metadata
                classes = classes or (said.get("dataset") or {}).get("classes")
                stem = os.path.splitext(os.path.relpath(name, base))[0].replace(os.sep, "/")
                items.append(
                    Item(
                        source=f"{name}#{info.id}" if info.id else name,
                        id=info.id or stem,
                        split=said.get("split"),
                        label=said.get("label"),
                        group=said.get("group"),
                        columns=dict(said.get("columns") or {}),
                    )
                )
    return Found(items, classes)
