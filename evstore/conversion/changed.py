"""Events on their way, changed by a transform of `evstore.noise`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evstore.conversion.job import Options
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.formats.sides import Sides
from evstore.recording.base import Recording

SLACK_US = 100_000  # that times may step back in a recording that is changed


def changed(
    batches: Iterable[tuple[Events, Sides]], recording: Recording, options: Options
) -> Iterator[tuple[Events, Sides]]:
    """The batches, with their side streams, as ``options.transform`` makes them."""
    transform = options.transform
    if transform is None:
        yield from batches
        return
    resolution = recording.resolution or options.resolution
    if resolution is None:
        raise ArgumentError(f"{recording.path}: has no events that tell its sensor: --resolution")
    start = options.noise_span[0] if options.noise_span else None
    stream = transform.stream(resolution, sample=recording.id, start=start, slack_us=SLACK_US)
    for events, sides in batches:
        yield stream.push(events), sides
    yield stream.end(options.noise_span[1] if options.noise_span else None), {}
