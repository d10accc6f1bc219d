"""What a format module gives back: a file's header, then its events in bounded batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Events decoded at once: enough to hide the cost of a call, few enough to stay in cache.
BATCH_EVENTS = 65_536


class Triggers(NamedTuple):
    """External trigger edges: ``t`` int64 us, ``id`` uint8 channel, ``p`` uint8 (1 = rising)."""

    t: NDArray[np.int64]
    id: NDArray[np.uint8]
    p: NDArray[np.uint8]


class Batch(NamedTuple):
    """Some consecutive events, each column contiguous and fresh: the receiver may keep them.

    ``side`` holds what else was met: rows of other streams, by stream and column (integers,
    booleans or floats). Streams that have a name of their own:

    - ``imu``: ``t`` int64 us, and of ``temperature``, ``accelerometer_x`` (_y, _z),
      ``gyroscope_x`` (_y, _z), ``magnetometer_x`` (_y, _z) float32 what there is, in units that
      the format's SPEC names.
    - ``images``: ``t`` int64 us, ``width`` ``height`` uint16, ``channels`` ``bits`` uint8, ``size``
      int64 bytes, and what else the format says (``exposure_start``, ``offset_x`` ...);
      ``image_bytes``: one column ``value`` uint8, the pixels of these images one after the other.
    - ``exposure``: ATIS exposure events: ``t`` int64 us, ``x`` ``y`` uint16, ``p`` uint8, 0 for the
      first threshold and 1 for the second.
    """

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]
    triggers: Triggers | None = None
    side: dict[str, dict[str, NDArray[Any]]] | None = None


@dataclass(frozen=True)
class ReadOptions:
    """What a user says about a file that the file cannot say itself."""

    resolution: tuple[int, int] | None = None
    columns: tuple[str, ...] | None = None  # order of t, x, y, p in tables without a header
    time_unit: str | None = None  # "s", "ms", "us" or "ns"
    sensor: str | None = None
    stream: str | None = None  # which of several event streams: its name, a topic, a path
    batch_events: int = BATCH_EVENTS


@dataclass
class Reading:
    """A foreign file being read.

    ``resolution`` is what the file states (or its sensor's name implies), None where it is silent.
    ``metadata`` holds JSON values; ``header`` the source's own header bytes; ``label`` is a JSON
    value where the file tells the recording's class. ``dropped`` counts by
    kind what is not kept (unknown words, events before the first time word ...) and grows while
    ``batches`` is consumed; it raises TruncatedError after the last whole event of a cut file.
    ``stated`` names the streams that the container lists (``events``, ``triggers``, ``images``
    ...) with the rows it claims for each, None where it does not count them: nothing of it was
    checked.

    Who wants the four columns alone sets ``events_only`` before the first batch: what lies apart
    from the events need not be decoded then, nor checked, nor counted. The events are the same,
    the batches may end elsewhere.
    """

    format: str
    resolution: tuple[int, int] | None
    batches: Iterator[Batch]
    metadata: dict[str, Any] = field(default_factory=dict)
    header: bytes = b""
    dropped: dict[str, int] = field(default_factory=dict)
    label: Any = None
    stated: Mapping[str, int | None] = field(default_factory=dict)
    events_only: bool = False
