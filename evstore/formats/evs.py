"""evstore's own shards, as one format among the others: what `formats` lists, and one recording
of a shard as batches. Whoever wants more than a stream opens `evstore.shard`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from evstore.errors import UnsupportedError
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.shard.layout import MAGIC
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard

NAME = "evs"
TITLE = "evstore shard"
SUFFIXES = (".evs",)
INPUT_FORMATS = ("evs",)
WRITES = False  # not through `writer`: convert writes shards with ShardWriter
SEEKS = True
KEEPS = ("triggers", "imu", "images", "exposure", "label")
CHECKED = ()


def probe(head: bytes, size: int | None) -> bool:
    """By its magic."""
    return head.startswith(MAGIC)


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The only recording of a shard, as batches of a chunk each."""
    name = getattr(stream, "name", None)
    if not isinstance(name, str):
        raise UnsupportedError("a shard is read from a file, not from a pipe")
    with Shard(name) as shard:
        info = shard.find(None)
    return Reading(
        format=NAME,
        resolution=info.resolution,
        batches=_batches(name),
        metadata=info.metadata,
        dropped=dict(info.metadata.get("dropped", {})),
    )


def _batches(path: str) -> Iterator[Batch]:
    with Shard(path) as shard:
        for _, events in RecordingReader(shard, shard.find(None)).batches():
            yield Batch(events.t, events.x, events.y, events.p)
