"""AEDAT4 by faery, aedat, dv-processing and eventcv; and eventcv's HDF5."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfRecords, resolution_of, variant
from evstore.bench.event_packages import EventCV, Faery
from evstore.events import Events

FAMILY = "AEDAT4"


class FaeryAedat4(Faery):
    """By faery."""

    name, family = "AEDAT4 LZ4, faery", FAMILY
    suffix = ".aedat4"
    settings: ClassVar[dict[str, Any]] = {"compression": ("lz4", 1)}


class Aedat(FaeryAedat4):
    """The aedat package reads what faery writes."""

    name = "AEDAT4 LZ4, aedat"
    packages = ("faery", "aedat")
    note = "written by faery: aedat only reads"
    writes = False

    def read(self) -> NDArray[Any]:
        import aedat

        packets = aedat.Decoder(self.path + self.suffix)
        return np.concatenate([packet["events"] for packet in packets if "events" in packet])


class DvProcessing(OfRecords):
    """By dv-processing, whose events are put into its store one by one."""

    name, family = "AEDAT4 LZ4, dv-processing", FAMILY
    packages = ("dv_processing",)
    fields = ("timestamp", "x", "y", "polarity")
    note = "a million events at most: its store takes them one by one, which is not timed"
    most_events = 1_000_000
    has_open = has_windows = True
    compression: ClassVar[str] = "LZ4"

    def take(self, events: Events) -> Any:
        import dv_processing

        if max(int(events.x.max()), int(events.y.max())) >> 15:
            raise ValueError("AEDAT4 holds x and y below 32768")
        store = dv_processing.EventStore()
        columns = (events.t, events.x, events.y, events.p.astype(bool))
        for event in zip(*(column.tolist() for column in columns), strict=True):
            store.push_back(*event)
        return store, resolution_of(events)

    def write(self, taken: Any) -> None:
        import dv_processing

        store, resolution = taken
        packing = getattr(dv_processing.CompressionType, self.compression)
        writer = dv_processing.io.MonoCameraWriter
        config = writer.EventOnlyConfig("bench", resolution, packing)
        writer(self.path + ".aedat4", config).writeEvents(store)

    def read(self) -> NDArray[Any]:
        import dv_processing

        recording, parts = dv_processing.io.MonoCameraRecording(self.path + ".aedat4"), []
        while (batch := recording.getNextEventBatch()) is not None:
            parts.append(batch.numpy())
        return np.concatenate(parts)

    def open(self) -> None:
        import dv_processing

        self._recording = dv_processing.io.MonoCameraRecording(self.path + ".aedat4")

    def window(self, start: int, stop: int) -> Any:
        found = self._recording.getEventsTimeRange(start, stop)
        return _NONE if found is None else found.numpy()

    def close(self) -> None:
        self._recording = None


_NONE = np.empty(0, [("timestamp", "<i8"), ("x", "<i2"), ("y", "<i2"), ("polarity", "i1")])


class EventCVAedat4(EventCV):
    """By eventcv."""

    name, family, suffix = "AEDAT4 LZ4, eventcv", FAMILY, ".aedat4"

    def take(self, events: Events) -> Any:
        if int(events.t.min()) < 0:
            raise ValueError("eventcv's times are unsigned")
        return super().take(events)


CONTENDERS: tuple[type[Contender], ...] = (
    FaeryAedat4,
    variant(FaeryAedat4, "AEDAT4 zstd 3, faery", settings={"compression": ("zstd", 3)}),
    Aedat,
    DvProcessing,
    variant(DvProcessing, "AEDAT4 zstd, dv-processing", compression="ZSTD"),
    EventCVAedat4,
    variant(EventCVAedat4, "HDF5 gzip 1, eventcv", suffix=".h5", family="HDF5"),
)
