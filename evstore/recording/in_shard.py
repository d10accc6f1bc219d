"""A recording in a shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events
from evstore.recording import streamed
from evstore.recording.base import Recording, window_times
from evstore.recording.rows_in_time import RowsInTime
from evstore.selection import Selection
from evstore.shard.index import INFERRED, RecordingInfo
from evstore.shard.reader import BATCH_EVENTS, RecordingReader
from evstore.shard.shard import Shard

FOREVER = 1 << 63


class ShardRecording(Recording):
    """One recording of an open shard. Threads may share it; a pickle reopens the file.

    ``users`` are the numbers of the recordings that share the shard: the last to be closed
    closes it.
    """

    def __init__(self, shard: Shard, info: RecordingInfo, users: set[int] | None = None) -> None:
        self.path = shard.source.name
        self.id = info.id
        self.info = info
        self.reader = RecordingReader(shard, info)
        self._shard = shard
        self._users = {info.number} if users is None else users
        self._span = self.reader.index.span()
        self._position = 0
        self._rows_in_time: dict[str, RowsInTime] = {}

    @property
    def format(self) -> str:
        return "evs"

    @property
    def position(self) -> int:
        return self._position

    @property
    def resolution(self) -> tuple[int, int] | None:
        return self.info.resolution

    @property
    def geometry_inferred(self) -> bool:
        return bool(self.info.metadata.get("resolution_from") == INFERRED)

    @property
    def n_events(self) -> int:
        return self.info.n_events

    @property
    def t_first(self) -> int:
        return self._span[0] if self._span else 0

    @property
    def t_start(self) -> int:
        return self._span[2] if self._span else 0

    @property
    def t_stop(self) -> int:
        return self._span[3] + 1 if self._span else 0

    @property
    def metadata(self) -> dict[str, Any]:
        return self.info.metadata

    @property
    def label(self) -> Any:
        return self.info.metadata.get("label")

    @property
    def dropped(self) -> dict[str, int]:
        return dict(self.info.metadata.get("dropped", {}))

    @property
    def root(self) -> bytes:
        """The 32-byte proof of everything in the recording."""
        return self.info.root

    @property
    def side_rows(self) -> dict[str, int]:
        return {stream: sum(part[2] for part in parts) for stream, parts in self.info.side.items()}

    def side(self, stream: str) -> dict[str, NDArray[Any]] | None:
        return self.reader.side(stream)

    def side_between(self, stream: str, start: int, stop: int) -> dict[str, NDArray[Any]] | None:
        rows = self._rows_in_time.get(stream)
        if rows is None:
            places = self.info.side.get(stream)
            if not places:
                return None

            reader = self.reader  # not self, which holds this: it would outlive its last use

            def read(first: int, last: int) -> dict[str, NDArray[Any]]:
                return reader.side(stream, first, last) or {}

            rows = RowsInTime(stream, read, [place[2] for place in places])
            self._rows_in_time[stream] = rows
        return rows.between(start, stop)

    def side_tables(self, stream: str) -> Iterator[dict[str, NDArray[Any]]]:
        """The same rows, a few megabytes at a time."""
        return self.reader.side_tables(stream)

    def image_bytes(self, start: int, stop: int) -> NDArray[np.uint8]:
        found = self.reader.side("image_bytes", start, stop)
        return np.empty(0, np.uint8) if found is None else found["value"]

    @property
    def triggers(self) -> dict[str, NDArray[Any]] | None:
        return self.side("triggers")

    @property
    def labels(self) -> dict[str, NDArray[Any]] | None:
        """Labelled times ``t_start``, ``t_stop``, ``class_id`` (int64); None without any."""
        return self.side("labels")

    def batches(
        self, selection: Selection | None = None, buffers: Events | None = None
    ) -> Iterator[Events]:
        """The selected events, a chunk at a time; with ``buffers`` each overwrites the last."""
        if selection is None or selection.is_everything:
            for chunks, events in self.reader.batches(buffers):
                self._position = chunks[-1].offset
                yield events
            return
        chosen = selection.absolute(self.t_first)
        yield from self.reader.select(
            -FOREVER if chosen.start is None else chosen.start,
            FOREVER if chosen.stop is None else chosen.stop,
            chosen.roi,
            chosen.polarity,
        )

    def read(
        self,
        start: int,
        stop: int,
        columns: Sequence[str] = COLUMNS,
        out: dict[str, NDArray[Any]] | None = None,
        threads: int = 1,
    ) -> dict[str, NDArray[Any]]:
        if not 0 <= start <= stop <= self.n_events:
            raise ArgumentError(
                f"events {start}..{stop} of {self.path} must lie in 0..{self.n_events}"
            )
        return self.reader.read(start, stop, columns, out, threads)

    def between(
        self,
        start: int,
        stop: int,
        *,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
        relative: bool = False,
    ) -> Events:
        if roi is not None or polarity is not None or start > stop:
            Selection(start, stop, relative, roi, polarity)  # which says what is wrong
        if relative:
            start, stop = start + self.t_first, stop + self.t_first
        return self.reader.between(start, stop, roi, polarity)

    def _windows_by_count(self, count: int, step: int, partial: bool) -> Iterator[Events]:
        if step > count:
            yield from super()._windows_by_count(count, step, partial)
        else:
            yield from streamed.by_count(self.batches(), count, step, partial)

    def _windows_by_time(
        self,
        length: int,
        step: int,
        roi: tuple[int, int, int, int] | None,
        polarity: int | None,
        partial: bool,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[Events]:
        skips = step > length or roi is not None or polarity is not None  # some chunks, perhaps
        events = self.n_events * step // max(1, self.t_stop - self.t_start)
        if skips or events > BATCH_EVENTS:  # then few are decoded twice
            yield from super()._windows_by_time(length, step, roi, polarity, partial, start, stop)
            return
        begin, end = self._span_of(start, stop)
        chunks = None if start is None and stop is None else self.reader.index.by_time(begin, end)
        batches = (events for _, events in self.reader.batches(chunks=chunks))
        windows = window_times(begin, end, length, step, partial)
        yield from streamed.by_time(batches, self.reader.extents(chunks), windows)

    def close(self) -> None:
        self._users.discard(self.info.number)
        if not self._users:
            self._shard.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "id": self.id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        shard = Shard(state["path"])
        self.__init__(shard, shard.find(state["id"]))  # type: ignore[misc]
