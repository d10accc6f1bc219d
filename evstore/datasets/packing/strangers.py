"""Shards that lie where a dataset is to be, and are not of it."""

from __future__ import annotations

import os
from collections.abc import Collection

from evstore.datasets.indexing import shards_below
from evstore.errors import FormatError
from evstore.shard.shard import Shard


def strangers_in(folder: str, targets: Collection[str] | None, ids: Collection[str]) -> list[str]:
    """Shards in a folder or below that hold none of the recordings ``ids``, nor streams of them.

    So are those that are none of ``targets``, where these are given. A damaged shard is taken
    for one of ours.
    """
    if not os.path.isdir(folder):
        return []
    ours = None if targets is None else {os.path.normpath(path) for path in targets}
    return [
        path
        for path in shards_below(folder)
        if (ours is not None and os.path.normpath(path) not in ours) or not _holds_any(path, ids)
    ]


def _holds_any(path: str, ids: Collection[str]) -> bool:
    try:
        with Shard(path) as shard:
            there = {info.id for info in shard.recordings}
    except FormatError:
        return True
    return any(id in ids or id.rpartition("/")[0] in ids for id in there)
