"""Write recordings from Python: an array, a simulator, a running camera."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from numpy.typing import ArrayLike, NDArray

from evstore.codec.presets import DEFAULT_PRESET
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard.recording_writer import RecordingWriter
from evstore.shard.writer import FLUSH_S, ShardWriter, whole_shard


class Output:
    """A shard being written: of one recording (``write``, ``trigger``, ``label``) or of many
    (``recording``). Its file is ``path.part`` until the ``with`` block ends well."""

    def __init__(
        self,
        shard: ShardWriter,
        resolution: tuple[int, int] | None,
        label: Any,
        metadata: dict[str, Any] | None,
    ) -> None:
        self.shard = shard
        self._said: dict[str, Any] = {
            "resolution": resolution,
            "label": label,
            "metadata": metadata,
        }
        self._single: RecordingWriter | None = None
        if any(value is not None for value in self._said.values()):
            self._only()

    def recording(
        self,
        id: str,
        *,
        resolution: tuple[int, int] | None = None,
        label: Any = None,
        metadata: dict[str, Any] | None = None,
    ) -> RecordingWriter:
        """Open a recording of a shard of many; close it (or leave its ``with``) to end it."""
        if self._single is not None:
            raise ArgumentError("this shard holds a single recording: it was written to directly")
        return self.shard.recording(id, resolution=resolution, label=label, metadata=metadata)

    def write(self, events: Events | NDArray[Any]) -> None:
        """Append events to the shard's single recording.

        Where this fails (a full disk), go on with the event after those that ``taken`` counts.
        """
        self._only().write(events)

    @property
    def taken(self) -> int:
        """Events that the shard's single recording has, written to the file yet or not."""
        return self._only().taken

    def trigger(self, t: ArrayLike, id: ArrayLike = 0, p: ArrayLike = 1) -> None:
        """Append external trigger edges to the shard's single recording."""
        self._only().trigger(t, id, p)

    def label(
        self, value: Any, t_start: ArrayLike | None = None, t_stop: ArrayLike | None = None
    ) -> None:
        """Label the shard's single recording, or the times [t_start, t_stop) of it."""
        self._only().label(value, t_start, t_stop)

    def flush(self) -> None:
        """Put every event so far into the file."""
        for recording in list(self.shard.open_recordings):
            recording.flush()

    def close(self) -> None:
        """Write the index and take the final name."""
        if self._single is None and not self.shard.done and not self.shard.open_recordings:
            self._only()
        self.shard.close()

    def _only(self) -> RecordingWriter:
        if self._single is None:
            if self.shard.done or self.shard.open_recordings:
                raise ArgumentError("this shard holds named recordings: write to one of them")
            self._single = self.shard.recording("", **self._said)
        return self._single

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.shard.__exit__(kind, error, trace)


def create(
    path: str | os.PathLike[str],
    *,
    resolution: tuple[int, int] | None = None,
    preset: str = DEFAULT_PRESET,
    overwrite: bool = False,
    flush_s: float | None = FLUSH_S,
    label: Any = None,
    metadata: dict[str, Any] | None = None,
) -> Output:
    """Create a shard and write to it as events come; at most ``flush_s`` seconds can be lost.

    ``preset``: ``balanced`` is small, ``fast`` is larger and faster to read and write. A reader
    may `follow` it meanwhile. An error inside the ``with`` block keeps ``path.part``,
    from which `recover` saves what was written. Raises ArgumentError where ``path`` exists.

    >>> with create("live.evs", resolution=(640, 480)) as out:       # doctest: +SKIP
    ...     out.write(events)
    """
    shard = ShardWriter(path, preset=preset, overwrite=overwrite, flush_s=flush_s)
    try:
        return Output(shard, resolution, label, metadata)
    except BaseException:
        shard.abort()
        raise


def save(
    path: str | os.PathLike[str],
    events: Events | NDArray[Any],
    *,
    label: Any = None,
    metadata: dict[str, Any] | None = None,
    preset: str = DEFAULT_PRESET,
    overwrite: bool = False,
) -> None:
    """Write events (or a structured array) as a shard of one recording; ``preset`` as in `create`.

    >>> save("one.evs", Events([1], [2], [3], [1], resolution=(4, 4)))   # doctest: +SKIP
    """
    if not isinstance(events, Events):
        events = Events.from_structured(events)
    with (
        whole_shard(path, preset=preset, overwrite=overwrite) as shard,
        shard.recording("", resolution=events.resolution, label=label, metadata=metadata) as out,
    ):
        out.write(events)
