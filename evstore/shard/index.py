"""The index of a shard: pages of chunks, and the directory of recordings and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from operator import add, and_, itemgetter, le, mul, sub
from typing import Any, NamedTuple

from evstore.codec.limits import MAX_EVENTS_IN_BYTE
from evstore.errors import CorruptError, FormatError
from evstore.shard.chunks import COLUMN, ChunkInfo
from evstore.shard.layout import (
    DIRECTORY,
    HEADER_SIZE,
    LONGEST_FRAME,
    MAX_EVENTS_IN_CHUNK,
    MAX_RECORD,
    PAGE,
    Cursor,
    Record,
    parse_json,
    parse_text,
)
from evstore.shard.table import sums, unpack_table, wrapped

PAGE_CHUNKS = 4096  # entries of a full page: about 50 KiB, 64 M events
PAGE_COLUMNS = 15
RECORDING_COLUMNS = 12
PAGE_TABLE_COLUMNS = 8
SHARED = -1  # the recording of a page that holds several short ones
SMALLEST_RECORD = 16
LARGEST_CHUNK = MAX_RECORD + LONGEST_FRAME  # bytes of its record
LARGEST_SIDE = 1 << 16  # width or height
#: metadata["resolution_from"] where no one stated it: greatest coordinate plus one.
INFERRED = "events"

#: A field of each of many chunks, for loops that are the interpreter's own.
CODEC, COUNT, T_MIN, T_MAX, FIRST_EVENT, OFFSET, SIZE = (
    itemgetter(COLUMN[name])
    for name in ("codec", "count", "t_min", "t_max", "first_event", "offset", "size")
)


class PageInfo(NamedTuple):
    """Where a page of the index lies and what its chunks hold."""

    offset: int
    size: int
    recording: int  # or SHARED
    n_chunks: int
    first_event: int
    n_events: int
    t_min: int
    t_max: int


class Unparsed(NamedTuple):
    """Metadata as they are in the file, where its directory begins, and the file's name."""

    raw: bytes
    offset: int
    path: str


@dataclass
class RecordingInfo:
    """What the directory says of a recording."""

    number: int
    id: str
    resolution: tuple[int, int] | None
    n_events: int
    n_chunks: int
    root: bytes
    part: int = 0
    first_event: int = 0
    page: int = 0  # of its first chunk, where that page is shared ...
    entry: int = 0  # ... and its place there
    said: dict[str, Any] | Unparsed = field(default_factory=dict, compare=False)
    side: dict[str, list[list[int]]] = field(default_factory=dict)  # stream: [offset, size, rows]

    @property
    def metadata(self) -> dict[str, Any]:
        """What is said of the recording; raises CorruptError where it is no JSON object.

        Parsed when it is first asked for: of a thousand recordings that takes ten times as long
        as all else that opening their shard does.
        """
        said = self.said  # once: another thread may parse it now
        if not isinstance(said, Unparsed):
            return said
        try:
            self.said = parsed = parse_json(said.raw, "metadata", said.offset)
        except FormatError as error:
            raise error.at(said.path) from None
        return parsed


def summary(chunks: Sequence[ChunkInfo]) -> tuple[int, int, int, int, int]:
    """What the directory says of a page's chunks: the fields of PageInfo from n_chunks on."""
    events = sum(map(COUNT, chunks))
    return (
        len(chunks),
        chunks[0].first_event,
        events,
        min(map(T_MIN, chunks)),
        max(map(T_MAX, chunks)),
    )


def page_table(record: Record) -> tuple[int, memoryview]:
    """How many chunks a PAGE record has, and their packed table."""
    if record.kind != PAGE:
        raise CorruptError(
            "no index page here", offset=record.offset, expected=PAGE, got=record.kind
        )
    c = Cursor(record.body, record.body_offset)
    rows = c.varint("chunks")
    if not 0 < rows <= PAGE_CHUNKS:
        raise CorruptError("chunks of a page", offset=record.offset, field="chunks", got=rows)
    return rows, record.body[c.at :]


def parse_page(record: Record) -> list[ChunkInfo]:
    """The chunks of a PAGE record; index_arrays has a faster way."""
    rows, table = page_table(record)
    columns, _ = unpack_table(table, rows, PAGE_COLUMNS, 0, record.offset)
    rec, codec, gap, count, t_first, span, back, ahead, x0, y0, w, h, on, skip, size = columns
    # A column at a time, so that the loops are the interpreter's own.
    first = accumulate(map(add, gap, [0, *count[:-1]]))
    place = accumulate(map(add, skip, [0, *size[:-1]]))
    times = sums(t_first)
    last = wrapped(list(map(add, times, span)))
    fields = (
        sums(rec),
        [number >> 1 for number in codec],
        [bool(number & 1) for number in codec],
        first,
        count,
        times,
        last,
        wrapped(list(map(sub, times, back))),
        wrapped(list(map(add, last, ahead))),
        x0,
        y0,
        map(add, x0, w),
        map(add, y0, h),
        on,
        place,
        size,
    )
    # What ChunkInfo(...) does, without a call of the interpreter's for each.
    return list(map(tuple.__new__, repeat(ChunkInfo), zip(*fields, strict=True)))


