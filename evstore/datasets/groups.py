"""Recordings of several sensors on one clock: what all of them saw in the same times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from evstore.datasets.labels import Boxes, Intervals, boxes_from_side, intervals_from_side
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.formats.sides import Table
from evstore.recording.base import Recording, window_times
from evstore.recording.foreign import ForeignRecording
from evstore.recording.images import Images


class Aligned(NamedTuple):
    """What one sensor has of the times [start, stop), on the group's clock, in microseconds.

    Of the streams that its recording does not have there is None; of those that it has, the rows
    of these times, which may be none. ``images`` are read when they are asked for. Labels
    (intervals) are those that share a microsecond with the times, uncut.
    """

    start: int
    stop: int
    events: Events
    images: Images | None
    imu: Table | None
    triggers: Table | None
    boxes: Boxes | None
    labels: Intervals | None


class Group:
    """Open recordings of sensors that share a clock, by name; closing it closes them.

    ``name`` is the group's own: in a dataset, which drive or which trial it is of.

    >>> with Group({"left": left, "right": right}) as group:      # doctest: +SKIP
    ...     for window in group.windows(10_000):
    ...         window["left"].events, window["right"].images
    """

    def __init__(self, recordings: Mapping[str, Recording], name: str = "") -> None:
        if not recordings:
            raise ArgumentError("a group needs a recording or more, got none")
        self.name = name
        self.recordings = dict(recordings)
        self._images: dict[str, Images | None] = {}  # their times and sizes, not their pixels

    @property
    def names(self) -> list[str]:
        """The sensors' names, in the order given."""
        return list(self.recordings)

    @property
    def t_first(self) -> int:
        """The earliest first event of a sensor, from which relative times count; 0 without any."""
        return min((rec.t_first for rec in self._seeing()), default=0)

    @property
    def t_start(self) -> int:
        """The least time of an event of any sensor; 0 where none has events."""
        return min((rec.t_start for rec in self._seeing()), default=0)

    @property
    def t_stop(self) -> int:
        """The greatest time of an event of any sensor plus one; 0 where none has events."""
        return max((rec.t_stop for rec in self._seeing()), default=0)

    @property
    def overlap(self) -> tuple[int, int]:
        """Times [start, stop) in which all sensors that have events do; start = stop: none."""
        start = max((rec.t_start for rec in self._seeing()), default=0)
        return start, max(start, min((rec.t_stop for rec in self._seeing()), default=0))

    def between(self, start: int, stop: int, *, relative: bool = False) -> dict[str, Aligned]:
        """What each sensor has of the times [start, stop), by its name.

        Times are those of the shared clock, or since the group's first event where ``relative``.
        Raises ArgumentError where start lies after stop.
        """
        if start > stop:
            raise ArgumentError(f"start {start} us lies after stop {stop} us")
        if relative:
            start, stop = start + self.t_first, stop + self.t_first
        return {
            name: self._aligned(name, start, stop, rec.between(start, stop))
            for name, rec in self.recordings.items()
        }

    def windows(self, duration: int, stride: int | None = None) -> Iterator[dict[str, Aligned]]:
        """What `between` gives for windows of ``duration`` microseconds, ``stride`` apart.

        They start where the sensors' `overlap` does and lie within it; an incomplete last one is
        left out. Each recording is read in one pass; a foreign file is opened once more for it.
        Raises ArgumentError for a duration or a stride below 1, and for a pipe.
        """
        step = duration if stride is None else stride
        if duration < 1 or step < 1:
            raise ArgumentError(f"duration and stride must be positive, got {duration}, {step}")
        return self._windows(duration, step)

    def _windows(self, duration: int, step: int) -> Iterator[dict[str, Aligned]]:
        start, stop = self.overlap
        with ExitStack() as opened:
            passes = {}
            for name, rec in self.recordings.items():
                if isinstance(rec, ForeignRecording):  # its other streams may be asked meanwhile
                    rec = opened.enter_context(rec.again())
                passes[name] = rec.windows(duration, stride=step, start=start, stop=stop)
            for first, last in window_times(start, stop, duration, step):
                events = {name: next(windows) for name, windows in passes.items()}
                yield {
                    name: self._aligned(name, first, last, found) for name, found in events.items()
                }

    def close(self) -> None:
        """Close the recordings."""
        for recording in self.recordings.values():
            recording.close()

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        of = f"{self.name}: " if self.name else ""
        return f"Group({of}{', '.join(self.names)})"

    def _seeing(self) -> list[Recording]:
        """The recordings that have events."""
        return [rec for rec in self.recordings.values() if rec.n_events]

    def _aligned(self, name: str, start: int, stop: int, events: Events) -> Aligned:
        rec = self.recordings[name]
        events.resolution = events.resolution or rec.resolution
        if name not in self._images:
            self._images[name] = rec.images
        images = self._images[name]
        boxes, labels = (rec.side_between(stream, start, stop) for stream in ("boxes", "labels"))
        return Aligned(
            start,
            stop,
            events,
            None if images is None else images.between(start, stop),
            rec.side_between("imu", start, stop),
            rec.side_between("triggers", start, stop),
            None if boxes is None else boxes_from_side(boxes),
            None if labels is None else intervals_from_side(labels),
        )
