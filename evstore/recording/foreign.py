"""A recording in a foreign file: read from its start for every question, in bounded memory."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError, EvstoreError, FormatError
from evstore.events import Events
from evstore.formats import registry
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.recording.base import Recording
from evstore.recording.geometry import Geometry
from evstore.selection import Selection

HEAD = 65_536


class ForeignRecording(Recording):
    """One foreign file. Its header is read at once, its events as they are asked for.

    Questions that need the whole file (``n_events``, ``t_start``, an inferred resolution)
    read it once and remember. A pipe (``-``) can be read once only.
    """

    def __init__(
        self,
        path: str,
        options: ReadOptions,
        input_format: str | None,
        grow: bool,
        drop_outside: bool,
    ) -> None:
        self.path = path
        self.id = ""
        self._options = options
        self._input_format = input_format
        self._limits = (grow, drop_outside)
        self._stream: BinaryIO | None = None
        self._reading: Reading | None = None
        self._scanned: tuple[int, int, int] | None = None
        self._triggers: list[Any] = []
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
        return None

    @property
    def dropped(self) -> dict[str, int]:
        return self._opened().dropped

    @property
    def stated_resolution(self) -> tuple[int, int] | None:
        """What the header or the caller says, without reading any event."""
        return self._options.resolution or self._opened().resolution

    @property
    def geometry_inferred(self) -> bool:
        return self.stated_resolution is None

    @property
    def resolution(self) -> tuple[int, int] | None:
        if self.stated_resolution is None or self._limits[0]:
            self._scan()
        if self._geometry is not None and (self.geometry_inferred or self._limits[0]):
            return self._geometry.resolution
        return self.stated_resolution

    @property
    def n_events(self) -> int:
        return self._scan()[0]

    @property
    def t_start(self) -> int:
        return self._scan()[1]

    @property
    def t_stop(self) -> int:
        return self._scan()[2]

    @property
    def triggers(self) -> dict[str, NDArray[Any]] | None:
        self._scan()
        if not self._triggers:
            return None
        names = ("t", "id", "p")
        return {n: np.concatenate([getattr(g, n) for g in self._triggers]) for n in names}

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        if self._stream is None or self.path == "-":
            return 0
        return self._stream.tell()

    def _opened(self) -> Reading:
        """The reading that the next pass consumes."""
        if self._reading is None:
            try:
                self._stream, self._reading = open_stream(
                    self.path, self._options, self._input_format
                )
            except FormatError as error:
                raise error.at(self.path) from None
        return self._reading

    def raw_batches(self) -> Iterator[Batch]:
        """One pass over the file: batches within the resolution, triggers beside them."""
        if self._consumed:
            if self.path == "-":
                raise ArgumentError("standard input can be read once only")
            self.close()
        reading = self._opened()
        self._consumed = True
        resolution = self._options.resolution or reading.resolution
        self._geometry = geometry = Geometry(resolution, reading.dropped, *self._limits)
        count, least, most, triggers = 0, None, None, []
        try:
            for batch in geometry.fit(reading.batches):
                if batch.triggers is not None:
                    triggers.append(batch.triggers)
                if len(batch.t):
                    low, high = int(batch.t.min()), int(batch.t.max())
                    least = low if least is None else min(least, low)
                    most = high if most is None else max(most, high)
                    count += len(batch.t)
                yield batch
        except EvstoreError as error:
            if isinstance(error, FormatError):
                raise error.at(self.path) from None
            raise
        self._triggers = triggers
        self._scanned = (count, least or 0, 0 if most is None else most + 1)

    def _scan(self) -> tuple[int, int, int]:
        if self._scanned is None:
            for _ in self.raw_batches():
                pass
        assert self._scanned is not None
        return self._scanned

    def batches(self, selection: Selection | None = None) -> Iterator[Events]:
        """Events in bounded batches, in file order."""
        chosen = selection or Selection()
        first = True
        for batch in self.raw_batches():
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
        columns: Any = ("t", "x", "y", "p"),
        out: dict[str, NDArray[Any]] | None = None,
        threads: int = 1,
    ) -> dict[str, NDArray[Any]]:
        """Columns of the events ``start <= i < stop``; reads the file from its start."""
        parts, at = [], 0
        for events in self.batches():
            if at < stop and at + len(events) > start:
                parts.append(events[max(0, start - at) : stop - at])
            at += len(events)
            if at >= stop:
                break
        found = Events.concatenate(parts)
        arrays = {name: getattr(found, name) for name in columns}
        for name, array in (out or {}).items():
            array[: len(found)] = arrays[name]
            arrays[name] = array[: len(found)]
        return arrays

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

    def close(self) -> None:
        if self._stream is not None and self.path != "-":
            self._stream.close()
        self._stream = self._reading = None
        self._consumed = False


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


class _Replayed(io.RawIOBase):
    """A pipe whose head was looked at, from its start."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._head:
            n = min(len(view), len(self._head))
            view[:n] = self._head[:n]
            self._head = self._head[n:]
            return n
        data = self._rest.read(len(view))
        view[: len(data)] = data
        return len(data)


def open_stream(
    path: str, options: ReadOptions, input_format: str | None
) -> tuple[BinaryIO, Reading]:
    """Open a foreign file, or standard input for ``-``, by its content or as ``input_format``."""
    if path != "-" and os.path.isdir(path):
        raise ArgumentError(f"{path}: is a folder, not a file")
    stream: BinaryIO = sys.stdin.buffer if path == "-" else open(path, "rb", buffering=0)
    try:
        head = _read_head(stream)
        size = os.fstat(stream.fileno()).st_size if path != "-" else None
        if input_format is not None:
            module = registry.by_name(input_format)
        else:
            suffix = os.path.splitext(path)[1]
            module = registry.detect(head, size, suffix)
        if stream.seekable() and path != "-":
            stream.seek(0)
        elif module.SEEKS:
            raise ArgumentError(f"{module.TITLE} cannot be read from a pipe: name the file")
        else:
            stream = io.BufferedReader(_Replayed(head, stream), HEAD)
        name = input_format or module.INPUT_FORMATS[0]
        return stream, module.read(stream, options, name)
    except BaseException:
        if path != "-":
            stream.close()
        raise


def _read_head(stream: BinaryIO) -> bytes:
    head = b""
    while len(head) < HEAD:
        more = stream.read(HEAD - len(head))
        if not more:
            break
        head += more
    return head
