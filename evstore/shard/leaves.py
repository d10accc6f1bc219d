"""The leaves of a recording's hash tree, hashed as its events come, by a second thread if asked."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from evstore.events import Events
from evstore.shard.root import LEAF_EVENTS, leaf_hash

MOST_WAITING = 2  # leaves held while the second thread is busy: bounds the memory


class LeafBuffer:
    """Gathers events into leaves of LEAF_EVENTS and hashes each when it is full."""

    def __init__(self, background: bool = False) -> None:
        self.events = Events.empty(length=LEAF_EVENTS)
        self.filled = 0
        self._pool = ThreadPoolExecutor(1, "evstore-root") if background else None
        self._hashes: list[bytes | Future[bytes]] = []
        self._spare: list[Events] = []
        self._waiting: list[tuple[int, Events | None]] = []

    @property
    def room(self) -> int:
        """Events that the current leaf can still take."""
        return LEAF_EVENTS - self.filled

    def add(self, events: Events) -> Events:
        """Copy up to ``room`` events in; returns the view of them within the leaf."""
        start, stop = self.filled, self.filled + len(events)
        for name in ("t", "x", "y", "p"):
            getattr(self.events, name)[start:stop] = getattr(events, name)
        self.filled = stop
        return self.events[start:stop]

    def hash_full(self) -> None:
        """Hash the full leaf and begin the next one."""
        self._hash(self.events, own=True)
        self.filled = 0
        if self._pool is not None:
            self.events = self._spare.pop() if self._spare else Events.empty(length=LEAF_EVENTS)

    def hash_whole(self, leaf: Events) -> None:
        """Hash a leaf that came whole; the caller does not change its arrays afterwards."""
        self._hash(leaf, own=False)

    def hashes(self) -> list[bytes]:
        """The hashes of all leaves, the last and shorter one included."""
        if self.filled:
            part = self.events[: self.filled]
            self._hashes.append(leaf_hash(part.t, part.x, part.y, part.p))
            self.filled = 0
        self._wait(0)
        return [h if isinstance(h, bytes) else h.result() for h in self._hashes]

    def close(self) -> None:
        """End the second thread."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _hash(self, leaf: Events, own: bool) -> None:
        if self._pool is None:
            self._hashes.append(leaf_hash(leaf.t, leaf.x, leaf.y, leaf.p))
            return
        self._wait(MOST_WAITING - 1)
        future = self._pool.submit(leaf_hash, leaf.t, leaf.x, leaf.y, leaf.p)
        self._hashes.append(future)
        self._waiting.append((len(self._hashes) - 1, leaf if own else None))

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            place, leaf = self._waiting.pop(0)
            future = self._hashes[place]
            assert not isinstance(future, bytes)
            self._hashes[place] = future.result()
            if leaf is not None:
                self._spare.append(leaf)
