"""Pages of the indexes of shards, those used last kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from evstore.shard.chunks import ChunkInfo

KEPT = 64  # half a megabyte each, where numpy holds them


class KeptPages:
    """At most ``most`` pages, of one shard or of many. Threads may share it."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._pages: OrderedDict[tuple[object, int], Sequence[ChunkInfo]] = OrderedDict()
        self._lock = threading.Lock()

    def page(
        self, of: object, number: int, load: Callable[[], Sequence[ChunkInfo]]
    ) -> Sequence[ChunkInfo]:
        """The page of that number of ``of``, which stands for a shard; loaded where it is not."""
        key = (of, number)
        with self._lock:
            found = self._pages.get(key)
            if found is not None:
                self._pages.move_to_end(key)
                return found
        found = load()
        with self._lock:
            self._pages[key] = found
            while len(self._pages) > self._most:
                self._pages.popitem(last=False)
        return found