def read_page(record: Record, page: PageInfo, file_size: int) -> list[ChunkInfo]:
    """The chunks of a PAGE record, if they are as the directory says and can be in the file."""
    chunks = parse_page(record)
    counts, offsets, sizes = (list(map(f, chunks)) for f in (COUNT, OFFSET, SIZE))
    allowed = map(mul, sizes, repeat(MAX_EVENTS_IN_BYTE))
    can_be = (
        summary(chunks) == page[3:]
        and min(offsets) >= HEADER_SIZE
        and min(sizes) > 0
        and max(sizes) <= LARGEST_CHUNK
        and max(map(add, offsets, sizes)) <= file_size
        and not any(map(and_, offsets, repeat(1)))
        and min(counts) >= 1
        and max(counts) <= MAX_EVENTS_IN_CHUNK
        and all(map(le, counts, allowed))
    )
    if not can_be:
        raise CorruptError("chunks of a page cannot be", offset=page.offset)
    return chunks


def parse_directory(
    record: Record, file_size: int, path: str = ""
) -> tuple[list[RecordingInfo], list[PageInfo]]:
    """Recordings and pages of a DIRECTORY record of the file ``path``."""
    if record.kind != DIRECTORY:
        raise CorruptError(
            "no directory here", offset=record.offset, expected=DIRECTORY, got=record.kind
        )
    c = Cursor(record.body, record.body_offset)
    rows, n_pages = c.varint("recordings"), c.varint("pages")
    if max(rows, n_pages) > file_size // SMALLEST_RECORD:
        raise CorruptError(
            "more recordings or pages than the file can hold",
            offset=record.offset,
            field="recordings",
            expected=f"at most {file_size // SMALLEST_RECORD}",
            got=max(rows, n_pages),
        )
    packed_pages = c.bytes(c.varint("page table"), "page table")
    table_of_pages, _ = unpack_table(packed_pages, n_pages, PAGE_TABLE_COLUMNS, 0, record.offset)
    pages = [PageInfo(*row) for row in zip(*table_of_pages, strict=True)]
    # Ids, metadata and roots stand in BEGIN and END records too, so that the file is longer.
    table, texts = unpack_table(
        record.body[c.at :], rows, RECORDING_COLUMNS, file_size, record.offset
    )
    return _recordings(table, Cursor(texts, record.offset), record.offset, path), pages


def _recordings(
    table: list[list[int]], texts: Cursor, offset: int, path: str
) -> list[RecordingInfo]:
    number, id_size, width, height, events, chunks, part, first, page, entry, meta, side = table
    for sizes in (id_size, meta, side, events, chunks, part, first, width, height):
        if min(sizes, default=0) < 0:
            raise CorruptError("negative count in the directory", offset=offset)
    if max([*width, *height], default=0) > LARGEST_SIDE:
        raise CorruptError(
            "resolution cannot be", offset=offset, expected=f"at most {LARGEST_SIDE}"
        )
    roots = _texts(texts, [32] * len(number), "root")
    ids = [parse_text(raw, offset) for raw in _texts(texts, id_size, "id")]
    metas = [Unparsed(raw, offset, path) for raw in _texts(texts, meta, "metadata")]
    sides = [parse_json(raw, "side streams", offset) for raw in _texts(texts, side, "side streams")]
    for places in sides:
        _check_places(places, offset)
    numbers, page, entry = sums(number), sums(page), sums(entry)
    return [
        RecordingInfo(
            numbers[i], ids[i], (width[i], height[i]) if width[i] else None,
            events[i], chunks[i], roots[i], part[i], first[i], page[i], entry[i],
            metas[i], sides[i],
        )
        for i in range(len(numbers))
    ]  # fmt: skip


def _texts(texts: Cursor, sizes: list[int], field_name: str) -> list[bytes]:
    """The next texts, of these sizes."""
    raw = texts.bytes(sum(sizes), field_name)
    return [raw[stop - size : stop] for size, stop in zip(sizes, accumulate(sizes), strict=True)]


def _check_places(places: dict[str, Any], offset: int) -> None:
    """Raise unless every side stream has a list of [offset, size, rows]; their records say more."""
    for stream, parts in places.items():
        good = isinstance(parts, list) and all(
            isinstance(part, list)
            and len(part) == 3
            and all(type(number) is int and number >= 0 for number in part)
            and part[1] <= MAX_RECORD
            for part in parts
        )
        if not good:
            raise CorruptError("places of a side stream cannot be", offset=offset, field=stream)
