"""A recording in a foreign file: read from its start for every question, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.codec.chunk_kernels import measure_times
from evstore.errors import ArgumentError, FormatError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.sides import joined, rows_of, with_triggers
from evstore.recording import streamed
from evstore.recording.base import Recording, window_times
from evstore.recording.geometry import Geometry
from evstore.recording.rows_in_time import rows_between
from evstore.recording.stream import is_pipe, open_stream
from evstore.selection import Selection


class ForeignRecording(Recording):
    """One foreign file. Its header is read at once, its events as they are asked for.

    Questions that need the whole file (``n_events``, ``t_start``, an inferred resolution)
    read it once and remember. A pipe (``-``) can be read once only. One pass at a time: a new
    one ends the one before.
    """

    def __init__(
        self,
        path: str,
        options: ReadOptions,
        input_format: str | None,
        grow: bool,
        drop_outside: bool,
        untrusted: bool = False,
    ) -> None:
        self.path = path
        self.id = options.stream or ""
        self._options = options
        self._input_format = input_format
        self.is_pipe = is_pipe(path)
        self.grows = grow
        self._drops = drop_outside
        self._untrusted = untrusted
        self._stream: BinaryIO | None = None
        self._reading: Reading | None = None
        self._scanned: tuple[int, int, int, int] | None = None
        self._extents: list[tuple[int, int]] | None = None  # least and greatest time of a batch
        self._side_rows: dict[str, int] | None = None  # None before the first pass
        self._triggers: dict[str, NDArray[Any]] | None = None
        self._image_bytes: NDArray[np.uint8] | None = None
        self._timed: dict[str, dict[str, NDArray[Any]] | None] = {}
        self._geometry: Geometry | None = None
        self._consumed = False
        self._opened()  # so that a wrong file is refused here

    @property
    def format(self) -> str:
        return self._opened().format

    @property
    def header(self) -> bytes:
        """The source's own header."""
        return self._opened().header

    @property
    def metadata(self) -> dict[str, Any]:
        return self._opened().metadata

    @property
    def label(self) -> Any:
        return self._opened().label

    @property
    def dropped(self) -> dict[str, int]:
        return self._opened().dropped

    @property
    def stated(self) -> Mapping[str, int | None]:
        """Streams that the file lists, with the rows that it claims: nothing was checked."""
        return self._opened().stated

    @property
    def stated_resolution(self) -> tuple[int, int] | None:
        """What the header or the caller says, without reading any event."""
        return self._options.resolution or self._opened().resolution

    @property
    def resolution_so_far(self) -> tuple[int, int] | None:
        """What holds every event that the last pass has met; it may have ended early."""
        return self.stated_resolution if self._geometry is None else self._geometry.resolution

    @property
    def geometry_inferred(self) -> bool:
        return self.stated_resolution is None

    @property
    def resolution(self) -> tuple[int, int] | None:
        if self.stated_resolution is not None and not self.grows:
            return self.stated_resolution
        self._scan()
        assert self._geometry is not None
        return self._geometry.resolution

    @property
    def n_events(self) -> int:
        return self._scan()[0]

    @property
    def t_start(self) -> int:
        return self._scan()[1]

    @property
    def t_first(self) -> int:
        return self._scan()[3]

    @property
    def t_stop(self) -> int:
        return self._scan()[2]

    @property
    def side_rows(self) -> dict[str, int]:
        if self._side_rows is None:
            for _ in self.raw_batches():
                pass
        assert self._side_rows is not None
        return self._side_rows

    def side(self, stream: str) -> dict[str, NDArray[Any]] | None:
        """Read from the file's start; of all streams only this one is held."""
        if self._side_rows is not None and stream not in self._side_rows:
            return None
        met = (with_triggers(batch.triggers, batch.side) for batch in self.raw_batches())
        return joined({stream: part[stream]} for part in met if stream in part).get(stream)

    def side_between(self, stream: str, start: int, stop: int) -> dict[str, NDArray[Any]] | None:
        if stream not in self._timed:  # held: the file is not read again for each window
            self._timed[stream] = self.side(stream)
        table = self._timed[stream]
        return None if table is None else rows_between(stream, table, start, stop)

    def image_bytes(self, start: int, stop: int) -> NDArray[np.uint8]:
        if self._image_bytes is None:  # held: a foreign file is not read again for each image
            found = self.side("image_bytes")
            self._image_bytes = np.empty(0, np.uint8) if found is None else found["value"]
        return self._image_bytes[start:stop]

    @property
    def triggers(self) -> dict[str, NDArray[Any]] | None:
        if self._triggers is None:
            self._triggers = self.side("triggers")
        return self._triggers

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        if self._stream is None or self.is_pipe:
            return 0
        return self._stream.tell()

    def _opened(self) -> Reading:
        """The reading that the next pass consumes."""
        if self._reading is None:
            try:
                self._stream, self._reading = open_stream(
                    self.path, self._options, self._input_format, self._untrusted
                )
            except FormatError as error:
                raise error.at(self.path) from None
        return self._reading

    def raw_batches(self, remember: bool = True, events_only: bool = False) -> Iterator[Batch]:
        """One pass over the file: batches within the resolution, side streams beside them.

        What later questions need of it is remembered, unless it is not wanted. A pass that wants
        ``events_only`` leaves out of side streams what the format can leave out.
        """
        if self._consumed:
            if self.is_pipe:
                raise ArgumentError(f"{self.path}: a pipe can be read once only")
            self.close()
        reading = self._opened()
        reading.events_only = events_only
        self._consumed = True
        resolution = self._options.resolution or reading.resolution
        self._geometry = geometry = Geometry(resolution, reading.dropped, self.grows, self._drops)
        count = begins = 0
        extents: list[tuple[int, int]] = []
        side_rows: dict[str, int] = {}
        try:
            for batch in geometry.fit(reading.batches):
                for stream, table in with_triggers(batch.triggers, batch.side).items():
                    side_rows[stream] = side_rows.get(stream, 0) + rows_of(table)
                if remember and len(batch.t):
                    begins = begins if extents else int(batch.t[0])
                    _, first, last = measure_times(batch.t)
                    low, high = int(first), int(last)
                    extents.append((low, high))
                    count += len(batch.t)
                yield batch
        except FormatError as error:
            raise error.at(self.path) from None
        if not remember:
            return
        if events_only or self.is_pipe:
            self._extents = extents
        if not events_only:
            self._side_rows = side_rows
        least = min((low for low, _ in extents), default=0)
        greatest = max((high for _, high in extents), default=-1)
        self._scanned = (count, least, greatest + 1, begins)

    def _scan(self) -> tuple[int, int, int, int]:
        if self._scanned is None:
            for _ in self._events_batches():
                pass
        assert self._scanned is not None
        return self._scanned

    def _events_batches(self) -> Iterator[Batch]:
        """A pass for the events alone; of a pipe, which gives no second one, for everything."""
        return self.raw_batches(events_only=not self.is_pipe)

    def batches(self, selection: Selection | None = None) -> Iterator[Events]:
        """Events in bounded batches, in file order."""
        chosen = selection or Selection()
        first = True
        for batch in self._events_batches():
            if not len(batch.t):
                continue
            if first:
                chosen, first = chosen.absolute(int(batch.t[0])), False
            assert self._geometry is not None
            events = Events.of(*batch[:4], resolution=self._geometry.resolution)
            yield select(events, chosen)

    def read(
        self,
        start: int,
        stop: int,
        columns: Sequence[str] = COLUMNS,
        out: dict[str, NDArray[Any]] | None = None,
        threads: int = 1,
    ) -> dict[str, NDArray[Any]]:
        """Columns of the events ``start <= i < stop``; reads the file from its start."""
        wanted = columns if out is None else out
        for name in wanted:
            if name not in COLUMNS:
                raise ArgumentError(f"columns are t, x, y and p, got {name!r}")
        parts, at = [], 0
        for events in self.batches():
            if at < stop and at + len(events) > start:
                parts.append(events[max(0, start - at) : stop - at])
            at += len(events)
            if at >= stop:
                break
        found = Events.concatenate(parts)
        if not 0 <= start <= stop or len(found) != stop - start:
            raise ArgumentError(f"events {start}..{stop} of {self.path} must lie in 0..{len(self)}")
        if out is None:
            return {name: getattr(found, name) for name in wanted}
        return {name: _copied(getattr(found, name), name, array) for name, array in out.items()}

    def between(
        self,
        start: int,
        stop: int,
        *,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
        relative: bool = False,
    ) -> Events:
        chosen = Selection(start, stop, relative, roi, polarity)
        found = Events.concatenate(self.batches(chosen))
        found.resolution = self.resolution
        return found

    def _windows_by_count(self, count: int, step: int, partial: bool) -> Iterator[Events]:
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
        def choose(events: Events) -> Events:
            return select(events, Selection(roi=roi, polarity=polarity))

        if self._extents is None:
            for _ in self._events_batches():
                pass
        assert self._extents is not None
        windows = window_times(*self._span_of(start, stop), length, step, partial)
        yield from streamed.by_time(self.batches(), self._extents, windows, choose)

    def again(self) -> ForeignRecording:
        """The file opened once more, to be closed: a pass over it does not end one over this."""
        if self.is_pipe:
            raise ArgumentError(f"{self.path}: a pipe can be read once only")
        other = ForeignRecording(
            self.path, self._options, self._input_format, self.grows, self._drops, self._untrusted
        )
        other._scanned, other._extents = self._scanned, self._extents
        return other

    def close(self) -> None:
        if self._stream is not None and self.path != "-":
            self._stream.close()
        self._stream = self._reading = None
        self._consumed = False


def _copied(column: NDArray[Any], name: str, out: NDArray[Any]) -> NDArray[Any]:
    """The column in the caller's array."""
    if out.dtype != COLUMN_DTYPES[name] or out.ndim != 1 or len(out) < len(column):
        raise ArgumentError(
            f"out[{name!r}] must be a {COLUMN_DTYPES[name]} array of {len(column)} or more, "
            f"got {out.dtype} of shape {out.shape}"
        )
    out[: len(column)] = column
    return out[: len(column)]


def select(events: Events, chosen: Selection) -> Events:
    """The events of an absolute selection."""
    if chosen.is_everything:
        return events
    keep = np.ones(len(events), np.bool_)
    if chosen.start is not None:
        keep &= events.t >= chosen.start
    if chosen.stop is not None:
        keep &= events.t < chosen.stop
    if chosen.roi is not None:
        x0, y0, x1, y1 = chosen.roi
        keep &= (events.x >= x0) & (events.x < x1) & (events.y >= y0) & (events.y < y1)
    if chosen.polarity is not None:
        keep &= events.p == chosen.polarity
    return events[keep]
