"""Events out of a shard: whole chunks, or only the blocks that a window touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.codec.chunk import (
    BLOCK_EVENTS,
    block_times,
    blocks_of,
    decode_blocks,
    has_blocks,
    is_plain,
)
from evstore.codec.packed_decode_kernels import PIECE
from evstore.errors import ArgumentError, CorruptError, FormatError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events, empty_column
from evstore.shard.chunks import ChunkInfo
from evstore.shard.groups import together
from evstore.shard.index import CODEC, T_MAX, T_MIN, RecordingInfo
from evstore.shard.layout import parse_record
from evstore.shard.page_kernels import touch_pages
from evstore.shard.payloads import checked_words
from evstore.shard.shard import Shard
from evstore.shard.side import MAX_SIDE_BYTES, parse_side
from evstore.shard.thread_memory import ThreadMemory
from evstore.shard.time_index import TimeIndex

READ_EVENTS = 262_144  # in one go, where nothing is handed out in between ...
BATCH_EVENTS = 65_536  # ... and where it is
LARGE = 8 << 20  # bytes of columns that are not kept in the cache while they are written
MIN_T, MAX_T = -(1 << 63), (1 << 63) - 1


class RecordingReader:
    """The events and side streams of one recording of a shard. Threads may share it.

    ``memory`` is what it reads and decodes with; readers of many short recordings share one.
    """

    def __init__(
        self, shard: Shard, info: RecordingInfo, memory: ThreadMemory | None = None
    ) -> None:
        self.shard = shard
        self.info = info
        self.index = TimeIndex(shard, info)
        self.memory = ThreadMemory() if memory is None else memory

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
        if threads < 1:
            raise ArgumentError(f"threads must be at least 1, got {threads}")
        first = self.info.first_event
        chunks = self.covering(start + first, stop + first)
        arrays = _outputs(columns, stop - start, out)
        groups = list(together(chunks, READ_EVENTS))
        large = sum(array.nbytes for array in arrays.values()) >= LARGE
        threads = min(threads, len(groups))

        def decode(share: list[list[ChunkInfo]]) -> None:
            if large and out is None:
                low = max(0, share[0][0].first_event - first - start)
                high = share[-1][-1].first_event + share[-1][-1].count - first - start
                for array in arrays.values():
                    touch_pages(array[low:high].view(np.uint8))
            for group in share:
                self._decode_events(group, start + first, stop + first, arrays, large)

        if threads <= 1:
            if groups:
                decode(groups)
            return arrays
        # A share a thread: handing out every group would cost as much as decoding it.
        cuts = [len(groups) * k // threads for k in range(threads + 1)]
        mine, *rest = [groups[a:b] for a, b in pairwise(cuts)]
        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(decode, share) for share in rest]
            decode(mine)
            for other in others:
                other.result()
        return arrays

    def covering(self, start: int, stop: int) -> list[ChunkInfo]:
        """The chunks that hold just these events, one after the other without a gap."""
        chunks = self.index.by_event(start, stop)
        at = start
        for k, chunk in enumerate(chunks):
            begins = chunk.first_event <= at if k == 0 else chunk.first_event == at
            if not begins or at >= chunk.first_event + chunk.count:
                break
            at = chunk.first_event + chunk.count
        if at < stop:
            raise CorruptError(
                "index does not cover the recording's events",
                path=self.shard.source.name,
                expected=stop - start,
                got=at - start,
            )
        return chunks

    def between(
        self,
        start: int,
        stop: int,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
    ) -> Events:
        """Events with ``start <= t < stop``, inside ``roi`` and of ``polarity``, in file order."""
        chunks = self.touched(start, stop, roi, polarity)
        arrays = _outputs(COLUMNS, sum(c.count for c in chunks), None)
        kept: list[Any] = []
        at = 0
        for group in together(chunks, BATCH_EVENTS):
            at = self._decode_window(group, start, stop, arrays, at, kept)
        return _filter(self._gather(arrays, kept), chunks, roi, polarity)

    def select(
        self,
        start: int,
        stop: int,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
    ) -> Iterator[Events]:
        """What `between` gives, a chunk at a time: in bounded memory."""
        for chunk in self.touched(start, stop, roi, polarity):
            arrays = _outputs(COLUMNS, chunk.count, None)
            kept: list[Any] = []
            self._decode_window([chunk], start, stop, arrays, 0, kept)
            yield _filter(self._gather(arrays, kept), [chunk], roi, polarity)

    def touched(
        self,
        start: int,
        stop: int,
        roi: tuple[int, int, int, int] | None = None,
        polarity: int | None = None,
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

    def batches(
        self, buffers: Events | None = None, chunks: Iterable[ChunkInfo] | None = None
    ) -> Iterator[tuple[list[ChunkInfo], Events]]:
        """All events, or these chunks', a few whole chunks at a time; ``buffers`` are overwritten.

        A batch holds at most BATCH_EVENTS events, or as many as the buffers, which must hold
        the longest chunk (ArgumentError).
        """
        most = BATCH_EVENTS if buffers is None else len(buffers)
        for group in together(self.index.all() if chunks is None else chunks, most):
            words, pieces = self.load(group)
            n = sum(chunk.count for chunk in group)
            if buffers is None:
                out = Events.empty(self.info.resolution, n)
            elif n > most:
                raise ArgumentError(f"buffers must hold a chunk of {n} events, got {most}")
            else:
                out = buffers if n == most else buffers[:n]
            self._decode(words, pieces, group, {"t": out.t, "x": out.x, "y": out.y, "p": out.p})
            yield group, out

    def extents(self, chunks: Iterable[ChunkInfo] | None = None) -> list[tuple[int, int]]:
        """Least and greatest time of each of the `batches`, from the index alone."""
        groups = together(self.index.all() if chunks is None else chunks, BATCH_EVENTS)
        return [(min(map(T_MIN, group)), max(map(T_MAX, group))) for group in groups]

    def side(
        self, stream: str, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]] | None:
        """The columns of a side stream; None where the recording has none of that name.

        Of rows ``start <= i < stop`` only the records that hold them are read.
        """
        parts, first = [], 0
        for place in self.info.side.get(stream, ()):
            rows = place[2]
            if first < (first + rows if stop is None else stop) and start < first + rows:
                low, high = max(0, start - first), rows if stop is None else stop - first
                columns = self._side_record(stream, *place)
                parts.append({name: column[low:high] for name, column in columns.items()})
            first += rows
        return _one_table(parts) if parts else None

    def side_tables(self, stream: str) -> Iterator[dict[str, NDArray[Any]]]:
        """The rows of a side stream, a few megabytes at a time."""
        parts: list[dict[str, NDArray[Any]]] = []
        n_bytes = 0
        for place in self.info.side.get(stream, ()):
            parts.append(self._side_record(stream, *place))
            n_bytes += sum(column.nbytes for column in parts[-1].values())
            if n_bytes >= MAX_SIDE_BYTES // 2:
                yield _one_table(parts)
                parts, n_bytes = [], 0
        if parts:
            yield _one_table(parts)

    def _side_record(self, stream: str, at: int, size: int, rows: int) -> dict[str, NDArray[Any]]:
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
        return columns

    def load(
        self, group: list[ChunkInfo], to: int = 0
    ) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
        """Chunks that lie together: their words, and a row of PIECE numbers for each of them.

        The rows ask for all of each chunk, from ``to`` on, one after the other.
        """
        base = group[0].offset
        size = group[-1].offset + group[-1].size - base
        buffer = self.memory.buffer(size)
        self.shard.source.read_into(base, buffer[:size])
        rows: list[int] = []
        for chunk in group:
            count = chunk.count
            rows += (chunk.offset - base, chunk.size, count, 0, blocks_of(count), to)
            to += count
        pieces = np.array(rows, np.int64)
        words, bad = checked_words(buffer, size, pieces)
        if bad >= 0:
            raise self._damaged(group[bad])
        return words, pieces.reshape(-1, PIECE)

    def _damaged(self, chunk: ChunkInfo) -> CorruptError:
        return CorruptError(
            "checksum of a chunk does not fit",
            path=self.shard.source.name,
            offset=chunk.offset,
            field="check",
            hint="`evstore recover` saves what is whole",
        )

    def _decode(
        self,
        words: NDArray[np.uint16],
        pieces: NDArray[np.int64],
        group: list[ChunkInfo],
        arrays: dict[str, NDArray[Any]],
        past: bool = False,
    ) -> None:
        """Decode what the rows of ``pieces`` say (see decode_blocks)."""
        codec = group[0].codec
        if len(set(map(CODEC, group))) > 1:
            for i, chunk in enumerate(group):
                self._decode(words, pieces[i : i + 1], [chunk], arrays, past)
            return
        try:
            t, x, y, p = map(arrays.get, COLUMNS)
            decode_blocks(words, pieces.ravel(), codec, t, x, y, p, past, self.memory.rooms)
        except FormatError as error:
            error.offset = group[error.offset or 0].offset
            raise error.at(self.shard.source.name) from None

    def _decode_events(
        self,
        group: list[ChunkInfo],
        start: int,
        stop: int,
        arrays: dict[str, NDArray[Any]],
        past: bool,
    ) -> None:
        """Events ``start <= i < stop`` of a group into ``arrays[i - start]``.

        A chunk that is not wanted whole is decoded beside and copied.
        """
        words, pieces = self.load(group, group[0].first_event - start)
        whole = slice(0, len(group))
        if group[0].first_event < start:
            self._decode_part(words, pieces[0], group[0], start, stop, arrays)
            whole = slice(1, whole.stop)
        last = group[-1]
        if whole.start < whole.stop and last.first_event + last.count > stop:
            self._decode_part(words, pieces[-1], last, start, stop, arrays)
            whole = slice(whole.start, whole.stop - 1)
        if whole.start < whole.stop:
            self._decode(words, pieces[whole], group[whole], arrays, past)

    def _decode_part(
        self,
        words: NDArray[np.uint16],
        piece: NDArray[np.int64],
        chunk: ChunkInfo,
        start: int,
        stop: int,
        arrays: dict[str, NDArray[Any]],
    ) -> None:
        """The events of one chunk that are wanted, where others are not."""
        low, high = max(0, start - chunk.first_event), min(chunk.count, stop - chunk.first_event)
        first, last = low // BLOCK_EVENTS, blocks_of(high)
        if not has_blocks(chunk.codec):
            first, last = 0, blocks_of(chunk.count)
        length = min(last * BLOCK_EVENTS, chunk.count) - first * BLOCK_EVENTS
        parts = _outputs(list(arrays), length, None)
        piece[3:] = first, last, 0
        self._decode(words, piece[None], [chunk], parts)
        skip, to = low - first * BLOCK_EVENTS, chunk.first_event + low - start
        for name, part in parts.items():
            arrays[name][to : to + high - low] = part[skip : skip + high - low]

    def _decode_window(
        self,
        group: list[ChunkInfo],
        start: int,
        stop: int,
        arrays: dict[str, NDArray[Any]],
        at: int,
        kept: list[Any],
    ) -> int:
        """Decode the blocks that [start, stop) touches to ``arrays[at:]``; returns where they end.

        ``kept`` gets a slice, or the places where time steps back, of what lies within.
        """
        words, pieces = self.load(group)
        rows, ends = pieces.tolist(), []
        for chunk, row in zip(group, rows, strict=True):
            first, last = 0, row[4]
            within = start <= chunk.t_min and chunk.t_max < stop
            if chunk.ordered and not within and has_blocks(chunk.codec):
                times = block_times(words[row[0] : row[1]], chunk.count)
                if start > chunk.t_min:
                    first = max(0, _place(times, start) - 1)
                if stop <= chunk.t_max:
                    last = max(first + 1, _place(times, stop))
            row[3:] = first, last, at
            at += min(last * BLOCK_EVENTS, chunk.count) - first * BLOCK_EVENTS
            ends.append(at)
        self._decode(words, np.array(rows), group, arrays)
        for chunk, row, end in zip(group, rows, ends, strict=True):
            begin = row[-1]
            t = arrays["t"][begin:end]
            if start <= chunk.t_min and chunk.t_max < stop:
                kept.append(slice(begin, end))
            elif chunk.ordered:
                low = begin + _place(t, start) if start > chunk.t_min else begin
                high = begin + _place(t, stop) if stop <= chunk.t_max else end
                kept.append(slice(low, high))
            else:
                inside = (t >= max(start, MIN_T)) & (t <= min(stop - 1, MAX_T))
                kept.append(np.flatnonzero(inside) + begin)
        return at

    def _gather(self, arrays: dict[str, NDArray[Any]], kept: list[Any]) -> Events:
        """What was kept, as views where it lies in one piece."""
        pieces = all(isinstance(which, slice) for which in kept)
        if pieces and all(a.stop == b.start for a, b in pairwise(kept)):
            which = slice(kept[0].start, max(kept[0].start, kept[-1].stop)) if kept else slice(0, 0)
            t, x, y, p = (arrays[name][which] for name in COLUMNS)
        else:
            t, x, y, p = (
                np.concatenate([arrays[name][which] for which in kept]) for name in COLUMNS
            )
        return Events.of(t, x, y, p, self.info.resolution)


def _place(times: NDArray[np.int64], t: int) -> int:
    """How many of the ascending ``times`` are below ``t``, which need not be an int64."""
    if t <= MIN_T:
        return 0
    return len(times) if t > MAX_T else int(times.searchsorted(np.int64(t)))


def _outputs(
    columns: Sequence[str], count: int, out: dict[str, NDArray[Any]] | None
) -> dict[str, NDArray[Any]]:
    for name in columns:
        if name not in COLUMN_DTYPES:
            raise ArgumentError(f"columns are t, x, y and p, got {name!r}")
    if out is None:
        return {name: empty_column(name, count) for name in columns}
    for name, array in out.items():
        good = name in COLUMN_DTYPES and is_plain(array, name) and array.size >= count
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


def _one_table(parts: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
