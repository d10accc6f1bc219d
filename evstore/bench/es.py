"""Event Stream (.es) by event_stream and by faery.

Its times count from 0, and nothing in the file says when that was: the first time is kept in a
file beside it, and added when events are read.
"""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfRecords, resolution_of
from evstore.bench.event_packages import Faery
from evstore.events import Events

FAMILY = ".es"
KEYFRAME_US = 10_000
NOTE = "the first time is kept in a file of its own"


class EventStream(OfRecords):
    """By event_stream; windows from its index of moments, made as it opens a file."""

    name, family = ".es, event_stream", FAMILY
    packages = ("event_stream",)
    fields = ("t", "x", "y", "on")
    note = NOTE
    has_open = has_windows = True

    def take(self, events: Events) -> Any:
        import event_stream

        array = np.empty(len(events), event_stream.dvs_dtype)
        for field, column in zip(
            self.fields, (events.t, events.x, events.y, events.p), strict=True
        ):
            array[field] = column
        first = int(events.t.min())
        array["t"] -= np.uint64(first)
        return array, first, resolution_of(events)

    def write(self, taken: Any) -> None:
        import event_stream

        array, first, resolution = taken
        with event_stream.Encoder(self.path + ".es", "dvs", *resolution) as encoder:
            encoder.write(array)
        np.save(self.path + ".first.npy", np.int64(first))

    def read(self) -> NDArray[Any]:
        import event_stream

        with event_stream.Decoder(self.path + ".es") as decoder:
            found = np.concatenate(list(decoder))
        found["t"] += np.load(self.path + ".first.npy").astype(np.uint64)
        return found

    def open(self) -> None:
        import event_stream

        self._first = int(np.load(self.path + ".first.npy"))
        self._decoder = event_stream.IndexedDecoder(self.path + ".es", KEYFRAME_US)

    def window(self, start: int, stop: int) -> Any:
        start, stop = start - self._first, stop - self._first
        keyframes = range(start // KEYFRAME_US, (stop - 1) // KEYFRAME_US + 1)
        found = np.concatenate([self._decoder.chunk(k) for k in keyframes])
        low, high = np.searchsorted(found["t"], (start, stop))
        found = found[low:high].copy()
        found["t"] += np.uint64(self._first)
        return found

    def close(self) -> None:
        del self._decoder


class FaeryEs(Faery):
    """By faery."""

    name, family, suffix = ".es, faery", FAMILY, ".es"
    note = NOTE
    settings: ClassVar[dict[str, Any]] = {"zero_t0": True}

    def write(self, taken: Any) -> None:
        first = taken.to_file(self.path + self.suffix, **self.settings)
        with open(self.path + ".first.txt", "w", encoding="ascii") as file:
            file.write(str(first))

    def read(self) -> Any:
        import faery

        with open(self.path + ".first.txt", encoding="ascii") as file:
            first = file.read()
        return faery.events_stream_from_file(self.path + self.suffix, t0=first).to_array()


CONTENDERS: tuple[type[Contender], ...] = (EventStream, FaeryEs)
