"""faery and eventcv, which read and write many formats: what all their contenders share."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import OfRecords, resolution_of
from evstore.events import Events


class Faery(OfRecords):
    """By faery."""

    packages: ClassVar[tuple[str, ...]] = ("faery",)
    fields = ("t", "x", "y", "on")
    suffix: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    def take(self, events: Events) -> Any:
        import faery

        if int(events.t.min()) < 0:
            raise ValueError("faery's times are unsigned")
        array = np.empty(len(events), faery.EVENTS_DTYPE)
        for field, column in zip(
            self.fields, (events.t, events.x, events.y, events.p), strict=True
        ):
            array[field] = column
        return faery.events_stream_from_array(array, resolution_of(events))

    def write(self, taken: Any) -> None:
        taken.to_file(self.path + self.suffix, **self.settings)

    def read(self) -> Any:
        import faery

        return faery.events_stream_from_file(self.path + self.suffix).to_array()


class EventCV(OfRecords):
    """By eventcv: rows of four 64-bit numbers."""

    packages = ("eventcv",)
    fields: ClassVar[Any] = tuple((slice(None), place) for place in (2, 0, 1, 3))
    suffix: ClassVar[str]
    has_open = has_windows = True

    def take(self, events: Events) -> Any:
        import eventcv

        columns = (events.x, events.y, events.t, events.p)
        rows = np.stack([column.astype(np.int64) for column in columns], axis=1)
        return eventcv.from_numpy(rows, sensor_size=resolution_of(events), time_unit="us")

    def write(self, taken: Any) -> None:
        taken.save(self.path + self.suffix)

    def read(self) -> NDArray[Any]:
        import eventcv

        found: NDArray[Any] = eventcv.load(self.path + self.suffix, time_unit="us").numpy()
        return found

    def open(self) -> None:
        import eventcv

        self._reader = eventcv.open(self.path + self.suffix, time_unit="us")

    def window(self, start: int, stop: int) -> Any:
        return self._reader.slice(t0_us=start, t1_us=stop).numpy()

    def close(self) -> None:
        self._reader = None
