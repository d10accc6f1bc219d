"""evstore's shards, and EVT3 as evstore reads and writes it."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import BinaryIO

from evstore import memory, recording
from evstore.bench.contender import Contender
from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events
from evstore.formats import evt3
from evstore.formats.reading import ReadOptions


class Shard(Contender):
    """A shard with the preset `fast`: checksums and root on."""

    name = "evstore, fast"
    preset = "fast"
    has_reuse = has_windows = True

    def write(self, events: Events) -> None:
        recording.save(self.path + ".evs", events, preset=self.preset, overwrite=True)

    def open(self) -> None:
        self._recording = recording.open(self.path + ".evs")
        self._buffers = Events.empty(length=len(self._recording))

    def read(self) -> Events:
        memory.forget()  # the others' memory is new from the system, too
        return self._recording[:]

    def reuse(self) -> Events:
        out = {name: getattr(self._buffers, name) for name in COLUMNS}
        self._recording.read(0, len(self._recording), out=out)
        return self._buffers

    def window(self, start: int, stop: int) -> Events:
        return self._recording.between(start, stop)

    def close(self) -> None:
        self._recording.close()


class Evt3(Contender):
    """EVT3, as a sensor would write it."""

    name = "EVT3 (evstore's reader)"

    def write(self, events: Events) -> None:
        with open(self.path + ".raw", "wb") as stream:
            write_evt3(events, stream)

    def read(self) -> Events:
        with open(self.path + ".raw", "rb", buffering=0) as stream:
            batches = list(evt3.read(stream, ReadOptions()).batches)
        return Events.concatenate(Events.of(*batch[:4]) for batch in batches)


def write_evt3(events: Events, stream: BinaryIO) -> None:
    """Write events as one EVT3 file."""
    if events.resolution is None:
        raise ArgumentError("EVT3 needs a resolution")
    writer = evt3.writer(stream, events.resolution, {})
    writer.write(events.t, events.x, events.y, events.p)
    writer.close()
