"""A recording in a shard without the events of its hot pixels: dropped whenever it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from evstore.errors import FormatError
from evstore.events import COLUMNS, Events, empty_column
from evstore.noise.masks import mask_of, without
from evstore.recording.in_shard import ShardRecording
from evstore.selection import Selection
from evstore.shard.address import address
from evstore.shard.index import RecordingInfo
from evstore.shard.shard import Shard


class MaskedRecording(ShardRecording):
    """What a shard's recording gives, less the events of the pixels in its mask.

    Which pixels these are stands in ``metadata["hot_pixels"]`` (see `evstore.noise.masks`).
    Numbers of events and times are those of the recording as it is stored: ``n_events`` counts
    all, and ``rec[a:b]`` or a window by count has fewer than b - a events where some are dropped.
    """

    def __init__(self, shard: Shard, info: RecordingInfo, users: set[int] | None = None) -> None:
        super().__init__(shard, info, users)
        self._stored = ShardRecording(shard, info, self._users)
        name = address(self.path, self.id)
        try:
            self.mask = mask_of(info.metadata, info.resolution, name)
        except FormatError as error:
            raise error.at(self.path) from None

    @property
    def position(self) -> int:
        return self._stored.position

    def batches(
        self, selection: Selection | None = None, buffers: Events | None = None
    ) -> Iterator[Events]:
        for events in self._stored.batches(selection, buffers):
            yield self._left(events)

    def read(
        self,
        start: int,
        stop: int,
        columns: Sequence[str] = COLUMNS,
        out: dict[str, NDArray[Any]] | None = None,
        threads: int = 1,
    ) -> dict[str, NDArray[Any]]:
        """Columns of what is left of the events ``start <= i < stop``, or beginnings of ``out``."""
        self._stored.read(start, start, columns)  # which says what is wrong with them
        if out is None:
            stored = self._stored.read(start, stop, COLUMNS, None, threads)
        else:
            beside = {n: empty_column(n, max(0, stop - start)) for n in COLUMNS if n not in out}
            stored = self._stored.read(start, stop, COLUMNS, {**beside, **out}, threads)
        events = self._left(Events.of(stored["t"], stored["x"], stored["y"], stored["p"]))
        return {name: getattr(events, name) for name in (out or columns)}

    def between(
        self,
        start: int,
        stop: int,
        *,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
        relative: bool = False,
    ) -> Events:
        return self._left(
            self._stored.between(start, stop, roi=roi, polarity=polarity, relative=relative)
        )

    def __getitem__(self, which: int | slice) -> Events:
        """What is left of events by number: of one that is dropped, none."""
        return self._left(self._stored[which])

    def _windows_by_count(self, count: int, step: int, partial: bool) -> Iterator[Events]:
        return map(self._left, self._stored._windows_by_count(count, step, partial))

    def _windows_by_time(self, *how: Any) -> Iterator[Events]:
        return map(self._left, self._stored._windows_by_time(*how))

    def _left(self, events: Events) -> Events:
        return without(events, self.mask)
