"""What is measured, as batches in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.batch import Batch, Sensor, batch_of, check_inside, in_order
from evstore.noise.transform import size_of

LONGEST_US = 1 << 60  # times are kept four times as large


def incoming(
    events: Events | Iterable[Events], resolution: tuple[int, int] | None
) -> Iterator[tuple[Batch, Sensor, int]]:
    """Batches that have events, the sensor, and the time of the first event.

    Raises ArgumentError where nothing says the resolution, where coordinates lie outside of it,
    and where a batch begins before the last one ended; a single Events is sorted where it must be.
    """
    sensor = None if resolution is None else Sensor(*size_of(resolution))
    start = newest = None
    for part in [events] if isinstance(events, Events) else events:
        if not isinstance(part, Events):
            raise ArgumentError(f"noise is measured of Events or batches of them, got {part!r}")
        if not len(part):
            continue
        if sensor is None:
            if part.resolution is None:
                raise ArgumentError("these events have no resolution: give resolution=")
            sensor = Sensor(*size_of(part.resolution))
        batch = in_order(batch_of(part))
        check_inside(batch, sensor)
        first, last = int(batch.t[0]), int(batch.t[-1])
        start = first if start is None else start
        if newest is not None and first < newest:
            raise ArgumentError(f"time steps back between batches, {newest} us to {first} us")
        if last - start > LONGEST_US:
            raise ArgumentError(f"events must lie within {LONGEST_US:,} us, got {last - start:,}")
        newest = last
        yield batch, sensor, start
