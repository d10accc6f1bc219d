"""Chunks that lie close enough to each other to be read in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evstore.shard.chunks import ChunkInfo

READ_AT_ONCE = 1 << 20  # bytes
GAP = 32 * 1024  # bytes of other records worth reading over


def together(chunks: Iterable[ChunkInfo], most: int) -> Iterator[list[ChunkInfo]]:
    """Chunks in groups that lie close enough to be read at once.

    A group has at most ``most`` events, or one chunk.
    """
    group: list[ChunkInfo] = []
    events = end = begin = 0
    for chunk in chunks:
        offset, count = chunk.offset, chunk.count
        after = offset + chunk.size
        if group and not (
            0 <= offset - end <= GAP and after - begin <= READ_AT_ONCE and events + count <= most
        ):
            yield group
            group = []
        if not group:
            events, begin = 0, offset
        group.append(chunk)
        events += count
        end = after
    if group:
        yield group
