"""Decode a shard, against reading the same events as packed records of 13 bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import evstore
from bench.bars import Bar, Settings, over_recordings
from bench.recordings import recordings
from bench.timing import Spread, times_faster
from evstore import Events, memory
from evstore.events import PACKED_DTYPE


def read_fresh(shard: Path) -> dict[str, np.ndarray]:
    with evstore.open(shard) as rec:
        return rec.read(0, len(rec))


def read_new(shard: Path) -> dict[str, np.ndarray]:
    """Into memory that is new from the system, not used by an earlier read."""
    memory.forget()
    return read_fresh(shard)


def fresh_faster(
    read: Callable[[Path], dict[str, np.ndarray]], shard: Path, packed: Path, rounds: int
) -> Spread:
    return times_faster(rounds, lambda: read(shard), lambda: np.fromfile(packed, PACKED_DTYPE))


def reused_faster(shard: Path, packed: Path, rounds: int) -> Spread:
    """Through buffers of one chunk, against readinto of as many records."""
    with evstore.open(shard) as rec:
        longest = max(len(events) for events in rec.batches())
    buffers = Events.empty(length=longest)
    records = memoryview(bytearray(longest * PACKED_DTYPE.itemsize))

    def ours() -> None:
        with evstore.open(shard) as rec:
            for _ in rec.batches(buffers=buffers):  # type: ignore[call-arg]
                pass

    def theirs() -> None:
        with open(packed, "rb", buffering=0) as file:
            while file.readinto(records):
                pass

    return times_faster(rounds, ours, theirs)


def whole_faster(shard: Path, packed: Path, events: int, rounds: int) -> Spread:
    """Into arrays of the whole recording, made before, against readinto of it all."""
    buffers = Events.empty(length=events)
    out = {name: getattr(buffers, name) for name in "txyp"}
    records = memoryview(bytearray(events * PACKED_DTYPE.itemsize))

    def ours() -> None:
        with evstore.open(shard) as rec:
            rec.read(0, events, out=out)

    def theirs() -> None:
        with open(packed, "rb", buffering=0) as file:
            file.readinto(records)

    return times_faster(rounds, ours, theirs)


def measure(settings: Settings) -> list[Bar]:
    fresh, new, reused, whole = {}, {}, {}, {}
    for recording in recordings(settings):
        shard, packed, count = recording.shard(), recording.packed(), len(recording.events)
        name = recording.name
        recording.forget()
        fresh[name] = fresh_faster(read_fresh, shard, packed, settings.rounds)
        new[name] = fresh_faster(read_new, shard, packed, settings.rounds)
        reused[name] = reused_faster(shard, packed, settings.rounds)
        whole[name] = whole_faster(shard, packed, count, settings.rounds)
    return [
        Bar(
            "decode into fresh arrays, against `np.fromfile` of packed records",
            *("x", "more", 1.2, 1.5, over_recordings(fresh), fresh),
            note="median over the recordings; memory that an earlier read has let go of",
        ),
        Bar(
            "decode into fresh arrays, all memory new from the system, against the same",
            *("x", "more", 1.2, 1.5, over_recordings(new), new),
            note="median over the recordings; as for the first read of a process",
        ),
        Bar(
            "decode through reused buffers, against `readinto` of as many packed records",
            *("x", "more", 1.3, 2.0, over_recordings(reused), reused),
            note="median over the recordings; buffers of one chunk",
        ),
        Bar(
            "decode into given arrays of the whole recording, against one `readinto`",
            *("x", "more", None, None, over_recordings(whole), whole),
            note="for comparison",
        ),
    ]
