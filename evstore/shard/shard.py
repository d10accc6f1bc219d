"""An open shard: its directory, and the pages of its index as they are needed.

Nothing here imports numpy or numba.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence

from evstore.errors import ArgumentError, CorruptError, FormatError, TruncatedError
from evstore.shard.chunks import ChunkInfo
from evstore.shard.index import (
    SHARED,
    PageInfo,
    RecordingInfo,
    parse_directory,
    read_page,
)
from evstore.shard.layout import (
    FOOTER_SIZE,
    HEADER_SIZE,
    Record,
    check_header,
    parse_footer,
    parse_record,
)
from evstore.shard.pages import KeptPages
from evstore.shard.scan import count_safe_events, scan
from evstore.shard.source import FileSource, Source

TAIL = 64 * 1024
FEW = 64  # chunks of a recording: of these, tuples are faster than rows of numbers
LARGEST_PAGE = 1 << 20  # twice the size of 4096 entries that do not compress at all


class Shard:
    """Recordings of one .evs file. Opening reads the last 64 KiB, and more only of a directory
    that does not fit in them.

    Raises TruncatedError (with the number of safe events) for a file without a footer,
    CorruptError where a checksum does not fit, UnsupportedError for a newer major version.
    ``pages``: where pages of its index are kept, perhaps those of other shards as well.
    """

    def __init__(
        self, source: Source | str | os.PathLike[str], pages: KeptPages | None = None
    ) -> None:
        self._kept = KeptPages() if pages is None else pages
        self._token = object()  # stands for this shard there, and keeps nothing else alive
        self.source: Source = (
            FileSource(source) if isinstance(source, (str, os.PathLike)) else source
        )
        try:
            self._open()
        except FormatError as error:
            self.source.close()
            raise error.at(self.source.name) from None
        except BaseException:
            self.source.close()
            raise

    def _open(self) -> None:
        self.size = size = self.source.size()
        start = max(0, size - TAIL)
        tail = self.source.read(start, size - start)
        if start == 0:
            check_header(tail)
        if size < HEADER_SIZE + FOOTER_SIZE:
            raise TruncatedError("ends before its footer", safe_events=0, offset=size)
        try:
            at, length = parse_footer(tail[-FOOTER_SIZE:], size)
        except TruncatedError as error:
            check_header(self.source.read(0, HEADER_SIZE))
            error.safe_events = count_safe_events(self.source)
            raise
        if at < start:
            tail = self.source.read(at, size - at)
            start = at
        self._tail, self._tail_start = memoryview(tail), start
        directory = parse_record(tail, at - start, start)
        if directory.size != length:
            raise CorruptError("footer and directory disagree", offset=at, field="length")
        self.recordings, self.pages = parse_directory(directory, size, self.source.name)
        self._by_id = {info.id: info for info in self.recordings}
        self._own: dict[int, list[int]] = {}
        for number, page in enumerate(self.pages):
            if page.recording != SHARED:
                self._own.setdefault(page.recording, []).append(number)
        if start == 0:
            self._check_small(tail)

    def _check_small(self, data: bytes) -> None:
        """Check every record of a file that was read whole anyway."""
        end = HEADER_SIZE
        for record in scan(self.source, data=data[: self.size - FOOTER_SIZE]):
            end = record.offset + record.size
        if end != self.size - FOOTER_SIZE:
            raise CorruptError("bytes that belong to no record", offset=end)

    def find(self, id: str | None) -> RecordingInfo:
        """The recording of that id; without an id, the only one."""
        if id is None:
            if len(self.recordings) == 1:
                return self.recordings[0]
            names = ", ".join(repr(info.id) for info in self.recordings[:10])
            more = ", ..." if len(self.recordings) > 10 else ""
            raise ArgumentError(
                f"{self.source.name}: holds {len(self.recordings)} recordings; name one, as in "
                f"{self.source.name}#ID (--recording ID): {names}{more}"
            )
        if id not in self._by_id:
            import difflib

            near = difflib.get_close_matches(id, self._by_id, 3)
            hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
            raise ArgumentError(f"{self.source.name}: has no recording {id!r}{hint}")
        return self._by_id[id]

    def page(self, number: int) -> Sequence[ChunkInfo]:
        """The chunks of a page; the last few pages are kept."""
        return self._kept.page(self._token, number, lambda: self._load(self.pages[number]))

    def _load(self, page: PageInfo) -> Sequence[ChunkInfo]:
        at, size = page.offset, page.size
        if not HEADER_SIZE <= at < at + size <= self.size or size > LARGEST_PAGE:
            raise CorruptError("page cannot lie there", path=self.source.name, offset=at)
        if at >= self._tail_start:
            data = self._tail[at - self._tail_start : at - self._tail_start + size]
        else:
            data = memoryview(self.source.read(at, size))
        try:
            return _page_reader()(parse_record(data, 0, at), page, self.size)
        except FormatError as error:
            raise error.at(self.source.name) from None

    def page_numbers(self, info: RecordingInfo) -> list[int]:
        """The pages that hold a recording's chunks, in order."""
        if info.number in self._own:
            return self._own[info.number]
        return [info.page] if info.n_chunks else []

    def page_chunks(self, info: RecordingInfo, number: int) -> Sequence[ChunkInfo]:
        """A recording's chunks in one of its pages."""
        if not 0 <= number < len(self.pages):
            raise CorruptError("directory names a page that is not", path=self.source.name)
        page = self.page(number)
        if self.pages[number].recording != SHARED:
            return page
        chunks = page[info.entry : info.entry + info.n_chunks]
        if info.n_chunks <= FEW:
            chunks = list(chunks)
        if len(chunks) != info.n_chunks or not _all_of(chunks, info.number):
            raise CorruptError(
                "index and directory disagree",
                path=self.source.name,
                field="recording",
                got=info.id,
            )
        return chunks

    def chunks(self, info: RecordingInfo) -> Iterator[ChunkInfo]:
        """All chunks of a recording, in order."""
        for number in self.page_numbers(info):
            yield from self.page_chunks(info, number)

    def close(self) -> None:
        """Let go of the file."""
        self.source.close()

    def __enter__(self) -> Shard:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _all_of(chunks: Sequence[ChunkInfo], number: int) -> bool:
    """Whether all chunks are of the recording."""
    column = getattr(chunks, "column", None)  # where numpy holds them
    if column is not None:
        return bool((column("recording") == number).all())
    return all(chunk.recording == number for chunk in chunks)


def _page_reader() -> Callable[[Record, PageInfo, int], Sequence[ChunkInfo]]:
    """The fast one where numpy is loaded anyway: alone it takes longer to load than many pages."""
    if sys.modules.get("numpy") is None:
        return read_page
    from evstore.shard.index_arrays import read_page as fast

    return fast
