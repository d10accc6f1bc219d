"""Save what is whole of a damaged or cut shard: every complete chunk, each in its recording."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field

import numpy as np

from evstore.codec.chunk import decode_chunk
from evstore.codec.presets import DEFAULT_PRESET, PRESETS
from evstore.errors import CorruptError, FormatError, UnsupportedError
from evstore.shard.chunks import parse_chunk
from evstore.shard.layout import (
    BEGIN,
    CHUNK,
    DIRECTORY,
    END,
    HEADER_SIZE,
    SIDE,
    Begin,
    End,
    Record,
    check_header,
)
from evstore.shard.recording_writer import RecordingWriter
from evstore.shard.scan import scan
from evstore.shard.side import parse_side
from evstore.shard.source import FileSource
from evstore.shard.writer import ShardWriter, whole_shard

CHUNKS_LOOKED_AT = 100


@dataclass
class Recovery:
    """What was saved. ``lost_events`` counts those known to be missing; a file that was cut may
    have held more, which nobody can count: then ``complete`` is False all the same."""

    recordings: int = 0
    events: int = 0
    chunks: int = 0
    lost_events: int = 0
    unfinished: list[str] = field(default_factory=list)  # recordings whose end was not found
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every event that was ever written is there, and proved so."""
        return not (self.lost_events or self.unfinished or self.problems)


def recover_shard(
    path: str | os.PathLike[str], out: str | os.PathLike[str], overwrite: bool = False
) -> Recovery:
    """Write a new shard of all that is whole in ``path``; the old file is only read.

    Needs neither footer nor index. Raises FormatError where ``path`` is no shard at all.
    """
    source = FileSource(path)
    try:
        _check_is_shard(source)
        # Not `out.part`: that is what a killed writer of `out` left, and may be `path` itself.
        part = os.fspath(out) + ".recovered.part"
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)  # of a recovery that was killed
        preset = _preset_of(source)
        # Where it fails, the old file is as it was.
        with whole_shard(out, preset=preset, overwrite=overwrite, part=part) as shard:
            report = _rescue(source, shard)
        return report
    except FormatError as error:
        raise error.at(source.name) from None
    finally:
        source.close()


def _preset_of(source: FileSource) -> str:
    """The preset that a shard was written with, by its first chunks: the new one is as it was."""
    codecs = []
    for record in scan(source, on_damage=lambda _: None):
        if record.kind == CHUNK:
            with contextlib.suppress(FormatError):
                codecs.append(parse_chunk(record)[0].codec)
        if len(codecs) == CHUNKS_LOOKED_AT:
            break
    # `balanced` has chunks of codec 1 too, where they are smaller.
    return "fast" if set(codecs) == {PRESETS["fast"]} else DEFAULT_PRESET


def _rescue(source: FileSource, shard: ShardWriter) -> Recovery:
    saved = _Rescue()
    finished = False
    for record in scan(source, on_damage=lambda e: saved.report.problems.append(str(e))):
        finished |= record.kind == DIRECTORY
        try:
            saved.take(shard, record)
        except UnsupportedError:
            raise
        except FormatError as error:
            saved.report.problems.append(str(error.at(source.name)))
    saved.close(finished)
    return saved.report


def _check_is_shard(source: FileSource) -> None:
    """A damaged header does not matter where the records after it are right."""
    try:
        check_header(source.read(0, min(HEADER_SIZE, source.size())))
    except UnsupportedError:
        raise
    except FormatError:
        if next(scan(source), None) is None:
            raise


class _Rescue:
    """The recordings of the new shard, by their numbers in the old one."""

    def __init__(self) -> None:
        self.report = Recovery()
        self._open: dict[int, RecordingWriter] = {}
        self._ids: set[str] = set()
        self._ended: dict[int, End] = {}
        self._next: dict[int, int] = {}  # event that the old recording's next chunk should have

    def take(self, shard: ShardWriter, record: Record) -> None:
        """Copy one record's contents over."""
        if record.kind == BEGIN:
            self._begin(shard, Begin.parse(record))
        elif record.kind == CHUNK:
            info, payload = parse_chunk(record)
            words = np.frombuffer(payload, "<u2", len(payload) // 2)
            events = decode_chunk(words, info.count, info.codec)
            writer = self._writer(shard, info.recording)
            expected = self._next.get(info.recording, writer.first_event)
            self.report.lost_events += max(0, info.first_event - expected)
            self._next[info.recording] = info.first_event + info.count
            writer.write(events)
            writer.cut()
            self.report.events += info.count
            self.report.chunks += 1
        elif record.kind == SIDE:
            number, stream, _, columns = parse_side(record)
            self._writer(shard, number).append_rows(stream, columns)
        elif record.kind == END:
            self._end(shard, End.parse(record))

    def _begin(self, shard: ShardWriter, begin: Begin) -> None:
        if begin.recording in self._open:
            raise CorruptError("recording is opened twice", field="recording", got=begin.id)
        id = begin.id if begin.id not in self._ids else f"{begin.id}~{begin.recording}"
        self._ids.add(id)
        writer = shard.recording(
            id,
            resolution=begin.resolution,
            metadata=begin.metadata,
            part=begin.part,
            first_event=begin.first_event,
        )
        self._open[begin.recording] = writer
        self.report.recordings += 1

    def _writer(self, shard: ShardWriter, number: int) -> RecordingWriter:
        if number not in self._open:
            self.report.problems.append(f"the beginning of recording {number} is lost")
            self._begin(shard, Begin(number, f"recovered-{number}", None))
        return self._open[number]

    def _end(self, shard: ShardWriter, end: End) -> None:
        writer = self._writer(shard, end.recording)
        metadata = dict(end.metadata)
        if "label" in metadata:
            writer.label(metadata.pop("label"))
        if end.resolution is not None and writer.resolution is None:
            writer.resolution = end.resolution
        writer.metadata.update(metadata)
        missing = end.n_events - writer.n_events
        found = self._next.get(end.recording, writer.first_event) - writer.first_event
        self.report.lost_events += max(0, end.n_events - found)
        if missing:
            writer.metadata["recovered"] = {"events_lost": missing}
        writer.close()
        self._ended[end.recording] = end
        if writer.root != end.root and not missing:
            self.report.problems.append(f"recording {writer.id!r} does not fit its root")

    def close(self, finished: bool) -> None:
        """Close the recordings whose end was lost, and say so."""
        for number, writer in self._open.items():
            if number not in self._ended:
                self.report.unfinished.append(writer.id)
                writer.metadata["recovered"] = {"end": "lost"}
                writer.close()
        if not finished:
            self.report.problems.append("the file has no index: it was cut, or not finished")
