"""Frames straight from a shard's chunks: no array of a recording's or a window's events is made.

Chunks of the codec `packed` are decoded and counted block by block by one kernel. It is compiled
for each dtype of frames, which of the codec `modelled` would take long: its chunks are decoded
first, a few at a time.
"""

from __future__ import annotations

import threading
from itertools import groupby

import numpy as np

from evstore.codec.chunk import undecodable
from evstore.codec.presets import PACKED
from evstore.frames.faults import wrong_events
from evstore.frames.filler import Filler
from evstore.shard.chunks import ChunkInfo
from evstore.shard.groups import together
from evstore.shard.index import CODEC, COUNT
from evstore.shard.reader import BATCH_EVENTS, READ_EVENTS, RecordingReader


def add_between(filler: Filler, reader: RecordingReader, start: int, stop: int) -> None:
    """Add the events of a recording with ``start <= t < stop`` to frames by time.

    The Filler is one that takes no others: its ``within``. Raises what `Filler.add` does, and
    FormatError for a damaged shard.
    """
    _add(filler, reader, reader.touched(start, stop, filler.spec.crop), 0)


def add_numbers(
    filler: Filler, reader: RecordingReader, start: int, stop: int, zero: int = 0
) -> None:
    """Add the events ``start <= i < stop`` of a recording, counted as `RecordingReader.read` does.

    ``zero`` is the whole recording's event that is the Filler's first; of frames by number the
    Filler has none of other events. Raises as `add_between` does.
    """
    first = reader.info.first_event
    _add(filler, reader, reader.covering(start + first, stop + first), zero)


def _add(filler: Filler, reader: RecordingReader, chunks: list[ChunkInfo], zero: int) -> None:
    for codec, some in groupby(chunks, CODEC):
        add = _add_packed if codec == PACKED else _add_decoded
        add(filler, reader, list(some), zero)


def _add_packed(
    filler: Filler, reader: RecordingReader, chunks: list[ChunkInfo], zero: int
) -> None:
    by_time = filler.spec.by_time
    for group in together(chunks, READ_EVENTS):
        words, pieces = reader.load(group)
        about: list[int] = []
        for chunk in group:
            about += (0 if by_time else chunk.first_event - zero, chunk.ordered, chunk.t_max)
        why = filler.add_packed(words, pieces.ravel(), np.array(about, np.int64), _memory.scratch)
        if why:
            raise _wrong(filler, reader, group[why // 256], why)


def _wrong(filler: Filler, reader: RecordingReader, chunk: ChunkInfo, why: int) -> Exception:
    """What a chunk's events that the kernel refused are refused for."""
    from evstore.frames.straight_kernels import OUTSIDE

    if why % 256 != OUTSIDE:
        error = undecodable(why)
        error.offset = chunk.offset
        return error.at(reader.shard.source.name)
    ((_, events),) = reader.batches(chunks=[chunk])
    return wrong_events(events.x, events.y, events.p, filler.resolution)


def _add_decoded(
    filler: Filler, reader: RecordingReader, chunks: list[ChunkInfo], zero: int
) -> None:
    buffers = reader.memory.events(max(BATCH_EVENTS, *map(COUNT, chunks)))
    for group, events in reader.batches(buffers, chunks):
        filler.add_decoded(events.t, events.x, events.y, events.p, group[0].first_event - zero)


class _Memory(threading.local):
    """What each thread decodes a block to."""

    def __init__(self) -> None:
        from evstore.codec.bitpack_kernels import BLOCK
        from evstore.frames.straight_kernels import LANES, Scratch

        self.scratch = Scratch(
            np.empty(LANES, np.uint16), np.empty(BLOCK, np.int64), np.zeros(2 * BLOCK, np.uint8)
        )


_memory = _Memory()
