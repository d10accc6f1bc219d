"""Tiny files of many formats, byte by byte, and trees of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import evstore
from evstore.datasets.packing.item import Found, Item

Event = tuple[int, int, int, int]  # t, x, y, p

EVENTS: list[Event] = [(1000 * k, (7 * k) % 30, (5 * k) % 30, k % 2) for k in range(1, 21)]


def put(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def bin40(events: Iterable[Event] = EVENTS) -> bytes:
    rows = [(x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255) for t, x, y, p in events]
    return b"".join(map(bytes, rows))


def dat(events: Iterable[Event] = EVENTS, header: str = "% Version 2\n", kind: int = 0) -> bytes:
    rows = [struct.pack("<II", t, p << 28 | y << 14 | x) for t, x, y, p in events]
    return header.encode() + bytes((kind, 8)) + b"".join(rows)


def aedat2(events: Iterable[Event] = EVENTS) -> bytes:
    rows = [struct.pack(">II", y << 8 | x << 1 | (1 - p), t) for t, x, y, p in events]
    return b"#!AER-DAT2.0\r\n# no word of a chip\r\n" + b"".join(rows)


def aedat3(events: Iterable[Event] = EVENTS) -> bytes:
    rows = [struct.pack("<Ii", x << 17 | y << 2 | p << 1 | 1, t) for t, x, y, p in events]
    head = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
    return head + struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, *[len(rows)] * 3) + b"".join(rows)


def converted(path: Path, resolution: tuple[int, int]) -> Path:
    """The events in the format that the path's suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shard = path.with_name(path.name + ".evs")
    evstore.save(shard, made(resolution))
    evstore.convert(shard, path)
    shard.unlink()
    return path


def made(resolution: tuple[int, int] | None = None) -> evstore.Events:
    t, x, y, p = (np.array(column) for column in zip(*EVENTS, strict=True))
    return evstore.Events(t, x, y, p, resolution)


def opens(item: Item, resolution: tuple[int, int] | None) -> None:
    """The item's file is read as the layout says, and gives the events."""
    with evstore.open(item.source, **item.reading) as rec:
        assert rec[:] == made(rec.resolution)
        assert rec.geometry_inferred == (resolution is None)
        assert resolution is None or rec.resolution == resolution


def by_id(found: Found) -> dict[str, Item]:
    assert len({item.id for item in found.items}) == len(found.items)
    return {item.id: item for item in found.items}


def orphans(found: Found, root: Path) -> dict[str, str]:
    """What is wrong with each, by the path from the root."""
    return {Path(path).relative_to(root).as_posix(): why for path, why in found.orphans}
