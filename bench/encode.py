"""Encode, against pcodec at level 8 on the same columns."""

from __future__ import annotations

import numpy as np

from bench.bars import Bar, Settings, over_recordings
from bench.recordings import recordings
from bench.timing import times_faster
from evstore import Events
from evstore.codec.presets import PACKED
from evstore.shard.encoding import encode, room
from evstore.shard.root import LEAF_EVENTS
from evstore.shard.writer import CHUNK_EVENTS

LEVEL = 8


def pcodec_columns(events: Events) -> list[bytes]:
    """t by its first difference; p as uint16, since pcodec takes no 8-bit numbers unless asked."""
    from pcodec import ChunkConfig, DeltaSpec
    from pcodec.standalone import simple_compress

    plain = ChunkConfig(compression_level=LEVEL)
    delta = ChunkConfig(compression_level=LEVEL, delta_spec=DeltaSpec.try_consecutive(1))
    columns = [events.x, events.y, events.p.astype(np.uint16)]
    return [simple_compress(events.t, delta), *(simple_compress(c, plain) for c in columns)]


def chunks(events: Events) -> int:
    """Every chunk encoded, measured for the index and checksummed, as a shard has them."""
    size, using = 0, room(CHUNK_EVENTS)
    for at in range(0, len(events), LEAF_EVENTS):
        piece = events[at : at + LEAF_EVENTS]
        records = encode(piece, CHUNK_EVENTS, 0, PACKED, at, using, hashed=False).records
        size += sum(map(len, records))
    return size


def measure(settings: Settings) -> list[Bar]:
    parts = {}
    for recording in recordings(settings):
        events = recording.events
        parts[recording.name] = times_faster(
            max(3, settings.rounds // 2),
            lambda events=events: chunks(events),
            lambda events=events: pcodec_columns(events),
        )
        del events
    return [
        Bar(
            "encode in memory, against pcodec at level 8",
            *("x", "more", 3, 6, over_recordings(parts), parts),
            note="median over the recordings; statistics and checksum of each chunk included",
        )
    ]
