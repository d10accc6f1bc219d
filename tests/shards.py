"""Small shards for tests: written, read whole, and taken apart without evstore's own parser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

import naive
from evstore.errors import TruncatedError
from evstore.events import Events
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard
from evstore.shard.writer import ShardWriter
from streams import piece


@dataclass
class Whole:
    """Everything of one recording."""

    events: Events
    resolution: tuple[int, int] | None
    label: Any
    side: dict[str, dict[str, list[int]]] = field(default_factory=dict)


def read_whole(path: Path | str) -> dict[str, Whole]:
    """Open a shard and read all of it."""
    found = {}
    with Shard(path) as shard:
        for info in shard.recordings:
            reader = RecordingReader(shard, info)
            columns = reader.read(0, info.n_events)
            side = {}
            for name in info.side:
                rows = reader.side(name)
                assert rows is not None
                side[name] = {column: values.tolist() for column, values in rows.items()}
            label = info.metadata.get("label")
            found[info.id] = Whole(Events(**columns), info.resolution, label, side)
    return found


def read_events(path: Path | str, id: str | None = None) -> Events:
    with Shard(path) as shard:
        info = shard.find(id)
        return Events(**RecordingReader(shard, info).read(0, info.n_events))


def camera(
    n: int, seed: int = 1, kind: str = "dense", resolution: tuple[int, int] = (640, 480)
) -> Events:
    """Events as a small sensor gives them, from time 0 on."""
    events = piece(n, kind, "sensor", "runs", "any", seed)
    start = events.t[0] if n else 0
    return Events(events.t - start, events.x % resolution[0], events.y % resolution[1], events.p)


def small_shard(path: Path, preset: str = "fast") -> dict[str, Whole]:
    """Two recordings, interleaved, with triggers, labels and a step back: about 3 KiB."""
    first = camera(130, 1, resolution=(34, 34))
    second = camera(70, 2, "rare steps back", (34, 34))
    with ShardWriter(path, preset=preset, chunk_events=60, flush_s=None) as shard:
        a = shard.recording("first", resolution=(640, 480), label=3)
        b = shard.recording("second", label={"name": "walk"}, metadata={"sensor": "tiny"})
        a.write(first[:70])
        b.write(second)
        a.trigger([5, 900], [0, 7], [1, 0])
        a.write(first[70:])
        b.label([1, 2], [0, 50], [10, 60])
        b.close()
        a.close()
    return read_whole(path)


@dataclass
class Raw:
    """A record found by the reference's rules: nothing of evstore was asked."""

    kind: bytes
    offset: int
    body: bytes
    size: int
    body_at: int


def records(data: bytes) -> Iterator[Raw]:
    """Every record from byte 16 up to the DIRECTORY, each check computed again."""
    at = 16
    while True:
        kind = data[at : at + 1]
        length, body = naive.read_varint(data, at + 1)
        stop = body + length
        check = 4 if kind in (b"B", b"E") else 8
        wanted = xxhash.xxh3_64_intdigest(data[at:stop]).to_bytes(8, "little")[:check]
        assert data[stop : stop + check] == wanted, (kind, at)
        assert at % 2 == 0, (kind, at)
        yield Raw(kind, at, data[body:stop], stop + check - at, body)
        at = stop + check
        if kind == b"D":
            return


def payload_of(raw: Raw) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """The words of a CHUNK record: after its head, from the next even place of the record on."""
    start = 1 + raw.body[0]
    start += (raw.body_at - raw.offset + start) % 2
    return np.frombuffer(raw.body, "<u2", (len(raw.body) - start) // 2, start)


def refooted(data: bytes, directory: bytes, at: int) -> bytes:
    """``data`` up to ``at``, then another directory record and a footer that fits it."""
    from evstore.shard.layout import footer_bytes

    return data[:at] + directory + footer_bytes(at, len(directory))


FOREVER = 1 << 63
Everything = dict[str, Any]


class MemorySource:
    """A file that lies in memory, so that thousands of damaged copies cost no disk."""

    name = "memory.evs"

    def __init__(self, data: bytes) -> None:
        self.data = data

    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        if offset + length > len(self.data):
            raise TruncatedError("file is shorter than its index says", offset=offset)
        return self.data[offset : offset + length]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        pass


def everything(data: bytes) -> Everything:
    """All that a reader can give of a shard, by every way it reads."""
    found: Everything = {}
    with Shard(MemorySource(data)) as shard:
        for info in shard.recordings:
            reader = RecordingReader(shard, info)
            columns = reader.read(0, info.n_events)
            found[info.id] = {name: column.tolist() for name, column in columns.items()}
            for window in ((-FOREVER, FOREVER), (50, 400)):
                between = reader.between(*window, roi=(0, 0, 30, 400), polarity=1)
                found[f"{info.id} {window}"] = between.t.tolist()
            for stream in info.side:
                rows = reader.side(stream) or {}
                found[f"{info.id} {stream}"] = {k: v.tolist() for k, v in rows.items()}
    return found
