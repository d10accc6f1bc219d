"""Which chunks of a recording a question touches: binary search, right where time steps back."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import le
from typing import Any

import numpy as np

from evstore.errors import CorruptError
from evstore.shard.chunks import ChunkInfo
from evstore.shard.index import FIRST_EVENT, T_MAX, T_MIN, RecordingInfo
from evstore.shard.index_arrays import PageRows
from evstore.shard.shard import Shard

PAGES_KEPT = 8


class TimeIndex:
    """The chunks of one recording, found by event number or by time.

    Beside each chunk stand the greatest time up to it and the least time from it on: both
    never decrease, so that a binary search stays right where time steps back.
    """

    def __init__(self, shard: Shard, info: RecordingInfo) -> None:
        self._shard = shard
        self._info = info
        self._numbers = shard.page_numbers(info)
        self._lock = threading.Lock()
        self._chunks: dict[int, Sequence[ChunkInfo]] = {}
        self._sorted: dict[int, tuple[Any, Any]] = {}

    def _page(self, number: int) -> Sequence[ChunkInfo]:
        found = self._chunks.get(number)
        if found is not None:
            return found
        with self._lock:
            while len(self._chunks) > PAGES_KEPT:
                del self._chunks[next(iter(self._chunks))]
            chunks = self._chunks[number] = self._shard.page_chunks(self._info, number)
            return chunks

    def _times(self, number: int) -> tuple[Sequence[ChunkInfo], Any, Any]:
        """A page's chunks, and what stands beside each."""
        chunks = self._page(number)
        found = self._sorted.get(number)
        if found is None:
            greatest, least = _extremes(chunks)
            with self._lock:
                while len(self._sorted) > PAGES_KEPT:
                    del self._sorted[next(iter(self._sorted))]
                found = self._sorted[number] = greatest, least
        return chunks, *found

    def all(self) -> Iterator[ChunkInfo]:
        """Every chunk, in order."""
        for number in self._numbers:
            yield from self._page(number)

    def by_event(self, start: int, stop: int) -> list[ChunkInfo]:
        """Chunks that hold any of the events ``start <= i < stop`` (of the whole recording)."""
        found: list[ChunkInfo] = []
        for number in self._numbers:
            if len(self._numbers) > 1:
                page = self._shard.pages[number]
                if page.first_event >= stop or page.first_event + page.n_events <= start:
                    continue
            chunks = self._page(number)
            if isinstance(chunks, PageRows):
                firsts = chunks.column("first_event")
                low, high = bisect_right(firsts, start), bisect_left(firsts, stop)
            else:
                low = bisect_right(chunks, start, key=FIRST_EVENT)
                high = bisect_left(chunks, stop, key=FIRST_EVENT)
            found += chunks[max(0, low - 1) : high]
        return self._in_file_order([c for c in found if c.first_event + c.count > start])

    def by_time(self, start: int, stop: int) -> list[ChunkInfo]:
        """Chunks that may hold an event with ``start <= t < stop``, in file order."""
        found: list[ChunkInfo] = []
        for number in self._numbers:
            if len(self._numbers) > 1:
                page = self._shard.pages[number]
                if page.t_min >= stop or page.t_max < start:
                    continue
            chunks, greatest, least = self._times(number)
            found += chunks[bisect_left(greatest, start) : bisect_left(least, stop)]
        return self._in_file_order([c for c in found if c.t_max >= start and c.t_min < stop])

    def _in_file_order(self, chunks: list[ChunkInfo]) -> list[ChunkInfo]:
        """The chunks, none of which overlap: the file's size bounds how many events they hold."""
        end = 0
        for chunk in chunks:
            if chunk.offset < end:
                raise CorruptError(
                    "chunks of a recording overlap",
                    path=self._shard.source.name,
                    offset=chunk.offset,
                    expected=f"at least {end}",
                    got=chunk.offset,
                )
            end = chunk.offset + chunk.size
        return chunks

    def span(self) -> tuple[int, int, int, int] | None:
        """(first time, last time, least, greatest), or None where there are no events."""
        if not self._numbers:
            return None
        first = self._page(self._numbers[0])[0]
        last = self._page(self._numbers[-1])[-1]
        if len(self._numbers) == 1:
            _, greatest, least = self._times(self._numbers[0])
            low, high = int(least[0]), int(greatest[-1])
        else:
            pages = [self._shard.pages[number] for number in self._numbers]
            low, high = min(p.t_min for p in pages), max(p.t_max for p in pages)
        return first.t_first, last.t_last, low, high


def _extremes(chunks: Sequence[ChunkInfo]) -> tuple[Any, Any]:
    """The greatest time up to each chunk, and the least from it on."""
    if isinstance(chunks, PageRows):
        # As columns: a window wants a few chunks, and all as tuples would take most of its time.
        greatest = np.maximum.accumulate(chunks.column("t_max"))
        return greatest, np.minimum.accumulate(chunks.column("t_min")[::-1])[::-1]
    highs, lows = list(map(T_MAX, chunks)), list(map(T_MIN, chunks))
    if not _ascending(highs) or not _ascending(lows):
        highs = list(accumulate(highs, max))
        lows = list(accumulate(reversed(lows), min))[::-1]
    return highs, lows


def _ascending(values: list[int]) -> bool:
    """As nearly always: a fifth of the time that running maxima take."""
    return all(map(le, values, values[1:]))
