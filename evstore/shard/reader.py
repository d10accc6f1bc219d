"""Events out of a shard: whole chunks, or only the blocks that a window touches."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.chunk import BLOCK_EVENTS, block_times, blocks_of, decode_blocks
from evstore.errors import ArgumentError, CorruptError, FormatError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from evstore.shard.chunks import ChunkInfo, payload_place
from evstore.shard.index import RecordingInfo
from evstore.shard.layout import parse_record
from evstore.shard.shard import Shard
from evstore.shard.side import parse_side
from evstore.shard.time_index import TimeIndex

READ_AT_ONCE = 256 * 1024  # chunks that lie together are read together, up to this
GAP = 32 * 1024  # bytes of other records worth reading over
MIN_T, MAX_T = -(1 << 63), (1 << 63) - 1


class Piece(NamedTuple):
    """Events ``low <= i < high`` of a chunk, and where they go in the output."""

    chunk: ChunkInfo
    low: int
    high: int
    to: int


class RecordingReader:
    """The events and side streams of one recording of a shard. Threads may share it."""

    def __init__(self, shard: Shard, info: RecordingInfo) -> None:
        self.shard = shard
        self.info = info
        self.index = TimeIndex(shard, info)
        self._local = threading.local()

    def read(
        self,
        start: int,
        stop: int,
        columns: Sequence[str] = COLUMNS,
        out: dict[str, NDArray[Any]] | None = None,
        threads: int = 1,
    ) -> dict[str, NDArray[Any]]:
        """Events ``start <= i < stop``, counted from the recording's first event here.

        ``out`` maps columns to contiguous arrays of the right dtype and at least that length;
        the returned arrays are their beginnings. ``threads`` decode chunks side by side.
        """
        if not 0 <= start <= stop <= self.info.n_events:
            raise ArgumentError(f"events must lie in 0..{self.info.n_events}, got {start}..{stop}")
        pieces = self._pieces(start, stop)
        arrays = _outputs(columns, stop - start, out)
        groups = _together(pieces)
        if threads > 1 and len(groups) > 1:
            with ThreadPoolExecutor(min(threads, len(groups))) as pool:
                for _ in pool.map(lambda group: self._decode_group(group, arrays), groups):
                    pass
        else:
            for group in groups:
                self._decode_group(group, arrays)
        return arrays

    def _pieces(self, start: int, stop: int) -> list[Piece]:
        """The parts of chunks that hold just these events, one after the other."""
        pieces = []
        first, at = self.info.first_event, 0
        for chunk in self.index.by_event(start + first, stop + first):
            low = max(0, start + first - chunk.first_event)
            high = min(chunk.count, stop + first - chunk.first_event)
            if high <= low or chunk.first_event + low - start - first != at:
                break
            pieces.append(Piece(chunk, low, high, at))
            at += high - low
        if at != stop - start:  # the kernels write where the pieces say
            raise CorruptError(
                "index does not cover the recording's events",
                path=self.shard.source.name,
                expected=stop - start,
                got=at,
            )
        return pieces

    def between(
        self,
        start: int,
        stop: int,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
    ) -> Events:
        """Events with ``start <= t < stop``, inside ``roi`` and of ``polarity``, in file order."""
        chunks = self._touched(start, stop, roi, polarity)
        arrays = _outputs(COLUMNS, sum(c.count for c in chunks), None)
        at = 0
        for group in _together([Piece(c, 0, c.count, 0) for c in chunks]):
            buffer, base = self._load(group)
            for piece in group:
                at += self._decode_window(buffer, base, piece.chunk, start, stop, arrays, at)
        found = Events.of(*(arrays[name][:at] for name in COLUMNS), self.info.resolution)
        return _filter(found, chunks, roi, polarity)

    def select(
        self,
        start: int,
        stop: int,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
    ) -> Iterator[Events]:
        """What `between` gives, a chunk at a time: in bounded memory."""
        for chunk in self._touched(start, stop, roi, polarity):
            arrays = _outputs(COLUMNS, chunk.count, None)
            buffer, base = self._load([Piece(chunk, 0, chunk.count, 0)])
            n = self._decode_window(buffer, base, chunk, start, stop, arrays, 0)
            found = Events.of(*(arrays[name][:n] for name in COLUMNS), self.info.resolution)
            yield _filter(found, [chunk], roi, polarity)

    def _touched(
        self,
        start: int,
        stop: int,
        roi: tuple[int, int, int, int] | None,
        polarity: int | None,
    ) -> list[ChunkInfo]:
        """Chunks that may hold such events: only these are read."""
        if polarity not in (None, 0, 1):
            raise ArgumentError(f"polarity must be 0, 1 or None, got {polarity!r}")
        chunks = self.index.by_time(start, stop) if start < stop else []
        if roi is not None:
            a, b, c, d = roi
            chunks = [k for k in chunks if k.x0 < c and a < k.x1 and k.y0 < d and b < k.y1]
        if polarity == 1:
            chunks = [k for k in chunks if k.n_on]
        elif polarity == 0:
            chunks = [k for k in chunks if k.n_on < k.count]
        return chunks

    def chunks(self, buffers: Events | None = None) -> Iterator[tuple[ChunkInfo, Events]]:
        """Every chunk with its events; with ``buffers`` each overwrites the one before."""
        for group in _together([Piece(c, 0, c.count, 0) for c in self.index.all()]):
            data, base = self._load(group)
            for piece in group:
                n = piece.chunk.count
                if buffers is None or len(buffers) < n:
                    out = Events.empty(self.info.resolution, n)
                else:
                    out = buffers[:n]
                self._decode(data, base, piece.chunk, 0, blocks_of(n), out.t, out.x, out.y, out.p)
                yield piece.chunk, out

    def side(self, stream: str) -> dict[str, NDArray[Any]] | None:
        """The columns of a side stream; None where the recording has none of that name."""
        parts = []
        for at, size, rows in self.info.side.get(stream, ()):
            try:
                record = parse_record(self.shard.source.read(at, size), 0, at)
                number, name, _, columns = parse_side(record)
            except FormatError as error:
                raise error.at(self.shard.source.name) from None
            if (number, name) != (self.info.number, stream) or any(
                len(c) != rows for c in columns.values()
            ):
                raise CorruptError(
                    "index and side stream disagree", path=self.shard.source.name, offset=at
                )
            parts.append(columns)
        if not parts:
            return None
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _buffer(self, size: int) -> memoryview:
        """This thread's buffer, at least that long."""
        buffer: memoryview | None = getattr(self._local, "buffer", None)
        if buffer is None or len(buffer) < size:
            buffer = memoryview(bytearray(max(size, READ_AT_ONCE)))
            self._local.buffer = buffer
        return buffer

    def _load(self, group: list[Piece]) -> tuple[memoryview, int]:
        """The bytes of chunks that lie together, and the file offset where they start."""
        base = group[0].chunk.offset
        size = group[-1].chunk.offset + group[-1].chunk.size - base
        buffer = self._buffer(size)[:size]
        self.shard.source.read_into(base, buffer)
        return buffer, base

    def _decode_group(self, group: list[Piece], arrays: dict[str, NDArray[Any]]) -> None:
        buffer, base = self._load(group)
        for piece in group:
            n = piece.high - piece.low
            views = [arrays[c][piece.to : piece.to + n] if c in arrays else None for c in COLUMNS]
            blocks = blocks_of(piece.chunk.count)
            if n == piece.chunk.count:
                self._decode(buffer, base, piece.chunk, 0, blocks, *views)
                continue
            first, last = piece.low // BLOCK_EVENTS, blocks_of(piece.high)
            length = min(last * BLOCK_EVENTS, piece.chunk.count) - first * BLOCK_EVENTS
            parts = _outputs(list(arrays), length, None)
            self._decode(buffer, base, piece.chunk, first, last, *(parts.get(c) for c in COLUMNS))
            skip = piece.low - first * BLOCK_EVENTS
            for name, part in parts.items():
                arrays[name][piece.to : piece.to + n] = part[skip : skip + n]

    def _words(self, buffer: memoryview, base: int, chunk: ChunkInfo) -> NDArray[np.uint16]:
        try:
            start, stop = payload_place(buffer, chunk.offset - base, chunk.size)
        except (CorruptError, IndexError):
            raise CorruptError(
                "checksum of a chunk does not fit",
                path=self.shard.source.name,
                offset=chunk.offset,
                field="check",
                hint="`evstore recover` saves what is whole",
            ) from None
        return np.frombuffer(buffer, "<u2", (stop - start) // 2, start)

    def _decode(
        self,
        buffer: memoryview,
        base: int,
        chunk: ChunkInfo,
        first: int,
        last: int,
        t: NDArray[np.int64] | None,
        x: NDArray[np.uint16] | None,
        y: NDArray[np.uint16] | None,
        p: NDArray[np.uint8] | None,
    ) -> None:
        words = self._words(buffer, base, chunk)
        try:
            decode_blocks(words, chunk.count, chunk.codec, first, last, t, x, y, p)
        except FormatError as error:
            error.offset = chunk.offset
            raise error.at(self.shard.source.name) from None

    def _decode_window(
        self,
        buffer: memoryview,
        base: int,
        chunk: ChunkInfo,
        start: int,
        stop: int,
        arrays: dict[str, NDArray[Any]],
        at: int,
    ) -> int:
        """Decode a chunk's events of [start, stop) to ``arrays[at:]``; returns how many."""
        first, last = 0, blocks_of(chunk.count)
        whole = start <= chunk.t_min and chunk.t_max < stop
        if chunk.ordered and not whole:
            times = block_times(self._words(buffer, base, chunk), chunk.count)
            first = max(0, _place(times, start) - 1)
            last = max(first + 1, _place(times, stop))
        n = min(last * BLOCK_EVENTS, chunk.count) - first * BLOCK_EVENTS
        t, x, y, p = (arrays[name][at : at + n] for name in COLUMNS)
        self._decode(buffer, base, chunk, first, last, t, x, y, p)
        if whole:
            return n
        if chunk.ordered:
            low, high = _place(t, start), _place(t, stop)
            keep: Any = slice(low, high)
            found = max(0, high - low)
            if low == 0:
                return found
        else:
            keep = (t >= max(start, MIN_T)) & (t <= min(stop - 1, MAX_T))
            found = int(np.count_nonzero(keep))
        for column in (t, x, y, p):
            column[:found] = column[keep].copy()
        return found


def _place(times: NDArray[np.int64], t: int) -> int:
    """How many of the ascending ``times`` are below ``t``, which need not be an int64."""
    if t <= MIN_T:
        return 0
    return len(times) if t > MAX_T else int(np.searchsorted(times, np.int64(t)))


def _outputs(
    columns: Sequence[str], count: int, out: dict[str, NDArray[Any]] | None
) -> dict[str, NDArray[Any]]:
    for name in columns:
        if name not in COLUMN_DTYPES:
            raise ArgumentError(f"columns are t, x, y and p, got {name!r}")
    if out is None:
        return {name: np.empty(count, COLUMN_DTYPES[name]) for name in columns}
    for name, array in out.items():
        good = (
            name in COLUMN_DTYPES
            and array.dtype == COLUMN_DTYPES[name]
            and array.ndim == 1
            and array.flags.c_contiguous
            and array.flags.writeable
            and array.size >= count
        )
        if not good:
            raise ArgumentError(
                f"out[{name!r}] must be a contiguous, writeable {COLUMN_DTYPES.get(name)} array "
                f"of {count} or more, got {array.dtype} of shape {array.shape}"
            )
    return {name: array[:count] for name, array in out.items()}


def _filter(
    found: Events,
    chunks: list[ChunkInfo],
    roi: tuple[int, int, int, int] | None,
    polarity: int | None,
) -> Events:
    """The events inside ``roi`` and of ``polarity``, where the chunks hold others too."""
    keep = None
    if roi is not None:
        x0, y0, x1, y1 = roi
        if any(k.x0 < x0 or k.x1 > x1 or k.y0 < y0 or k.y1 > y1 for k in chunks):
            x, y = found.x, found.y
            keep = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    if polarity is not None and any(0 < k.n_on < k.count for k in chunks):
        of_kind = found.p == polarity
        keep = of_kind if keep is None else keep & of_kind
    return found if keep is None else found[keep]


def _together(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces in groups whose chunks lie close enough to be read at once."""
    groups: list[list[Piece]] = []
    end = 0
    for piece in pieces:
        at, size = piece.chunk.offset, piece.chunk.size
        if (
            groups
            and 0 <= at - end <= GAP
            and at + size - groups[-1][0].chunk.offset <= READ_AT_ONCE
        ):
            groups[-1].append(piece)
        else:
            groups.append([piece])
        end = at + size
    return groups
