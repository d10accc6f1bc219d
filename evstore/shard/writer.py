"""Write a shard: recordings, chunk by chunk, then index and footer."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.codec.chunk import preset_codec
from evstore.codec.presets import DEFAULT_PRESET
from evstore.errors import ArgumentError
from evstore.interrupts import interrupts_held
from evstore.shard.encoding import Room, room
from evstore.shard.index import PAGE_CHUNKS, SHARED, PageInfo, RecordingInfo
from evstore.shard.index_records import directory_record, page_info, page_record
from evstore.shard.layout import footer_bytes, header_bytes
from evstore.shard.output import PartFile
from evstore.shard.recording_writer import RecordingWriter

CHUNK_EVENTS = 16_384
FLUSH_S = 1.0
GATHER = 1 << 20  # bytes written at once where nobody follows


@contextlib.contextmanager
def whole_shard(
    path: str | os.PathLike[str],
    *,
    preset: str = DEFAULT_PRESET,
    overwrite: bool = False,
    part: str | None = None,
) -> Iterator[ShardWriter]:
    """A shard that is closed when the block ends, or gone where the block fails or aborts it."""
    shard: ShardWriter | None = None
    try:
        with interrupts_held():
            shard = ShardWriter(path, preset=preset, overwrite=overwrite, flush_s=None, part=part)
        yield shard
        if not shard.file.finished:
            shard.close()
    except BaseException:
        if shard is not None:
            shard.abort()
        raise


class ShardWriter:
    """A shard being written, at ``path.part`` (or ``part``) until it is closed.

    ``flush_s``: events no older than this are in the file, so that a reader can follow and a
    killed writer loses no more; None writes a megabyte at a time. ``pool``: its threads
    encode, hash and write whole leaves, whose arrays the caller then leaves alone; it begins
    with work in the order it gets it, as those of concurrent.futures do.

    Leaving the ``with`` block by an error keeps the part, and says where it is.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        preset: str = DEFAULT_PRESET,
        overwrite: bool = False,
        chunk_events: int = CHUNK_EVENTS,
        flush_s: float | None = FLUSH_S,
        pool: Executor | None = None,
        part: str | None = None,
    ) -> None:
        if not 1 <= chunk_events <= 65_536:
            raise ArgumentError(f"chunk_events must lie in 1..65536, got {chunk_events}")
        self.codec = preset_codec(preset)
        self.chunk_events = chunk_events
        self.room = self.new_room(1)
        self.pool = pool
        self.spare: list[Room] = []  # of the pool, while it is not in use
        self.file = PartFile(path, overwrite, part, gather=GATHER if flush_s is None else 0)
        self.path = self.file.path
        self.lock = threading.RLock()
        # Helpers write too, while who waits for them has the other lock; this is the inner one.
        self._file_lock = threading.RLock()
        self.done: list[RecordingInfo] = []
        self.open_recordings: list[RecordingWriter] = []
        self._ids: set[str] = set()
        self._pages: list[PageInfo] = []
        self._shared: list[NDArray[np.int64]] = []  # chunks of short recordings, for the next page
        self._n_shared = 0
        self._sharing: list[RecordingInfo] = []
        self._stop = threading.Event()
        self._closed = False
        self.file.append([header_bytes()])
        self._flusher: threading.Thread | None = None
        if flush_s is not None:
            self._flusher = threading.Thread(
                target=self._flush_often, args=(flush_s,), name="evstore-flush", daemon=True
            )
            self._flusher.start()

    def recording(
        self,
        id: str = "",
        *,
        resolution: tuple[int, int] | None = None,
        label: Any = None,
        metadata: dict[str, Any] | None = None,
        part: int = 0,
        first_event: int = 0,
    ) -> RecordingWriter:
        """Open a recording; several may be open at once. ``id`` must be new in this shard."""
        with self.lock:
            if self._closed:
                raise ArgumentError(f"{self.path}: the shard is closed")
            if id in self._ids:
                raise ArgumentError(f"{self.path}: recording {id!r} is in the shard already")
            writer = RecordingWriter(
                self, len(self._ids), id, resolution, label, metadata or {}, part, first_event
            )
            self._ids.add(id)
            self.open_recordings.append(writer)
            return writer

    def new_room(self, leaves: int) -> Room:
        """What encoding so many leaves at once needs."""
        return room(self.chunk_events, leaves, self.codec)

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Write records; returns where they start."""
        with self._file_lock:
            if self._closed:
                raise ArgumentError(f"{self.path}: the shard is closed")
            at = self.file.at
            self.file.append(parts)
            return at

    def flush(self) -> None:
        """Put what is gathered into the file."""
        with self._file_lock:
            self.file.flush()

    def page(self, chunks: NDArray[np.int64], owner: int) -> int:
        """Write a page of the index, a row a chunk; returns its number."""
        record = page_record(chunks)
        with self._file_lock:
            at = self.append([record])
            self._pages.append(page_info(at, len(record), owner, chunks))
            return len(self._pages) - 1

    def finished(self, info: RecordingInfo, rows: list[NDArray[np.int64]], has_pages: bool) -> None:
        """Take a closed recording's place in the directory, and its chunks that are in no page."""
        count = sum(map(len, rows))
        with self.lock:
            if has_pages:
                if count:
                    self.page(np.concatenate(rows), info.number)
            else:
                if self._n_shared + count > PAGE_CHUNKS:
                    self._flush_shared()
                info.entry = self._n_shared
                self._shared += rows
                self._n_shared += count
                self._sharing.append(info)
            self.done.append(info)
            self.open_recordings = [r for r in self.open_recordings if r.number != info.number]

    def _flush_shared(self) -> None:
        if self._n_shared:
            number = self.page(np.concatenate(self._shared), SHARED)
            for info in self._sharing:
                info.page = number
            self._shared, self._sharing, self._n_shared = [], [], 0

    def _flush_often(self, flush_s: float) -> None:
        while not self._stop.wait(flush_s / 2):
            with self.lock:
                self._flush_all()

    def _flush_all(self) -> None:
        """Put all into the file that can be put there; what cannot, the next write tells."""
        for recording in list(self.open_recordings):
            with contextlib.suppress(Exception):
                recording.flush()

    def close(self) -> None:
        """Close what is open, write the index, take the final name; where that fails, keep the
        part."""
        with self.lock:
            if self._closed:
                return
            try:
                self._finish()
            except BaseException:
                self.abort(keep=True)
                raise

    def _finish(self) -> None:
        for recording in list(self.open_recordings):
            recording.close()
        self._flush_shared()
        directory = directory_record(self.done, self._pages)
        at = self.append([directory])
        self.append([footer_bytes(at, len(directory))])
        self._shut()
        self.file.finish()

    def abort(self, keep: bool = False) -> None:
        """Stop writing: remove the part, or keep it for `evstore recover`."""
        with self.lock:
            if self.file.finished:
                return
            if not self._closed:
                if keep:
                    self._flush_all()
                self._shut()
            if keep:
                self.file.close()
            else:
                self.file.discard()

    def _shut(self) -> None:
        with self._file_lock:  # a helper that is at it ends its write first
            self._closed = True
        self._stop.set()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        self.abort(keep=True)
        if error is not None and hasattr(error, "add_note"):
            error.add_note(f"what was written is kept in {self.file.part}: see `evstore recover`")
