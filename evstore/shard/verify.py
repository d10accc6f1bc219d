"""Prove a shard: every checksum, every chunk decoded, the index as it should be, every root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from evstore.codec.chunk import decode_chunk, measure
from evstore.errors import CorruptError, FormatError
from evstore.shard.chunks import ChunkInfo, parse_chunk
from evstore.shard.index import RecordingInfo
from evstore.shard.layout import (
    BEGIN,
    CHUNK,
    END,
    FOOTER_SIZE,
    HEADER_SIZE,
    PAGE,
    SIDE,
    Begin,
    End,
    Record,
    check_header,
)
from evstore.shard.leaves import LeafBuffer
from evstore.shard.root import SideHash, recording_root, source_header
from evstore.shard.scan import scan
from evstore.shard.shard import Shard
from evstore.shard.side import parse_side
from evstore.shard.time_index import TimeIndex


@dataclass(frozen=True)
class Verified:
    """What was found right."""

    recordings: int
    events: int
    chunks: int
    bytes: int


def verify_shard(path: str | os.PathLike[str]) -> Verified:
    """Read all of a shard and check it against its checksums, its index and its roots.

    Raises FormatError for the first thing that is wrong.
    """
    with Shard(path) as shard:
        try:
            return _verify(shard)
        except FormatError as error:
            raise error.at(shard.source.name) from None


def _verify(shard: Shard) -> Verified:
    check_header(shard.source.read(0, HEADER_SIZE))
    checks = {info.number: _RecordingCheck(shard, info) for info in shard.recordings}
    if len(checks) != len(shard.recordings):
        raise CorruptError("two recordings have one number", field="recording")
    pages = set()
    end, chunks = HEADER_SIZE, 0
    for record in scan(shard.source):
        end = record.offset + record.size
        if record.kind == PAGE:
            pages.add(record.offset)
        elif record.kind in (BEGIN, CHUNK, SIDE, END):
            chunks += record.kind == CHUNK
            _take(checks, record)
    if end != shard.size - FOOTER_SIZE:
        raise CorruptError("bytes that belong to no record", offset=end)
    if pages != {page.offset for page in shard.pages}:
        raise CorruptError("pages of the index are not those of the file", field="pages")
    for check in checks.values():
        check.finish()
    events = sum(info.n_events for info in shard.recordings)
    return Verified(len(checks), events, chunks, shard.size)


def _take(checks: dict[int, _RecordingCheck], record: Record) -> None:
    if record.kind == BEGIN:
        begin = Begin.parse(record)
        _of(checks, begin.recording, record).begin(begin, record)
    elif record.kind == CHUNK:
        info, payload = parse_chunk(record)
        _of(checks, info.recording, record).chunk(info, payload)
    elif record.kind == SIDE:
        number, *_ = side = parse_side(record)
        _of(checks, number, record).side(side, record)
    else:
        end = End.parse(record)
        _of(checks, end.recording, record).end(end, record)


def _of(checks: dict[int, _RecordingCheck], number: int, record: Record) -> _RecordingCheck:
    if number not in checks:
        raise CorruptError(
            "record of a recording that the directory does not have",
            offset=record.offset,
            field="recording",
            got=number,
        )
    return checks[number]


class _RecordingCheck:
    """One recording, checked record by record as the file is read."""

    def __init__(self, shard: Shard, info: RecordingInfo) -> None:
        self.info = info
        self.sides: dict[str, SideHash] = {}
        self._places: dict[str, list[list[int]]] = {}
        self._index: Iterator[ChunkInfo] = TimeIndex(shard, info).all()
        self._leaves: LeafBuffer | None = None
        self._event = info.first_event
        self._begin: Begin | None = None
        self._ended = False

    def begin(self, begin: Begin, record: Record) -> None:
        info = self.info
        said = (begin.id, begin.part, begin.first_event)
        if self._begin is not None or said != (info.id, info.part, info.first_event):
            raise CorruptError("BEGIN and directory disagree", offset=record.offset, got=begin.id)
        self._begin = begin
        self._leaves = LeafBuffer()

    def chunk(self, found: ChunkInfo, payload: memoryview) -> None:
        indexed = next(self._index, None)
        if indexed != found or found.first_event != self._event or self._leaves is None:
            raise CorruptError(
                "index and chunk disagree", offset=found.offset, expected=indexed, got=found
            )
        words = np.frombuffer(payload, "<u2", len(payload) // 2)
        try:
            events = decode_chunk(words, found.count, found.codec)
        except FormatError as error:
            error.offset = found.offset
            raise
        measures = measure(events)
        claimed = (found.ordered, *found[4:14])
        if measures != claimed:
            raise CorruptError(
                "chunk holds other events than it says",
                offset=found.offset,
                expected=claimed,
                got=tuple(measures),
            )
        self._event += found.count
        while len(events):
            count = min(self._leaves.room, len(events))
            self._leaves.add(events[:count])
            events = events[count:]
            if not self._leaves.room:
                self._leaves.hash()

    def side(self, found: tuple[int, str, int, dict[str, Any]], record: Record) -> None:
        _, stream, first, columns = found
        side = self.sides.setdefault(stream, SideHash())
        if first != side.rows:
            raise CorruptError("rows of a side stream are missing", offset=record.offset)
        side.update(columns)
        self._places.setdefault(stream, []).append([record.offset, record.size, side.rows - first])

    def end(self, end: End, record: Record) -> None:
        if self._begin is None or self._ended:
            raise CorruptError("END without BEGIN", offset=record.offset)
        self._ended = True
        info = self.info
        metadata = {**self._begin.metadata, **end.metadata}
        said = (end.n_events, end.root, end.resolution or self._begin.resolution, metadata)
        if said != (info.n_events, info.root, info.resolution, info.metadata):
            raise CorruptError("BEGIN, END and directory disagree", offset=record.offset)

    def finish(self) -> None:
        info = self.info
        if not self._ended or self._leaves is None or next(self._index, None) is not None:
            raise CorruptError("recording is not whole", field="recording", got=info.id)
        if self._places != info.side:
            raise CorruptError("index and side streams disagree", field="recording", got=info.id)
        counted = self._event - info.first_event
        header = source_header(info.metadata)
        sides = {name: side.digest() for name, side in sorted(self.sides.items())}
        leaves = self._leaves.hashes()
        root = recording_root(counted, leaves, sides, info.metadata.get("label"), header)
        if counted != info.n_events or root != info.root:
            raise CorruptError(
                f"recording {info.id!r} does not fit its root",
                field="root",
                expected=info.root.hex(),
                got=root.hex(),
            )
