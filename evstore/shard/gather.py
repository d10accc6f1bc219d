"""The events of several short recordings, read and decoded at once.

Of a thousand events, a reader's own steps take longer than the kernels do: here they are taken
once for many recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.chunk import decode_blocks
from evstore.codec.packed_decode_kernels import PIECE
from evstore.errors import CorruptError
from evstore.events import Events
from evstore.shard.chunks import FIELDS
from evstore.shard.gather_kernels import READ, choose_chunks
from evstore.shard.index import SHARED, RecordingInfo
from evstore.shard.index_arrays import PageRows
from evstore.shard.payloads import checked_words
from evstore.shard.shard import Shard
from evstore.shard.thread_memory import ThreadMemory

#: Twice what 65,536 chunks of one event have: an index must not ask for more memory.
MOST_BYTES = 16 << 20


class Wanted(NamedTuple):
    """A recording; chunks without events in ``within[0] <= t < within[1]`` are left out."""

    shard: Shard
    info: RecordingInfo
    within: tuple[int, int] | None


class Gathered(NamedTuple):
    """Chunks that were read and checked, and where the events of each recording will begin.

    The last of the ``bounds`` says where they end.
    """

    words: NDArray[np.uint16]
    pieces: NDArray[np.int64]
    codecs: NDArray[np.int64]
    bounds: NDArray[np.int64]


def gather(wanted: Sequence[Wanted], memory: ThreadMemory) -> Gathered:
    """All chunks that are wanted, in the memory: overwritten by what the thread reads next.

    Raises FormatError and OSError, which say that it cannot be done, but not always where: for
    that, recordings are read one by one.
    """
    rows = _all_rows(wanted)
    within = np.array([one.within or (0, 0) for one in wanted], np.int64)
    pieces, codecs = np.empty(PIECE * len(rows), np.int64), np.empty(len(rows), np.int64)
    reads, bounds = np.empty(READ * len(rows), np.int64), np.empty(len(wanted) + 1, np.int64)
    found = np.empty(3, np.int64)
    if not choose_chunks(
        rows.ravel(), _about(wanted), within.ravel(), pieces, codecs, reads, bounds, found
    ):
        raise CorruptError("index and directory disagree")
    kept, n_reads, n_bytes = found.tolist()
    if n_bytes > MOST_BYTES:
        raise CorruptError("chunks are too large for their events", field="size", got=n_bytes)
    pieces, codecs = pieces[: PIECE * kept], codecs[:kept]
    words = _read(wanted, reads[: READ * n_reads], pieces, n_bytes, memory)
    return Gathered(words, pieces, codecs, bounds)


def decode(gathered: Gathered, memory: ThreadMemory) -> Events:
    """The events of all chunks; the columns are the memory's, and longer than the events are.

    Raises FormatError as `gather` does.
    """
    words, pieces, codecs, bounds = gathered
    events = memory.events(int(bounds[-1]))
    columns = events.t, events.x, events.y, events.p
    kinds = set(codecs.tolist())
    for codec in kinds:
        some = pieces
        if len(kinds) > 1:
            some = pieces.reshape(-1, PIECE)[codecs == codec].ravel()
        decode_blocks(words, some, codec, *columns, rooms=memory.rooms)
    return events


def _about(wanted: Sequence[Wanted]) -> NDArray[np.int64]:
    """What `choose_chunks` is told of each recording."""
    numbers: list[int] = []
    for _, info, within in wanted:
        numbers += (info.number, info.n_chunks, info.first_event, info.n_events, within is not None)
    return np.array(numbers, np.int64)


def _all_rows(wanted: Sequence[Wanted]) -> NDArray[np.int64]:
    """The chunks of all recordings, FIELDS numbers each."""
    pages: dict[tuple[int, int], NDArray[np.int64]] = {}  # asked for once: most share one
    parts = [np.empty((0, FIELDS), np.int64)]
    for shard, info, _ in wanted:
        numbers = shard.page_numbers(info)
        n_chunks = info.n_chunks
        _check_pages(shard, info, numbers)
        n_rows = 0
        for number in numbers:
            key = id(shard), number
            rows = pages.get(key)
            if rows is None:
                rows = pages[key] = _page_rows(shard, number)
            if shard.pages[number].recording == SHARED:
                rows = rows[info.entry : info.entry + n_chunks]
            n_rows += len(rows)
            parts.append(rows)
        if n_rows != n_chunks:
            raise CorruptError("index and directory disagree")
    return np.concatenate(parts)


def _check_pages(shard: Shard, info: RecordingInfo, numbers: Sequence[int]) -> None:
    """Raise CorruptError for pages that cannot be a recording's: before they are loaded.

    They may be many, and claim one place.
    """
    pages, there = shard.pages, 0
    for number in numbers:
        if not 0 <= number < len(pages):
            raise CorruptError("directory names a page that is not")
        there += pages[number].n_chunks
    if info.n_chunks > min(info.n_events, there) or (len(numbers) > 1 and there != info.n_chunks):
        raise CorruptError("index and directory disagree")


def _page_rows(shard: Shard, number: int) -> NDArray[np.int64]:
    chunks = shard.page(number)
    if isinstance(chunks, PageRows):
        return chunks.rows
    return np.array(chunks, np.int64).reshape(-1, FIELDS)


def _read(
    wanted: Sequence[Wanted],
    reads: NDArray[np.int64],
    pieces: NDArray[np.int64],
    n_bytes: int,
    memory: ThreadMemory,
) -> NDArray[np.uint16]:
    """The words of all chunks; ``pieces`` says then where in them the payloads lie."""
    if not n_bytes:
        return np.empty(0, "<u2")
    buffer = memory.buffer(n_bytes)
    for which, offset, at, size in reads.reshape(-1, READ).tolist():
        wanted[which].shard.source.read_into(offset, buffer[at : at + size])
    words, bad = checked_words(buffer, n_bytes, pieces)
    if bad >= 0:
        raise CorruptError("checksum of a chunk does not fit", field="check")
    return words
