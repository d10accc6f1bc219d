"""What is measured, as batches in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise.batch import Batch, Sensor, batch_of, check_inside, in_order
from evstore.noise.transform import size_of

#: Events, a structured array of them (fields t, x, y, p), or batches of either.
Measured = Events | NDArray[Any] | Iterable[Events | NDArray[Any]]

LONGEST_US = 1 << 60  # times are kept four times as large


def incoming(
    events: Measured, resolution: tuple[int, int] | None
) -> Iterator[tuple[Batch, Sensor, int]]:
    """Batches, the sensor, and the time of the first event (of an empty batch 0).

    Raises ArgumentError
    where nothing says the resolution, where coordinates lie outside of it, and where a batch
    begins before the last one ended; what is given as a whole is sorted where it must be.
    """
    sensor = None if resolution is None else Sensor(*size_of(resolution))
    start = newest = None
    for part in _parts(events):
        if sensor is None and part.resolution is not None:
            sensor = Sensor(*size_of(part.resolution))
        batch = in_order(batch_of(part))
        if not batch.size:
            if sensor is not None:
                yield batch, sensor, 0
            continue
        if sensor is None:
            raise ArgumentError("these events have no resolution: give resolution=(width, height)")
        check_inside(batch, sensor)
        first, last = int(batch.t[0]), int(batch.t[-1])
        start = first if start is None else start
        if newest is not None and first < newest:
            raise ArgumentError(f"time steps back between batches, {newest} us to {first} us")
        if last - start > LONGEST_US:
            raise ArgumentError(f"events must lie within {LONGEST_US:,} us, got {last - start:,}")
        newest = last
        yield batch, sensor, start


def _parts(events: Any) -> Iterator[Events]:
    whole = isinstance(events, Events) or _is_structured(events)
    for part in [events] if whole else events:
        if _is_structured(part):
            yield Events.from_structured(part)
        elif isinstance(part, Events):
            yield part
        else:
            raise ArgumentError(
                "noise is measured of Events, of a structured array with the fields t, x, y, p, or "
                f"of batches of them, got {part!r}"
            )


def _is_structured(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.names is not None
