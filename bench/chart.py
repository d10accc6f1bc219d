"""Size against speed: every recording kept by evstore and by what peers are installed.

Recordings are as they were made, not tiled: packers that look for repeats would find the tiles.
Each is read so many times over that the arrays, all kept, are as large as those of a long one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from bench.bars import Settings
from bench.recordings import LONG_FILES, Recording, recordings
from bench.timing import times_faster
from evstore import Events
from evstore.bench import arrays, own, peers
from evstore.bench.contender import Contender

#: The reference: its size is 104 bits, its speed 1.
RECORDS = arrays.Records
CONTENDERS: tuple[type[Contender], ...] = (
    own.Shard,
    arrays.Columns,
    arrays.Archive,
    arrays.ZstdColumns,
    peers.ExpelliarmusEvt2,
    peers.ExpelliarmusDat,
    peers.Evt3Package,
    peers.Pcodec,
    peers.Hdf5,
)
EVENTS = 8_000_000  # read in a round


def again(read: Callable[[], Any], events: int) -> Callable[[], list[Any]]:
    """Read again and again, into arrays that are fresh each time."""
    return lambda: [read() for _ in range(-(-EVENTS // events))]


def point(contender: type[Contender], events: Events, rounds: int) -> dict[str, float]:
    """Bits an event, and how many times as fast as packed records it is read into fresh arrays."""
    with (
        tempfile.TemporaryDirectory(prefix="evstore-bench-") as folder,
        tempfile.TemporaryDirectory(prefix="evstore-bench-") as other,
    ):
        one, records = contender(folder), RECORDS(other)
        one.write(events)
        records.write(events)
        one.open()
        records.open()
        try:
            if one.events_of(one.read()) != events:
                raise ValueError("gives back other events")
            faster = times_faster(
                rounds, again(one.read, len(events)), again(records.read, len(events))
            )
            return {"bits": one.size() * 8 / len(events), "speed": faster.median}
        finally:
            one.close()
            records.close()


def points_of(recording: Recording, rounds: int) -> dict[str, Any]:
    """A point of each contender that is installed and can hold the recording, else why not."""
    events = recording.once
    found: dict[str, Any] = {}
    for contender in CONTENDERS:
        if not contender.installed():
            continue
        try:
            found[contender.name] = point(contender, events, rounds)
        except (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError) as error:
            found[contender.name] = {"why": f"{type(error).__name__}: {error}"}
    return found


def measure(settings: Settings) -> dict[str, Any]:
    """{recording: {contender: {bits, speed}}}"""
    chart = {}
    for recording in recordings(settings, files=LONG_FILES):
        chart[recording.name] = points_of(recording, max(3, settings.rounds // 2))
    return chart
