"""Size against speed: every recording kept by evstore and by what peers are installed."""

from __future__ import annotations

import tempfile
from typing import Any

from bench.bars import Settings
from bench.recordings import Recording, recordings
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
EVENTS = 4_000_000


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
            faster = times_faster(rounds, one.read, records.read)
            return {"bits": one.size() * 8 / len(events), "speed": faster.median}
        finally:
            one.close()
            records.close()


def points_of(recording: Recording, rounds: int) -> dict[str, Any]:
    """A point of each contender that is installed and can hold the recording, else why not."""
    events = recording.events
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
    for recording in recordings(settings):
        short = recording.tiled_to(min(EVENTS, settings.events))
        chart[recording.name] = points_of(short, max(3, settings.rounds // 2))
        short.forget()
    return chart
