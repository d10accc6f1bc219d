"""The selected events of a recording and its side streams, side by side, in bounded batches."""

from __future__ import annotations

from collections.abc import Iterator

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
    found = {stream: recording.side(stream) for stream in recording.side_streams}
    sides = {stream: table for stream, table in found.items() if table is not None}
    rows = InOrder(selected(sides, selection.absolute(recording.t_first)))
    for events in recording.batches(selection):
        yield events, rows.until(int(events.t[-1])) if len(events) else {}
    if rest := rows.until(None):
        yield Events.empty(), rest
