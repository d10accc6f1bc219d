"""The noise recordings of shards: what there is, and readers, opened when they are needed."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from evstore.errors import ArgumentError, CorruptError
from evstore.noise.recorded_loop import period
from evstore.shard.address import address, split_address
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard
from evstore.shard.thread_memory import ThreadMemory

MOST_OPEN = 32  # recordings
ASKED = 32  # recordings, how many events a second they have
FEWEST_EVENTS = 2  # of one, nobody knows how often it comes


class NoiseRecording(NamedTuple):
    """A recording with events, as its shard's directory has it."""

    path: str
    position: int
    id: str
    root: bytes
    resolution: tuple[int, int] | None

    @property
    def name(self) -> str:
        """As evstore names a recording of a shard."""
        return address(self.path, self.id)


class NoiseShards:
    """Shards, single recordings of them (``shard.evs#id``), or folders of shards.

    Threads may share it; a pickle or a fork opens its own files. Nothing is read before it is asked
    for. Raises OSError where a shard is gone, CorruptError where it has changed since.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._listing: list[NoiseRecording] | None = None
        #: Sensors that all recordings are known to fit: there may be thousands, for every sample.
        self.fitting: set[tuple[int, int]] = set()
        self._greatest_hz: float | None = None
        self._readers: OrderedDict[NoiseRecording, RecordingReader] = OrderedDict()
        self._shards: weakref.WeakValueDictionary[str, Shard] = weakref.WeakValueDictionary()
        self._memory = ThreadMemory()
        self._pid = os.getpid()  # last: until then, other threads find the old one

    def _reopen_after_fork(self) -> None:
        """Of another process, locks may be held for ever."""
        if self._pid != os.getpid():
            self._begin()

    def recordings(self) -> list[NoiseRecording]:
        """Those with two events or more, in the order of paths and of their shards.

        Raises ArgumentError where there are none.
        """
        self._reopen_after_fork()
        with self._lock:
            if self._listing is None:
                self._listing = self._listed()
            return self._listing

    def _listed(self) -> list[NoiseRecording]:
        found = []
        for path, chosen in self._files():
            recordings = self._shard(path).recordings
            if chosen is not None and all(info.id != chosen for info in recordings):
                raise ArgumentError(f"{path}: has no recording {chosen!r}")
            for position, info in enumerate(recordings):
                if info.n_events >= FEWEST_EVENTS and chosen in (None, info.id):
                    found.append(
                        NoiseRecording(path, position, info.id, info.root, info.resolution)
                    )
        if not found:
            raise ArgumentError(
                f"no recording in {', '.join(self.paths)} has {FEWEST_EVENTS} events or more: "
                "how much noise there is cannot be told of fewer"
            )
        return found

    def greatest_hz(self) -> float:
        """The most events a second that one of the first recordings has on the mean."""
        self._reopen_after_fork()
        with self._lock:
            if self._greatest_hz is None:
                rates = [0.0]
                for recording in self.recordings()[:ASKED]:
                    reader = self.reader(recording)
                    found = period(reader)
                    if found is not None:
                        rates.append(reader.info.n_events / found[1] * 1e6)
                self._greatest_hz = max(rates)
            return self._greatest_hz

    def _files(self) -> list[tuple[str, str | None]]:
        """Shards, each with the one recording that is wanted, or None for all."""
        files: list[tuple[str, str | None]] = []
        for path in self.paths:
            if not os.path.isdir(path):
                files.append(split_address(path))
                continue
            inside = sorted(Path(path).rglob("*.evs"), key=lambda one: one.as_posix())
            if not inside:
                raise ArgumentError(f"{path}: there are no shards (*.evs) in that folder")
            files += [(str(one), None) for one in inside]
        return files

    def reader(self, recording: NoiseRecording) -> RecordingReader:
        """What reads that recording; the last few are kept."""
        self._reopen_after_fork()
        with self._lock:
            reader = self._readers.get(recording)
            if reader is None:
                shard = self._shard(recording.path)
                if recording.position >= len(shard.recordings) or (
                    shard.recordings[recording.position].root != recording.root
                ):
                    raise CorruptError(
                        "has changed since its recordings were listed",
                        path=recording.path,
                        field="root",
                    )
                info = shard.recordings[recording.position]
                reader = self._readers[recording] = RecordingReader(shard, info, self._memory)
                while len(self._readers) > MOST_OPEN:
                    self._readers.popitem(last=False)
            self._readers.move_to_end(recording)
            return reader

    def _shard(self, path: str) -> Shard:
        shard = self._shards.get(path)
        if shard is None:
            shard = Shard(path)
            # Closed when nobody reads it any more.
            weakref.finalize(shard, shard.source.close)
            self._shards[path] = shard
        return shard

    def __getstate__(self) -> dict[str, Any]:
        return {"paths": self.paths}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["paths"])  # type: ignore[misc]
