"""How a sample is delivered: as a structured array, as Events, or as frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evstore.datasets.access import Shards
from evstore.datasets.dtypes import event_dtype
from evstore.datasets.geometry import Geometry
from evstore.datasets.relative import count_from
from evstore.datasets.sample_events import (
    Changes,
    Window,
    changed,
    read,
    resolution_of,
    span_of_events,
)
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.frames import Filler, Frames, to_frames
from evstore.frames.divisions import divisions
from evstore.frames.straight import add_between, add_numbers

OUTPUTS = ("structured", "events", "frames")


@dataclass(frozen=True)
class Delivery:
    """What becomes of the events of a sample; the same for all samples of a dataset.

    ``frames`` says which frames are made; without it samples are structured arrays of ``dtype``,
    or Events. ``relative``: times count from the recording's first event. ``geometry`` is done to
    events, frames and boxes alike, after ``changes``.
    """

    output: str = "structured"
    dtype: DTypeLike | str = "tonic"
    frames: Frames | None = None
    geometry: Geometry = field(default_factory=Geometry)
    relative: bool = False
    changes: Changes = field(default_factory=Changes)

    def __post_init__(self) -> None:
        if self.frames is not None and not isinstance(self.frames, Frames):
            raise ArgumentError(f"frames must be Frames(...), got {self.frames!r}")
        if not isinstance(self.geometry, Geometry):
            raise ArgumentError(f"geometry must be Geometry(...), got {self.geometry!r}")
        if self.output not in OUTPUTS:
            raise ArgumentError(f"output is one of {', '.join(OUTPUTS)}, got {self.output!r}")
        if (self.output == "frames") != (self.frames is not None):
            raise ArgumentError("frames are delivered where Frames say which: frames=Frames(...)")
        object.__setattr__(self, "dtype", event_dtype(self.dtype))
        if self.frames is not None:
            moved = (self.frames.crop, self.frames.size, self.frames.flip_x, self.frames.flip_y)
            if not self.geometry.is_identity and moved != (None, None, False, False):
                raise ArgumentError("say crop, size and flips once: in geometry or in frames")
            place = self.geometry if moved == (None, None, False, False) else Geometry(*moved)
            object.__setattr__(self, "geometry", place)
            known = {n: getattr(place, n) for n in ("crop", "size", "flip_x", "flip_y")}
            object.__setattr__(self, "frames", replace(self.frames, **known))

    @property
    def event_bytes(self) -> int:
        """Bytes of one event as it is delivered."""
        return 13 if self.output == "events" else int(np.dtype(self.dtype).itemsize)


def deliver(
    shards: Shards,
    recording: int,
    window: Window | None,
    how: Delivery,
    out: NDArray[Any] | None = None,
    epoch: int | None = None,
) -> Any:
    """A sample: all of a recording, or a window of it; frames into ``out`` where it is given.

    ``epoch``: whose noise it has; unless given, that which is being read.
    """
    if how.frames is not None and not how.changes:
        return _frames(shards, recording, window, how.frames, out)
    events = read(shards, recording, window)
    if how.frames is not None:
        return _changed_frames(shards, recording, window, events, how, out, epoch)
    if how.changes:
        events = changed(shards, recording, window, events, how.changes, epoch)
    events = how.geometry.events(events)
    if how.relative:
        count_from(int(shards.catalogue.t_first[recording]), events.t, out=events.t)
    return events if how.output == "events" else events.to_structured(how.dtype)


def sensor(shards: Shards, recording: int) -> tuple[int, int]:
    """A recording's resolution; raises ArgumentError where it has none: it has no frames then."""
    resolution = resolution_of(shards, recording)
    if resolution is None:
        raise ArgumentError(
            f"recording {shards.catalogue.ids[recording]!r} has no resolution, and frames need one"
            + ("" if shards.catalogue.events[recording] else ": it is empty, leave it out (filter)")
        )
    return resolution


