"""What all of noise is called like: transforms of Events or structured arrays, streams of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events
from evstore.noise.batch import Batch, Sensor, Stage, batch_of, check_events, check_inside, in_order
from evstore.noise.key import Key, sample_key
from evstore.noise.limits import TIMES, check_integer

if TYPE_CHECKING:
    from evstore.noise.stream import Stream

Either = TypeVar("Either", Events, NDArray[Any])


@dataclass(frozen=True)
class Transform:
    """A step that takes events in order of time and gives events in order of time.

    Called with Events it gives Events, with a structured array (fields t, x, y, p) an array of
    the same dtype: so it is a transform as tonic has them. ``seed`` and what names the sample
    settle every random number (see `__call__`). ``resolution``: the sensor of structured arrays,
    ``(width, height)`` or tonic's ``(width, height, polarities)``; Events know their own.
    """

    _: KW_ONLY
    seed: int = 0
    resolution: tuple[int, ...] | None = None

    #: Whether it makes events of its own, and so has to know where they can be.
    makes_events = False
    #: Whether it keeps or drops each event as it comes, so that a stream need hold none back.
    only_chooses = False

    def __post_init__(self) -> None:
        for field in fields(self):  # numpy's integers would count in their own few bits
            value = getattr(self, field.name, None)
            if isinstance(value, np.generic):
                object.__setattr__(self, field.name, value.item())
        check_integer("seed", self.seed, 0, (1 << 64) - 1)
        if self.resolution is not None:
            size_of(self.resolution)
        self.check()

    def check(self) -> None:
        """Raises ArgumentError where a parameter is out of range."""

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """What does it to one stream of this sensor, whose time begins at ``start``."""
        raise NotImplementedError

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that it makes, about; 0 where it makes none."""
        return 0.0

    def least_sensor(self) -> Sensor:
        """What a sensor has at least whose resolution nobody says."""
        return Sensor(1, 1)

    def __call__(
        self,
        events: Either,
        *,
        sample: str | int | None = None,
        epoch: int | None = None,
        start: int | None = None,
        stop: int | None = None,
        labels: bool = False,
    ) -> Any:
        """The events of one sample, changed; with ``labels`` also a uint8 for each (`LABELS`).

        Times [start, stop), in microseconds, are those that noise may come in; unless given, from
        the first event to the last one. The result depends on the seed, ``epoch`` and ``sample``
        (the sample's id or number) alone; `evstore.Dataset` gives both. Unless given, the epoch
        is the one that `evstore.Loader` is reading, else 0, and a digest of the events names the
        sample. Input that steps back in time is sorted, stable for equal times.

        Raises ArgumentError where events lie outside of the sensor, or before start or after stop.
        """
        own = events if isinstance(events, Events) else from_structured(events)
        batch = in_order(batch_of(own))
        sensor = self._sensor(own, batch)
        if self.makes_events and not batch.size and (start is None) != (stop is None):
            raise ArgumentError(
                f"{type(self).__name__} of no events has to know the times: give both start and "
                "stop, in microseconds"
            )
        ends = (int(batch.t[0]), int(batch.t[-1])) if batch.size else None
        start, stop = span(ends, start, stop)
        stage = self.begin(sensor, sample_key(epoch, sample, batch), start)
        out, _ = stage.push(batch, stop, True)
        if isinstance(events, Events):
            found: Any = out.events(events.resolution or self._said())
        else:
            found = out.events(None).to_structured(events.dtype)
        return (found, out.label) if labels else found

    def stream(
        self,
        resolution: tuple[int, int],
        *,
        sample: str | int = "",
        epoch: int = 0,
        start: int | None = None,
        slack_us: int = 0,
    ) -> Stream:
        """The same over batches of any size, in bounded memory: `push` each, then `end`.

        What comes out, all together, does not depend on where the batches end.
        """
        from evstore.noise.stream import Stream

        key = sample_key(epoch, sample, batch_of(Events.empty()))
        return Stream(self, Sensor(*size_of(resolution)), key, start, slack_us)

    def batches(self, batches: Iterable[Events], **how: Any) -> Iterator[Events]:
        """What becomes of batches that follow each other; ``how`` is that of `stream`.

        The resolution is that of the first batch unless it is given.
        """
        stream = None
        for batch in batches:
            if stream is None:
                check_events(batch)
                given = how.pop("resolution", None)
                said = given if given is not None else batch.resolution or self._said()
                if said is None:
                    raise ArgumentError("these events have no resolution: give resolution=")
                stream = self.stream(said, **how)
            yield from filter(len, stream.pieces(batch))
        if stream is not None:
            yield from filter(len, stream.last_pieces())

    def _said(self) -> tuple[int, int] | None:
        return None if self.resolution is None else size_of(self.resolution)

    def _sensor(self, events: Events, batch: Batch) -> Sensor:
        size = events.resolution or self._said()
        if size is None:
            if self.makes_events:
                raise ArgumentError(
                    f"{type(self).__name__} has to know the sensor: give resolution=(width, height)"
                )
            least = self.least_sensor()
            width = int(batch.x.max()) + 1 if batch.size else 1
            height = int(batch.y.max()) + 1 if batch.size else 1
            return Sensor(max(width, least.width), max(height, least.height))
        sensor = Sensor(*size_of(size))
        check_inside(batch, sensor)
        return sensor


def from_structured(array: Any) -> Events:
    """Events of a structured array that has no fields beside t, x, y, p."""
    if not isinstance(array, np.ndarray):
        raise ArgumentError(
            f"a transform takes Events or a structured array, got {type(array).__name__}"
        )
    more = [name for name in array.dtype.names or () if name not in COLUMNS]
    if more:
        raise ArgumentError(f"nothing is known of what the fields {more} of new events would hold")
    return Events.from_structured(array)


def span(
    first_and_last: tuple[int, int] | None, start: int | None, stop: int | None
) -> tuple[int, int]:
    """The times of a sample as given, or those of its events; of no events none."""
    first = end = None
    if first_and_last is not None:
        first, end = first_and_last[0], min(first_and_last[1] + 1, TIMES[1])
    for name, time in (("start", start), ("stop", stop)):
        if time is not None:
            check_integer(name, time, *TIMES)
    low = _first_known(start, first, stop)
    high = _first_known(stop, end, start)
    if high < low:
        raise ArgumentError(f"stop {high} us lies before start {low} us")
    if first is not None and end is not None and (first < low or end > high):
        raise ArgumentError(
            f"events of {first}..{end - 1} us lie outside of the times [{low}, {high}) that were "
            "given"
        )
    return low, high


def _first_known(*values: int | None) -> int:
    return next((int(value) for value in values if value is not None), 0)


def size_of(resolution: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) of what is said as a resolution; raises ArgumentError for what is none."""
    try:
        width, height = (int(side) for side in resolution[:2])
        more = len(resolution)
    except (TypeError, ValueError, LookupError, OverflowError):
        width = height = more = 0
    if more not in (2, 3) or not (1 <= width <= 65_536 and 1 <= height <= 65_536):
        raise ArgumentError(
            f"resolution must be (width, height), each in 1..65536, got {resolution!r}"
        )
    return width, height
