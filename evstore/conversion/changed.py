"""Events on their way, changed by a transform of `evstore.noise`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from evstore.conversion.job import Options
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.formats.sides import Sides
from evstore.recording.base import Recording
from evstore.recording.in_shard import ShardRecording

SLACK_US = 100_000  # that times may step back in a recording that is changed


def sample_name(recording: Recording, folder: str | None) -> str:
    """What names a recording wherever it lies: its id, else its file's name, in ``folder``."""
    if recording.id:
        return recording.id
    if folder is not None:
        place = os.path.relpath(recording.path, folder)
        if not place.startswith(os.pardir):
            return place.replace(os.sep, "/")
    return os.path.basename(recording.path)


def changed(
    batches: Iterable[tuple[Events, Sides]], recording: Recording, options: Options
) -> Iterator[tuple[Events, Sides]]:
    """The batches, with their side streams, as ``options.transform`` makes them."""
    transform = options.transform
    if transform is None:
        yield from batches
        return
    resolution = recording.resolution or options.resolution
    start, stop = options.noise_span or (None, None)
    if resolution is None and _is_empty(recording) and start is None:
        yield from batches  # nothing to change, and no times in which noise could come
        return
    if resolution is None:
        how = "" if isinstance(recording, ShardRecording) else ": --resolution"
        raise ArgumentError(f"{recording.path}: has no events that tell its sensor{how}")
    name = sample_name(recording, options.folder)
    stream = transform.stream(resolution, sample=name, start=start, slack_us=SLACK_US)
    for events, sides in batches:
        yield Events.empty(resolution), sides
        for piece in stream.pieces(events):
            yield piece, {}
    for piece in stream.last_pieces(stop):
        yield piece, {}


def _is_empty(recording: Recording) -> bool:
    return isinstance(recording, ShardRecording) and not len(recording)
