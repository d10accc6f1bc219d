"""The selected events of a recording and its side streams, side by side, in bounded batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evstore.events import Events
from evstore.formats.sides import Sides, joined, with_triggers
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording, select
from evstore.recording.in_shard import ShardRecording
from evstore.recording.sides import InOrder, selected
from evstore.selection import Selection


def feed(recording: Recording, selection: Selection) -> Iterator[tuple[Events, Sides]]:
    """Batches of events with the rows of side streams that lie before or among them.

    Triggers are one of them. They are selected by time only: they have no place, and their
    polarity is another thing.
    """
    if isinstance(recording, ForeignRecording):
        yield from _of_foreign(recording, selection)
    else:
        assert isinstance(recording, ShardRecording)
        yield from _of_shard(recording, selection)


def _of_foreign(
    recording: ForeignRecording, selection: Selection
) -> Iterator[tuple[Events, Sides]]:
    # Relative times are known only from the first event on; other rows may come before it.
    unknown = selection.relative and (selection.start, selection.stop) != (None, None)
    waiting: list[Sides] = []
    for batch in recording.raw_batches(remember=False):
        if batch.triggers is not None or batch.side:
            waiting.append(with_triggers(batch.triggers, batch.side))
        if unknown and len(batch.t):
            selection, unknown = selection.absolute(int(batch.t[0])), False
        sides: Sides = {}
        if waiting and not unknown:
            sides, waiting = selected(joined(waiting), selection), []
        yield select(Events.of(*batch[:4]), selection), sides


def _of_shard(recording: ShardRecording, selection: Selection) -> Iterator[tuple[Events, Sides]]:
    rows, beside = in_order(recording, selection), bool(recording.side_streams)
    for events in recording.batches(selection):
        if not len(events):
            continue
        if not beside:
            yield events, {}
            continue
        latest, done = np.maximum.accumulate(events.t), 0
        for t, sides in rows.until(int(events.t[-1])):
            assert t is not None
            stop = max(done, int(np.searchsorted(latest, t, "right")))
            if stop > done or sides:
                yield events[done:stop], sides
            done = stop
        if done < len(events):  # time steps back at its end
            yield events[done:], {}
    for _, rest in rows.until(None):
        if rest:
            yield Events.empty(), rest


def in_order(recording: ShardRecording, selection: Selection) -> InOrder:
    """The side streams of a recording in a shard, those of them that have times."""
    streams = {stream: recording.side_tables(stream) for stream in recording.side_streams}
    return InOrder(streams, recording.image_bytes, selection.absolute(recording.t_first))
