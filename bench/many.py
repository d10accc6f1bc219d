"""What a shard of many short recordings spends on each, beside events, ids, labels and roots."""

from __future__ import annotations

from pathlib import Path

import evstore
from bench.bars import Bar, Settings
from bench.timing import exact
from evstore import Events
from evstore.shard.chunks import parse_chunk
from evstore.shard.index import RECORDING_COLUMNS
from evstore.shard.layout import (
    BEGIN,
    CHUNK,
    DIRECTORY,
    END,
    FOOTER_SIZE,
    HEADER_SIZE,
    Begin,
    Cursor,
    End,
    Record,
    json_bytes,
    parse_record,
)
from evstore.shard.table import pack_table, unpack_table

RECORDINGS = 1_000
EVENTS = 4_000
RESOLUTION = (34, 34)


def write(path: Path) -> None:
    """Short simulated recordings, each with an id and a label, as N-MNIST has them."""
    source = iter(evstore.simulate(RESOLUTION, 400_000_000, events_per_s=13_000, seed=3))
    rest = next(source)
    with evstore.create(path, preset="fast", overwrite=True, flush_s=None) as out:
        for number in range(RECORDINGS):
            while len(rest) < EVENTS:
                rest = Events.concatenate([rest, next(source)])
            events, rest = rest[:EVENTS], rest[EVENTS:]
            events = Events(events.t - events.t[0], events.x, events.y, events.p)
            name = f"train/{number % 10}/{number:05d}"
            with out.recording(name, resolution=RESOLUTION, label=number % 10) as one:
                one.write(events)


def text_bytes(record: Record, file_size: int) -> int:
    """Bytes of a record that are a root, an id, or metadata (the label)."""
    if record.kind == BEGIN:
        begin = Begin.parse(record)
        return len(begin.id.encode()) + len(json_bytes(begin.metadata))
    if record.kind == END:
        end = End.parse(record)
        return len(end.root) + len(json_bytes(end.metadata))
    if record.kind == DIRECTORY:
        cursor = Cursor(record.body)
        rows, _ = cursor.varint("recordings"), cursor.varint("pages")
        cursor.bytes(cursor.varint("page table"), "page table")
        packed = record.body[cursor.at :]
        table, _ = unpack_table(packed, rows, RECORDING_COLUMNS, file_size, 0)
        return len(packed) - len(pack_table(table))
    return 0


def account(path: Path) -> dict[str, float]:
    """Bytes a recording: of payload, of texts, and of structure, which is all that is left."""
    data = path.read_bytes()
    at, payload, texts = HEADER_SIZE, 0, 0
    while at < len(data) - FOOTER_SIZE:
        record = parse_record(data, at)
        if record.kind == CHUNK:
            payload += len(parse_chunk(record)[1])
        texts += text_bytes(record, len(data))
        at += record.size
    structure = len(data) - payload - texts
    return {
        "events": payload / RECORDINGS,
        "ids, labels and roots": texts / RECORDINGS,
        "structure": structure / RECORDINGS,
    }


def measure(settings: Settings) -> list[Bar]:
    path = settings.folder / "many.evs"
    write(path)
    parts = account(path)
    with evstore.open(path, recording="train/7/00997") as rec:
        assert len(rec) == EVENTS
    return [
        Bar(
            "structure of a recording, of 1,000 of 4,000 events in a shard",
            *("B", "less", 64, None, exact(parts["structure"])),
            parts={name: exact(value) for name, value in parts.items()},
            note="ids, labels and roots are kept twice, and counted apart",
        )
    ]
