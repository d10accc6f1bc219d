"""Open shards of a dataset: opened when they are needed, a few kept open, reopened after a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.catalogue import Catalogue
from evstore.errors import CorruptError, EvstoreError, FormatError
from evstore.formats.sides import Table, joined
from evstore.noise.masks import mask_of
from evstore.shard.index import RecordingInfo
from evstore.shard.pages import KeptPages
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard
from evstore.shard.thread_memory import ThreadMemory

MOST_OPEN = 64  # shards: a file handle each, and its directory
ROOT = 32  # bytes
PAGES_KEPT = 256  # of the indexes of all: 128 megabytes
MOST_MASKS = 32  # of hot pixels: a byte a pixel of the sensor
MOST_TABLES = 32  # of labels: a recording's windows ask for the same one again and again


class _Naming:
    """What `Shards.naming` gives: a class, since there is one for each sample that is read."""

    __slots__ = ("_recording", "_shards")

    def __init__(self, shards: Shards, recording: int) -> None:
        self._shards = shards
        self._recording = recording

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        if isinstance(error, (EvstoreError, OSError)):
            raise self._shards.named(error, self._recording).with_traceback(trace) from None


class Shards:
    """The shards of a dataset's folder. Threads may share it; a pickle holds no open file.

    Raises OSError where a shard is gone, CorruptError where it is not the one that the manifest
    was made of.
    """

    def __init__(self, folder: str, catalogue: Catalogue, most_open: int = MOST_OPEN) -> None:
        self.folder = folder
        self.catalogue = catalogue
        self._most = most_open
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[int, Shard] = OrderedDict()
        self._tables: OrderedDict[tuple[int, str], Table | None] = OrderedDict()
        self._masks: OrderedDict[int, NDArray[np.bool_]] = OrderedDict()
        self._pages = KeptPages(PAGES_KEPT)
        self.memory = ThreadMemory()
        self._pid = os.getpid()  # last: until then, other threads find the old one

    def _reopen_after_fork(self) -> None:
        """Of another process, locks may be held for ever."""
        if self._pid != os.getpid():
            self._begin()

    def table(self, recording: int, stream: str) -> Table | None:
        """A side stream of a recording, its parts joined; None where it has none."""
        self._reopen_after_fork()
        key = (recording, stream)
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
        sides = (self.reader(row).side(stream) for row in self.catalogue.rows(recording))
        parts = [side for side in sides if side is not None]
        found = joined({stream: part} for part in parts).get(stream) if parts else None
        with self._lock:
            self._tables[key] = found
            while len(self._tables) > MOST_TABLES:
                self._tables.popitem(last=False)
        return found

    def mask(self, recording: int) -> NDArray[np.bool_]:
        """Hot pixels of a recording, of any part; ArgumentError where a part has no mask."""
        self._reopen_after_fork()
        with self._lock:
            if recording in self._masks:
                self._masks.move_to_end(recording)
                return self._masks[recording]
        named = f"recording {self.catalogue.ids[recording]!r}"
        parts = [self.found(row)[1] for row in self.catalogue.rows(recording)]
        found = mask_of(parts[0].metadata, parts[0].resolution, named)
        for number, part in enumerate(parts[1:], 1):
            more = mask_of(part.metadata, part.resolution, f"part {number} of {named}")
            wide = np.zeros(np.maximum(found.shape, more.shape), np.bool_)
            for mask in (found, more):
                wide[: mask.shape[0], : mask.shape[1]] |= mask
            found = wide
        with self._lock:
            self._masks[recording] = found
            while len(self._masks) > MOST_MASKS:
                self._masks.popitem(last=False)
        return found

    def reader(self, row: int) -> RecordingReader:
        """What reads the recording (or part of one) in a row of the manifest."""
        return RecordingReader(*self.found(row), self.memory)

    def found(self, row: int) -> tuple[Shard, RecordingInfo]:
        """The shard of a row of the manifest, and what that says of the row's recording."""
        self._reopen_after_fork()
        shard = self._shard(int(self.catalogue.row_shards[row]))
        return shard, self.info(shard, row)

    def found_all(self, rows: NDArray[np.int64]) -> list[tuple[Shard, RecordingInfo]]:
        """What `found` gives of each row; what can be is done once for all."""
        self._reopen_after_fork()
        known = self.catalogue
        numbers, positions = known.row_shards[rows].tolist(), known.positions[rows].tolist()
        shards = {number: self._shard(number) for number in dict.fromkeys(numbers)}
        roots, ids, found = known.roots[rows].tobytes(), known.row_ids, []
        for k, row in enumerate(rows.tolist()):
            shard, root = shards[numbers[k]], roots[ROOT * k : ROOT * (k + 1)]
            info = _meant(shard, positions[k], ids[row], root)
            # Where it is none, `info` says what is wrong.
            found.append((shard, self.info(shard, row) if info is None else info))
        return found

    def info(self, shard: Shard, row: int) -> RecordingInfo:
        """What a shard says of the recording in a row of the manifest: the one that is meant."""
        known = self.catalogue
        position, root = int(known.positions[row]), known.roots[row].tobytes()
        info = _meant(shard, position, known.row_ids[row], root)
        if info is None:
            raise CorruptError(
                "is not the shard that the manifest was made of: it holds other recordings",
                path=shard.source.name,
                field="root",
                hint="`evstore dataset index` makes the manifest again of the shards",
            )
        return info

    def path(self, number: int) -> str:
        """Where a shard lies."""
        return os.path.join(self.folder, *self.catalogue.shard_names[number].split("/"))

    def naming(self, recording: int) -> _Naming:
        """A block whose errors, those of the data, say of which recording they are."""
        return _Naming(self, recording)

    def named(self, error: Exception, recording: int) -> Exception:
        """The error, which says of which recording it is."""
        id = self.catalogue.ids[recording]
        if isinstance(error, FormatError):
            error.what = f"recording {id!r}: {error.what}"
        elif isinstance(error, OSError) and error.strerror:
            shard = self.path(int(self.catalogue.row_shards[self.catalogue.first_row[recording]]))
            said = f"{error.strerror} (recording {id!r} of the dataset)"
            return type(error)(error.errno, said, error.filename or shard)
        return error

    def _shard(self, number: int) -> Shard:
        with self._lock:
            shard = self._open.get(number)
            if shard is not None:
                self._open.move_to_end(number)
                return shard
            shard = Shard(self.path(number), self._pages)
            # Closed when nobody reads it any more: another thread may, when it is dropped here.
            weakref.finalize(shard, shard.source.close)
            self._open[number] = shard
            while len(self._open) > self._most:
                self._open.popitem(last=False)
            return shard

    def close(self) -> None:
        """Let go of the files that nobody reads."""
        self._reopen_after_fork()
        with self._lock:
            self._open.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "catalogue": self.catalogue, "most": self._most}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"], state["catalogue"], state["most"])  # type: ignore[misc]


def _meant(shard: Shard, position: int, id: str, root: bytes) -> RecordingInfo | None:
    """The shard's recording at that position, if it is the one of that id and root."""
    info = shard.recordings[position] if 0 <= position < len(shard.recordings) else None
    return info if info is not None and info.root == root and info.id == id else None
