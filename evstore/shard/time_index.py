"""Which chunks of a recording a question touches: binary search, right where time steps back."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate
from operator import le

from evstore.errors import CorruptError
from evstore.shard.chunks import ChunkInfo
from evstore.shard.index import FIRST_EVENT, T_MAX, T_MIN, RecordingInfo
from evstore.shard.shard import Shard


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
        self._sorted: dict[int, tuple[list[ChunkInfo], list[int], list[int], list[int]]] = {}

    def _page(self, number: int) -> tuple[list[ChunkInfo], list[int], list[int], list[int]]:
        found = self._sorted.get(number)
        if found is not None:
            return found
        with self._lock:
            chunks = self._shard.page_chunks(self._info, number)
            greatest, least = list(map(T_MAX, chunks)), list(map(T_MIN, chunks))
            if not _ascending(greatest) or not _ascending(least):
                greatest = list(accumulate(greatest, max))
                least = list(accumulate(reversed(least), min))[::-1]
            firsts = list(map(FIRST_EVENT, chunks))
            while len(self._sorted) > 8:
                del self._sorted[next(iter(self._sorted))]
            found = self._sorted[number] = (chunks, greatest, least, firsts)
            return found

    def all(self) -> Iterator[ChunkInfo]:
        """Every chunk, in order."""
        for number in self._numbers:
            yield from self._page(number)[0]

    def by_event(self, start: int, stop: int) -> list[ChunkInfo]:
        """Chunks that hold any of the events ``start <= i < stop`` (of the whole recording)."""
        found = []
        for number in self._numbers:
            if len(self._numbers) > 1:
                page = self._shard.pages[number]
                if page.first_event >= stop or page.first_event + page.n_events <= start:
                    continue
            chunks, _, _, firsts = self._page(number)
            low = max(0, bisect_right(firsts, start) - 1)
            found += chunks[low : bisect_left(firsts, stop)]
        return self._in_file_order([c for c in found if c.first_event + c.count > start])

    def by_time(self, start: int, stop: int) -> list[ChunkInfo]:
        """Chunks that may hold an event with ``start <= t < stop``, in file order."""
        found = []
        for number in self._numbers:
            if len(self._numbers) > 1:
                page = self._shard.pages[number]
                if page.t_min >= stop or page.t_max < start:
                    continue
            chunks, greatest, least, _ = self._page(number)
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
        first = self._page(self._numbers[0])[0][0]
        last = self._page(self._numbers[-1])[0][-1]
        if len(self._numbers) == 1:
            _, greatest, least, _ = self._page(self._numbers[0])
            low, high = least[0], greatest[-1]
        else:
            pages = [self._shard.pages[number] for number in self._numbers]
            low, high = min(p.t_min for p in pages), max(p.t_max for p in pages)
        return first.t_first, last.t_last, low, high


def _ascending(values: list[int]) -> bool:
    """As nearly always: a fifth of the time that running maxima take."""
    return all(map(le, values, values[1:]))
