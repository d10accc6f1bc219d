"""The leaf of a recording's hash tree that is being filled, and what becomes of a full one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.chunk import Found, Measures, Scratch, scratch
from evstore.events import COLUMNS, Events
from evstore.shard.leaf_kernels import encode_and_lay_out
from evstore.shard.root import (
    LEAF_EVENTS,
    body_of,
    hash_of_body,
    leaf_hash,
)


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


class Room(NamedTuple):
    """What encoding and hashing a leaf need beside its events; one of them serves one thread."""

    encoding: Scratch
    body: NDArray[np.uint8]


def room(step: int) -> Room:
    """Room for whole leaves in chunks of ``step`` events."""
    return Room(scratch(LEAF_EVENTS, step), body_of())


class EncodedLeaf(NamedTuple):
    """A leaf's chunks (measures and payload) and its hash."""

    chunks: list[tuple[Measures, NDArray[np.uint16]]]
    hash: bytes
    using: Room  # which holds the payloads


def encode_leaf(leaf: Events, step: int, using: Room) -> EncodedLeaf:
    """Encode and hash a leaf, in two calls: all of the work that can be done beside others."""
    words, deltas, low, runs, _ = using.encoding
    found = Found.of(len(leaf), step)
    bits = encode_and_lay_out(
        leaf.t, leaf.x, leaf.y, leaf.p, step,
        words, deltas, low, runs, *found, using.body,
    )  # fmt: skip
    hashed = hash_of_body(len(leaf), int(leaf.t[0]), bits, using.body)
    return EncodedLeaf(found.chunks(words), hashed, using)


def encode_leaves(leaves: list[tuple[Events, Room]], step: int) -> list[EncodedLeaf]:
    """Several leaves, one after the other: to hand one over costs as much as hashing it."""
    return [encode_leaf(leaf, step, using) for leaf, using in leaves]
