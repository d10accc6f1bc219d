"""The files of a shard's items, where several are in one file: opened once, hashed once."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Sequence

from evstore.conversion.job import Options
from evstore.conversion.source_hash import SourceHash
from evstore.datasets.packing.item import Item
from evstore.recording.base import Recording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.opening import is_shard, open_all
from evstore.shard.address import split_address
from evstore.shard.shard import Shard

MOST_OPEN = 32  # shards: a file handle each, and its directory
KEEPS_IT_OPEN = -1  # among the users of a shard, so that no recording's closing closes it


class Sources:
    """Recordings of items. What is read of a file for one is kept for its others."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._uses = Counter(split_address(item.source)[0] for item in items)
        self._shards: OrderedDict[str, Shard] = OrderedDict()
        self._hashes: dict[str, str | None] = {}

    def recordings(self, item: Item, how: Options) -> list[Recording]:
        """All that are of the item; close each. Raises as `open_all` does."""
        path, id = split_address(item.source)
        if id is None or item.reading or self._uses[path] < 2 or not is_shard(path):
            return open_all(item.source, **how.said())
        shard = self._shards.pop(path, None) or Shard(path)
        self._shards[path] = shard
        if len(self._shards) > MOST_OPEN:
            self._shards.popitem(last=False)[1].close()
        info = shard.find(id)
        return [ShardRecording(shard, info, {KEEPS_IT_OPEN, info.number})]

    def hash_of(self, path: str) -> SourceHash:
        """The file's SHA-256; close it."""
        return SourceHash(path, known=self._hashes.get(path))

    def keep_hash(self, path: str, source: SourceHash) -> None:
        """Remember the hash of a file that is whole, where others are of it too."""
        if self._uses[path] > 1 and os.path.isfile(path):
            self._hashes[path] = source.result()

    def close(self) -> None:
        """Close what is still open."""
        while self._shards:
            self._shards.popitem()[1].close()
