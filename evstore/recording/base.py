"""What every recording offers, whatever file it lies in."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events, one_event
from evstore.recording.images import Images
from evstore.selection import Selection
from evstore.shard.address import address


class Recording(abc.ABC):
    """One time-ordered stream of events of one sensor, with its metadata and side streams.

    Times are int64 microseconds of the file's own clock, unless ``relative``: then they count
    from the recording's first event. Intervals are half-open.
    """

    path: str
    id: str

    @property
    @abc.abstractmethod
    def format(self) -> str:
        """The format's name, as in `evstore formats`."""

    @property
    @abc.abstractmethod
    def resolution(self) -> tuple[int, int] | None:
        """(width, height) of the sensor; None where there is no event to infer it from."""

    @property
    @abc.abstractmethod
    def geometry_inferred(self) -> bool:
        """Whether the resolution is a guess from the events (greatest coordinate plus one)."""

    @property
    @abc.abstractmethod
    def n_events(self) -> int:
        """How many events there are."""

    @property
    @abc.abstractmethod
    def t_start(self) -> int:
        """The least time; 0 where there are no events."""

    @property
    @abc.abstractmethod
    def t_first(self) -> int:
        """The first event's time, from which relative times count; 0 where there are none."""

    @property
    @abc.abstractmethod
    def t_stop(self) -> int:
        """The greatest time plus one; 0 where there are no events."""

    @property
    @abc.abstractmethod
    def metadata(self) -> dict[str, Any]:
        """What is known beside the events: JSON values."""

    @property
    @abc.abstractmethod
    def label(self) -> Any:
        """The recording's label, None where it has none."""

    @property
    @abc.abstractmethod
    def dropped(self) -> dict[str, int]:
        """What of the source is not kept, counted by kind."""

    @property
    @abc.abstractmethod
    def triggers(self) -> dict[str, NDArray[Any]] | None:
        """External trigger edges ``t`` int64, ``id`` and ``p`` uint8; None where there are none."""

    @property
    @abc.abstractmethod
    def side_rows(self) -> dict[str, int]:
        """How many rows each of the streams beside events has."""

    @property
    def side_streams(self) -> list[str]:
        """The names of the streams beside events: triggers, imu, images, exposure, labels ..."""
        return list(self.side_rows)

    @abc.abstractmethod
    def side(self, stream: str) -> dict[str, NDArray[Any]] | None:
        """The columns of a side stream; None where the recording has none of that name."""

    @abc.abstractmethod
    def side_between(self, stream: str, start: int, stop: int) -> dict[str, NDArray[Any]] | None:
        """Fresh columns of a side stream's rows with ``start <= t < stop``, in the file's order.

        Of rows that last from ``t_start`` to ``t_stop`` those that share a microsecond with these
        times, uncut (an empty one is the instant at its start). None where the recording has no
        stream of that name; ArgumentError where its rows have no time. The first question reads
        the whole stream.
        """

    @property
    def imu(self) -> dict[str, NDArray[Any]] | None:
        """Samples of the inertial sensor: ``t`` and a column an axis; None where there are none."""
        return self.side("imu")

    @property
    def images(self) -> Images | None:
        """Pictures of the camera, each read when it is asked for; None where there are none."""
        table = self.side("images")
        return None if table is None else Images(table, self.image_bytes)

    @abc.abstractmethod
    def image_bytes(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Bytes of the images' pixels, which lie one image after the other."""

    @property
    @abc.abstractmethod
    def position(self) -> int:
        """Bytes of the file that `batches` has read so far."""

    @abc.abstractmethod
    def batches(self, selection: Selection | None = None) -> Iterator[Events]:
        """The selected events in bounded batches, in file order."""

    @abc.abstractmethod
    def read(
        self,
        start: int,
        stop: int,
        columns: Sequence[str] = COLUMNS,
        out: dict[str, NDArray[Any]] | None = None,
        threads: int = 1,
    ) -> dict[str, NDArray[Any]]:
        """Columns of the events ``start <= i < stop``, into ``out`` where it is given."""

    @abc.abstractmethod
    def between(
        self,
        start: int,
        stop: int,
        *,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
        relative: bool = False,
    ) -> Events:
        """Events with ``start <= t < stop`` inside ``roi`` and of ``polarity``, in file order."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def __len__(self) -> int:
        return self.n_events

    def __getitem__(self, which: int | slice) -> Events:
        """Events by number: ``rec[10_000:20_000]``; negative numbers count from the end."""
        if not isinstance(which, slice):
            which = one_event(which, len(self))
        start, stop, step = which.indices(len(self))
        found = self.read(start, max(start, stop)) if step > 0 else self.read(0, len(self))
        events = Events.of(found["t"], found["x"], found["y"], found["p"], self.resolution)
        if step == 1:
            return events
        return events[::step] if step > 0 else events[which]

    def windows(
        self,
        duration: int | None = None,
        *,
        count: int | None = None,
        stride: int | None = None,
        start: int | None = None,
        stop: int | None = None,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
        partial: bool = False,
    ) -> Iterator[Events]:
        """Windows of ``duration`` microseconds or of ``count`` events, the next one ``stride`` on.

        They start at the first event; an incomplete last one is left out unless ``partial``. With
        ``start`` or ``stop`` those by duration start there, or end there, wherever events are.
        """
        if (duration is None) == (count is None):
            raise ArgumentError("give either duration (microseconds) or count (events)")
        length = duration if duration is not None else count
        step = length if stride is None else stride
        if length is None or step is None or length < 1 or step < 1:
            raise ArgumentError(
                f"duration, count and stride must be positive, got {length}, {step}"
            )
        if count is None:
            return self._windows_by_time(length, step, roi, polarity, partial, start, stop)
        if (roi, polarity, start, stop) != (None, None, None, None):
            raise ArgumentError("windows by count take no start, stop, roi or polarity")
        return self._windows_by_count(length, step, partial)

    def _windows_by_count(self, count: int, step: int, partial: bool) -> Iterator[Events]:
        for start in range(0, len(self), step):
            if start + count > len(self) and not partial:
                return
            yield self[start : start + count]

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
        begin, end = self._span_of(start, stop)
        for first, last in window_times(begin, end, length, step, partial):
            yield self.between(first, last, roi=roi, polarity=polarity)

    def _span_of(self, start: int | None, stop: int | None) -> tuple[int, int]:
        """The times that windows lie in: what is asked, else what the recording reaches over."""
        begin = self.t_start if start is None else start
        end = self.t_stop if stop is None else stop
        return begin, end

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {address(self.path, self.id)}>"


def window_times(
    start: int, stop: int, length: int, step: int, partial: bool = False
) -> Iterator[tuple[int, int]]:
    """Start and stop of each window of [start, stop), the next one ``step`` on.

    An incomplete last one is left out unless ``partial``: then it ends at ``stop``.

    >>> list(window_times(0, 25, 10, 10)), list(window_times(0, 25, 10, 10, True))[-1]
    ([(0, 10), (10, 20)], (20, 25))
    """
    while start < stop and (partial or start + length <= stop):
        yield start, min(start + length, stop)
        start += step
