"""evstore's shards, one contender a preset: with checksums, index and root, as users get them."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import ClassVar

from evstore.bench.contender import Contender, variant
from evstore.codec.presets import PRESETS
from evstore.events import COLUMNS, Events
from evstore.recording import opening, saving
from evstore.recovery import recover


class Shard(Contender):
    """A shard of one recording."""

    family = "evstore"
    ours = True
    preset: ClassVar[str]
    first_reads = 5
    has_open = has_reuse = has_windows = has_recover = True

    def write(self, taken: Events) -> None:
        saving.save(self.path + ".evs", taken, preset=self.preset, overwrite=True)

    def read(self) -> Events:
        with opening.open(self.path + ".evs") as opened:
            return opened[:]

    def open(self) -> None:
        self._recording = opening.open(self.path + ".evs")

    def window(self, start: int, stop: int) -> Events:
        return self._recording.between(start, stop)

    def close(self) -> None:
        self._recording.close()

    def buffers(self) -> None:
        with opening.open(self.path + ".evs") as opened:
            self._buffers = Events.empty(length=len(opened))

    def reuse(self) -> Events:
        with opening.open(self.path + ".evs") as opened:
            out = {name: getattr(self._buffers, name) for name in COLUMNS}
            opened.read(0, len(opened), out=out)
        return self._buffers

    def recover(self) -> Events:
        recover(self.path + ".evs", self.path + ".saved.evs")
        with opening.open(self.path + ".saved.evs") as opened:
            return opened[:]


CONTENDERS: tuple[type[Contender], ...] = tuple(
    variant(Shard, f"evstore, {preset}", preset=preset) for preset in PRESETS
)
