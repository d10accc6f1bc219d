"""Memory that a thread reads and decodes with, again and again."""

from __future__ import annotations

import threading

import numpy as np

from evstore.codec.chunk import Rooms
from evstore.events import Events
from evstore.shard.groups import READ_AT_ONCE


class ThreadMemory(threading.local):
    """Each thread that looks at it sees its own."""

    def __init__(self) -> None:
        self._buffer = memoryview(b"")
        self._events = Events.empty()
        self.rooms = Rooms()

    def buffer(self, size: int) -> memoryview:
        """Bytes, at least so many."""
        if len(self._buffer) < size:
            # Unset: most is never used.
            self._buffer = np.empty(max(size, READ_AT_ONCE), np.uint8).data
        return self._buffer

    def events(self, count: int) -> Events:
        """Events whose values are not set, at least so many."""
        if len(self._events) < count:
            self._events = Events.empty(length=count)
        return self._events
