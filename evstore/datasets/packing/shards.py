"""Recordings of shards, to be packed into other ones."""

from __future__ import annotations

import os

from evstore.datasets import MANIFEST
from evstore.datasets.indexing import (
    classes_said,
    joined_classes,
    object_said,
    shards_below,
    text_said,
)
from evstore.datasets.manifest import read_manifest
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.splitting import rule_of
from evstore.recording.opening import is_shard
from evstore.shard.address import address
from evstore.shard.shard import Shard


def holds_shards_only(path: str) -> bool:
    """Whether a path is a shard, or a folder in whose tree there are shards and a manifest."""
    if os.path.isfile(path):
        return is_shard(path)
    return os.path.exists(os.path.join(path, MANIFEST)) or (
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

    A recording whose shard holds it alone, without an id, takes its file's name. Splits that
    `evstore dataset split` gave them stand in the manifest; they are as good as the shards' own.
    """
    items: list[Item] = []
    classes: list[str] | None = None
    paths = [path] if os.path.isfile(path) else shards_below(path)
    given = _splits(path)
    base = os.path.dirname(path) if os.path.isfile(path) else path
    for name in paths:
        with Shard(name) as shard:
            for info in shard.recordings:
                said = info.metadata
                classes = joined_classes(classes, classes_said(shard, info), "other shards", name)
                stem = os.path.splitext(os.path.relpath(name, base))[0].replace(os.sep, "/")
                items.append(
                    Item(
                        source=address(name, info.id),
                        id=info.id or stem,
                        split=given.get(info.id, text_said(said.get("split"))),
                        label=said.get("label"),
                        group=text_said(said.get("group")),
                        columns=object_said(shard, info, "columns") or {},
                    )
                )
    return Found(items, classes)


def _splits(path: str) -> dict[str, str | None]:
    """The splits of a manifest that has its own."""
    if not os.path.isdir(path) or rule_of(path) is None:
        return {}
    manifest = read_manifest(path)
    return dict(zip(manifest.values("id"), manifest.values("split"), strict=True))
