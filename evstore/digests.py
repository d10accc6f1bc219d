"""Digests that tell whether two files hold the same events, and the first event that differs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from evstore.events import COLUMNS, Events
from evstore.recording.base import Recording
from evstore.selection import Selection

NAMES = {"t": "t_i8", "x": "x_u2", "y": "y_u2", "p": "p_u1"}


class Digest:
    """SHA-256 of each column as little-endian int64, uint16, uint16, uint8, batch by batch."""

    def __init__(self) -> None:
        self._hashers = {name: hashlib.sha256() for name in COLUMNS}
        self._events = self._on = 0
        self._first: int | None = None
        self._last: int | None = None

    def update(self, events: Events) -> None:
        """Add events; the sizes of the batches do not matter."""
        if not len(events):
            return
        if self._first is None:
            self._first = int(events.t[0])
        self._last = int(events.t[-1])
        self._events += len(events)
        self._on += int(np.count_nonzero(events.p))
        for name, hasher in self._hashers.items():
            column = getattr(events, name)
            little = column.astype(column.dtype.newbyteorder("<"), copy=False)
            hasher.update(np.ascontiguousarray(little).data)

    def result(self, resolution: tuple[int, int] | None) -> dict[str, Any]:
        """What `evstore digest --json` prints."""
        return {
            "events": self._events,
            "t_first": self._first,
            "t_last": self._last,
            "on_events": self._on,
            "width": resolution[0] if resolution else None,
            "height": resolution[1] if resolution else None,
            "sha256": {NAMES[name]: h.hexdigest() for name, h in self._hashers.items()},
        }


def digest(recording: Recording, selection: Selection | None = None) -> dict[str, Any]:
    """The digest of a recording's (selected) events; reads all of them once, in bounded memory.

    >>> import evstore
    >>> digest(evstore.open("drive.evs"))["events"]            # doctest: +SKIP
    """
    total = Digest()
    for events in recording.batches(selection):
        total.update(events)
    return total.result(recording.resolution)


def first_difference(a: Recording, b: Recording) -> dict[str, Any] | None:
    """The first event in which two recordings differ, None where they are equal.

    ``{"event": i, "a": (t, x, y, p) or None, "b": ...}``: None where that one has ended.
    """
    left, right = _Feed(a.batches()), _Feed(b.batches())
    at = 0
    while True:
        n = min(left.fill(), right.fill())
        if n == 0:
            one, other = left.first(), right.first()
            return None if one == other else {"event": at, "a": one, "b": other}
        x, y = left.take(n), right.take(n)
        if x != y:
            different = np.zeros(n, np.bool_)
            for name in COLUMNS:
                different |= getattr(x, name) != getattr(y, name)
            i = int(np.argmax(different))
            return {"event": at + i, "a": _event(x, i), "b": _event(y, i)}
        at += n


class _Feed:
    """Batches of any sizes, taken in pieces of the size that the other side has."""

    def __init__(self, batches: Iterator[Events]) -> None:
        self._batches = batches
        self._rest = Events.empty()

    def fill(self) -> int:
        while not len(self._rest):
            more = next(self._batches, None)
            if more is None:
                break
            self._rest = more
        return len(self._rest)

    def take(self, count: int) -> Events:
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def first(self) -> tuple[int, ...] | None:
        return _event(self._rest, 0) if self.fill() else None


def _event(events: Events, i: int) -> tuple[int, ...]:
    return tuple(int(getattr(events, name)[i]) for name in COLUMNS)
