"""Write the index of a shard: what `index` reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.shard.chunks import COLUMN
from evstore.shard.index import PAGE_TABLE_COLUMNS, PageInfo, RecordingInfo
from evstore.shard.layout import DIRECTORY, PAGE, frame, json_bytes, put_varint
from evstore.shard.table import deltas, pack_table


def page_info(at: int, size: int, owner: int, chunks: NDArray[np.int64]) -> PageInfo:
    """What the directory says of a page of ``chunks``."""
    column = dict(zip(COLUMN, chunks.T, strict=True))
    first, events = int(column["first_event"][0]), int(column["count"].sum())
    t_min, t_max = int(column["t_min"].min()), int(column["t_max"].max())
    return PageInfo(at, size, owner, len(chunks), first, events, t_min, t_max)


def page_record(chunks: ArrayLike) -> bytes:
    """A PAGE record of chunks in file order: rows of ChunkInfo's fields."""
    rows = np.asarray(chunks, np.int64)
    rec, codec, ordered, first, count, t_first, t_last, t_min, t_max = rows.T[:9]
    x0, y0, x1, y1, on, at, size = rows.T[9:]
    columns = [
        _deltas(rec),
        codec << 1 | ordered,
        _beyond(first, count),
        count,
        _deltas(t_first),
        t_last - t_first,
        t_first - t_min,
        t_max - t_last,
        x0,
        y0,
        x1 - x0,
        y1 - y0,
        on,
        _beyond(at, size),
        size,
    ]
    body = bytearray()
    put_varint(body, len(rows))
    return frame(PAGE, bytes(body) + pack_table(columns))


def _deltas(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each value less the one before."""
    return np.diff(values, prepend=np.int64(0))


def _beyond(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each start less the end before."""
    gaps = starts.copy()
    gaps[1:] -= starts[:-1] + lengths[:-1]
    return gaps


def directory_record(recordings: Sequence[RecordingInfo], pages: Sequence[PageInfo]) -> bytes:
    """The DIRECTORY record: every recording and every page of a shard."""
    ids = [r.id.encode() for r in recordings]
    metas = [json_bytes(r.metadata) for r in recordings]
    sides = [json_bytes(r.side) for r in recordings]
    table = [
        deltas([r.number for r in recordings]),
        [len(i) for i in ids],
        [r.resolution[0] if r.resolution else 0 for r in recordings],
        [r.resolution[1] if r.resolution else 0 for r in recordings],
        [r.n_events for r in recordings],
        [r.n_chunks for r in recordings],
        [r.part for r in recordings],
        [r.first_event for r in recordings],
        deltas([r.page for r in recordings]),
        deltas([r.entry for r in recordings]),
        [len(m) for m in metas],
        [len(s) for s in sides],
    ]
    page_table = [list(c) for c in zip(*pages, strict=True)] or [[]] * PAGE_TABLE_COLUMNS
    packed_pages = pack_table(page_table)
    body = bytearray()
    put_varint(body, len(recordings))
    put_varint(body, len(pages))
    put_varint(body, len(packed_pages))
    body += packed_pages
    texts = b"".join([*(r.root for r in recordings), *ids, *metas, *sides])
    return frame(DIRECTORY, bytes(body) + pack_table(table, texts))
