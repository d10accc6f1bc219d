"""The events of a sample: as they are stored, or as masks, noise and filters leave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.datasets.access import Shards
from evstore.datasets.labels import Boxes, Intervals
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.masks import drops, without

if TYPE_CHECKING:
    from evstore.noise.transform import Transform

LATEST = (1 << 63) - 1


class Sample(NamedTuple):
    """All of a sample. Times in microseconds of the recording's own clock.

    Those of a window by count are from its first event to its last one, which is inside.
    """

    data: Any
    label: Any
    boxes: Boxes
    intervals: Intervals
    id: str
    t_start: int
    t_stop: int


@dataclass(frozen=True)
class Window:
    """A part of a recording: times [start, stop), or numbers of events."""

    start: int
    stop: int
    by_time: bool


@dataclass(frozen=True)
class Changes:
    """What is done to a sensor's own events, before all else; in the order of the fields."""

    hot_pixels: str = "keep"
    noise: Transform | None = None

    def __post_init__(self) -> None:
        drops(self.hot_pixels)
        if self.noise is None:
            return
        from evstore.noise.transform import Transform

        if isinstance(self.noise, (list, tuple)):
            raise ArgumentError("noise must be one transform: make one of several, Compose(a, b)")
        if not isinstance(self.noise, Transform):
            raise ArgumentError(
                f"noise must be a transform of evstore.noise, got {self.noise!r}; others are given "
                "as transform="
            )

    def __bool__(self) -> bool:
        """Whether anything is done at all."""
        return self.noise is not None or self.hot_pixels == "drop"


def read(shards: Shards, recording: int, window: Window | None) -> Events:
    """The events of a recording or of a window of it, in file order."""
    catalogue = shards.catalogue
    found = []
    for row in catalogue.rows(recording):
        reader = shards.reader(row)
        if window is not None and window.by_time:
            found.append(reader.between(window.start, window.stop))
            continue
        low, high = 0, reader.info.n_events
        if window is not None:
            first = reader.info.first_event
            low, high = max(0, window.start - first), min(high, window.stop - first)
        if low < high:
            columns = reader.read(low, high)
            found.append(Events.of(**columns, resolution=reader.info.resolution))
    if len(found) == 1:
        return found[0]
    made = Events.concatenate(found)
    made.resolution = resolution_of(shards, recording)
    return made


def resolution_of(shards: Shards, recording: int) -> tuple[int, int] | None:
    """A recording's (width, height); None where it has no events to know it from."""
    width, height = shards.catalogue.resolution[recording].tolist()
    return (width, height) if width and height else None


def changed(
    shards: Shards,
    recording: int,
    window: Window | None,
    events: Events,
    changes: Changes,
    epoch: int | None = None,
) -> Events:
    """What becomes of a sample's ``events``, which `read` gave: they may be moved where they lie.

    Noise depends on the recording's id, the window's bounds and the epoch (that which is being
    read, unless given) alone. Raises ArgumentError for a recording that has no mask of hot pixels
    where these are to be dropped.
    """
    span = span_of_events(shards, recording, window, events)
    if changes.hot_pixels == "drop":
        events = without(events, shards.mask(recording))
    if changes.noise is None or span is None:
        return events
    start, stop = span
    if events.resolution is None:
        events = Events.of(events.t, events.x, events.y, events.p, resolution_of(shards, recording))
    if events.resolution is None and changes.noise.makes_events:
        raise ArgumentError(
            f"recording {shards.catalogue.ids[recording]!r} has no events and no resolution, and "
            "noise has to know the sensor: leave it out (filter)"
        )
    if stop > LATEST:
        raise ArgumentError(
            f"recording {shards.catalogue.ids[recording]!r} has events up to {stop - 1} us, the "
            "latest time that there is: noise needs one after it"
        )
    name = sample_name(shards.catalogue.ids[recording], window)
    noisy: Events = changes.noise(events, sample=name, epoch=epoch, start=start, stop=stop)
    return noisy


def sample_name(id: str, window: Window | None) -> str:
    """What tells a sample's noise from that of others: the same in whichever shards it lies."""
    if window is None:
        return id
    return f"{id}\0{window.start}..{window.stop}{' us' if window.by_time else ''}"


def span_of_events(
    shards: Shards, recording: int, window: Window | None, events: Events
) -> tuple[int, int] | None:
    """The times [start, stop) that a sample reaches over; None where it has none."""
    if window is not None and window.by_time:
        return window.start, window.stop
    if not len(events):
        return None
    if window is not None:
        return int(events.t.min()), int(events.t.max()) + 1
    known = shards.catalogue
    return int(known.t_min[recording]), int(known.t_max[recording]) + 1
