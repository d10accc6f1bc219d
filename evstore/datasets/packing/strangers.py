"""Shards that lie where a dataset is to be, and are not of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator

from evstore.datasets.indexing import shards_below
from evstore.errors import CorruptError, FormatError, UnsupportedError
from evstore.shard.layout import BEGIN, Begin
from evstore.shard.scan import scan
from evstore.shard.shard import Shard
from evstore.shard.source import FileSource


def strangers_in(folder: str, targets: Collection[str] | None, ids: Collection[str]) -> list[str]:
    """Shards in a folder or below that hold none of the recordings ``ids``, nor streams of them.

    So are those that are none of ``targets``, where these are given. Of a damaged shard the
    recordings count whose beginnings can be read. One of which none can be, and one of a newer
    evstore, is a stranger: who knows what is in it?
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
            there: Iterable[str] = [info.id for info in shard.recordings]
    except UnsupportedError:
        return False
    except FormatError:
        there = _ids_begun(path)
    return any(id in ids or id.rpartition("/")[0] in ids for id in there)


def _ids_begun(path: str) -> Iterator[str]:
    """The ids of recordings that begin in a damaged shard, as far as it can be walked."""
    with contextlib.closing(FileSource(path)) as source:
        try:
            for record in scan(source, on_damage=lambda _: None):
                if record.kind == BEGIN:
                    with contextlib.suppress(CorruptError):
                        yield Begin.parse(record).id
        except FormatError:  # a record that this evstore does not have
            return
