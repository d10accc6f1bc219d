"""The selected events of a recording and its triggers, side by side, in bounded batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from evstore.events import Events
from evstore.formats.reading import Triggers
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording, select
from evstore.recording.in_shard import ShardRecording
from evstore.selection import Selection


def feed(recording: Recording, selection: Selection) -> Iterator[tuple[Events, Triggers | None]]:
    """Batches of events with the triggers that lie before or among them.

    Triggers are selected by time only: they have no place and their polarity is another thing.
    """
    if isinstance(recording, ForeignRecording):
        yield from _of_foreign(recording, selection)
    else:
        assert isinstance(recording, ShardRecording)
        yield from _of_shard(recording, selection)


def _of_foreign(
    recording: ForeignRecording, selection: Selection
) -> Iterator[tuple[Events, Triggers | None]]:
    # Relative times are known only from the first event on; triggers may come before it.
    unknown = selection.relative and (selection.start, selection.stop) != (None, None)
    waiting: list[Triggers] = []
    for batch in recording.raw_batches(remember=False):
        if batch.triggers is not None:
            waiting.append(batch.triggers)
        if unknown and len(batch.t):
            selection, unknown = selection.absolute(int(batch.t[0])), False
        triggers = None
        if waiting and not unknown:
            joined = Triggers(*(np.concatenate(column) for column in zip(*waiting, strict=True)))
            triggers, waiting = select_triggers(joined, selection), []
        yield select(Events.of(*batch[:4]), selection), triggers


def _of_shard(
    recording: ShardRecording, selection: Selection
) -> Iterator[tuple[Events, Triggers | None]]:
    columns = recording.triggers
    edges: Triggers | None = None
    if columns is not None:
        edges = select_triggers(Triggers(**columns), selection.absolute(recording.t_first))
    # Triggers keep their order, too, where their times step back.
    times = np.maximum.accumulate(edges.t) if edges is not None else np.empty(0, np.int64)
    at = 0
    for events in recording.batches(selection):
        triggers = None
        if len(events):
            stop = max(at, int(np.searchsorted(times, events.t[-1], "right")))
            if edges is not None and stop > at:
                triggers = _pick(edges, slice(at, stop))
            at = stop
        yield events, triggers
    if edges is not None and at < len(times):
        yield Events.empty(), _pick(edges, slice(at, None))


def select_triggers(triggers: Triggers, selection: Selection) -> Triggers | None:
    """The triggers within the times of an absolute selection, None where there are none."""
    keep = np.ones(len(triggers.t), np.bool_)
    if selection.start is not None:
        keep &= triggers.t >= selection.start
    if selection.stop is not None:
        keep &= triggers.t < selection.stop
    return _pick(triggers, keep) if keep.any() else None


def _pick(triggers: Triggers, which: Any) -> Triggers:
    return Triggers(triggers.t[which], triggers.id[which], triggers.p[which])
