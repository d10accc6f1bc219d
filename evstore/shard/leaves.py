"""The leaf of a recording's hash tree that is being filled."""

from __future__ import annotations

from evstore.events import COLUMNS, Events
from evstore.shard.root import LEAF_EVENTS, leaf_hash


class LeafBuffer:
    """Gathers events into a leaf of LEAF_EVENTS; ``hashed`` are the leaves before."""

    def __init__(self) -> None:
        self.events = Events.empty(length=LEAF_EVENTS)
        self.filled = 0
        self.hashed: list[bytes] = []

    @property
    def room(self) -> int:
        """Events that the leaf can still take."""
        return LEAF_EVENTS - self.filled

    def add(self, events: Events) -> None:
        """Copy up to ``room`` events in."""
        start, stop = self.filled, self.filled + len(events)
        for name in COLUMNS:
            getattr(self.events, name)[start:stop] = getattr(events, name)
        self.filled = stop

    def take(self) -> Events:
        """What is in the leaf, for good: the next one gets memory of its own."""
        taken = self.events[: self.filled]
        self.events, self.filled = Events.empty(length=LEAF_EVENTS), 0
        return taken

    def hashes(self) -> list[bytes]:
        """The hashes of all leaves, of what is in this one too. Nothing is changed by it."""
        if not self.filled:
            return self.hashed
        part = self.events[: self.filled]
        return [*self.hashed, leaf_hash(part.t, part.x, part.y, part.p)]

    def hash(self) -> None:
        """Hash what is in the leaf, and begin the next one."""
        self.hashed, self.filled = self.hashes(), 0