def sensors_of(shards: Shards, recordings: list[int]) -> set[tuple[int, int]]:
    """The resolutions of some recordings; raises as `sensor` does."""
    found = shards.catalogue.resolution[recordings]
    if (found == found[0]).all():
        return {sensor(shards, recordings[0])}
    return {sensor(shards, recording) for recording in recordings}


def _frames(
    shards: Shards,
    recording: int,
    window: Window | None,
    spec: Frames,
    out: NDArray[Any] | None,
) -> NDArray[Any]:
    """Frames straight from chunks: no array of the window's events is made.

    But where the index does not know what divides them: frames by count of a window by time, and
    frames by time of a window by count.
    """
    resolution = sensor(shards, recording)
    if window is not None and window.by_time != spec.by_time:
        return _decoded_frames(read(shards, recording, window), resolution, window, spec)
    span = span_of(shards, recording, window, spec)
    within = None if window is None else (window.start, window.stop)
    filler = Filler(spec, resolution, *span, out, within)
    for row in shards.catalogue.rows(recording):
        reader = shards.reader(row)
        if window is not None and window.by_time:
            add_between(filler, reader, window.start, window.stop)
        elif window is None:
            add_numbers(filler, reader, 0, reader.info.n_events)
        else:
            first, n_events = reader.info.first_event, reader.info.n_events
            low, high = max(0, window.start - first), min(n_events, window.stop - first)
            add_numbers(filler, reader, low, max(low, high), window.start)
    return filler.result()


def _changed_frames(
    shards: Shards,
    recording: int,
    window: Window | None,
    events: Events,
    how: Delivery,
    out: NDArray[Any] | None,
    epoch: int | None,
) -> NDArray[Any]:
    """Frames of the events that are left, or come in; their times are those of the stored ones."""
    spec, resolution = how.frames, sensor(shards, recording)
    assert spec is not None
    span, within = (0, 0), None
    if spec.by_time and (window is None or window.by_time):
        span = span_of(shards, recording, window, spec)[:2]
        within = None if window is None else (window.start, window.stop)
    elif spec.by_time:
        span = span_of_events(shards, recording, window, events) or span
    events = changed(shards, recording, window, events, how.changes, epoch)
    filler = Filler(spec, resolution, *span, len(events), out, within)
    filler.add(events.t, events.x, events.y, events.p)
    return filler.result()


def span_of(
    shards: Shards, recording: int, window: Window | None, spec: Frames
) -> tuple[int, int, int]:
    """What frames are divided by: least time, greatest plus one, and number of the events."""
    catalogue = shards.catalogue
    if window is not None and window.by_time:
        # A window's frames end with it, those of a recording with its last event.
        return window.start, window.stop + (not spec.partial), 0
    if window is not None:
        return 0, 0, window.stop - window.start
    n_events = int(catalogue.events[recording])
    return int(catalogue.t_min[recording]), int(catalogue.t_max[recording]) + 1, n_events


def divisions_of(
    shards: Shards, places: Sequence[tuple[int, Window | None]], spec: Frames
) -> NDArray[np.int64]:
    """How the events of each sample are divided: the numbers of `Division`, a row each."""
    catalogue = shards.catalogue
    if all(window is None for _, window in places):
        recordings = np.array([recording for recording, _ in places])
        known = (catalogue.t_min, catalogue.t_max, catalogue.events)
        return divisions(spec, *(column[recordings] for column in known))
    spans = (span_of(shards, *place, spec) for place in places)
    return np.array([spec.division(*span) for span in spans], np.int64)


def _decoded_frames(
    events: Events, resolution: tuple[int, int], window: Window, spec: Frames
) -> NDArray[Any]:
    if window.by_time:
        filler = Filler(spec, resolution, 0, 0, len(events))
        filler.add(events.t, events.x, events.y, events.p)
        return filler.result()
    made: NDArray[Any] = to_frames(events, spec, resolution=resolution)
    return made
