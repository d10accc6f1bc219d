"""Read a shard while it is being written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np

from evstore.codec.chunk import decode_chunk
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard.chunks import parse_chunk
from evstore.shard.layout import BEGIN, CHUNK, END, HEADER_SIZE, Begin, End, check_header
from evstore.shard.scan import scan
from evstore.shard.source import FileSource

POLL_S = 0.05


def follow(
    path: str | os.PathLike[str], recording: str | None = None, timeout_s: float | None = None
) -> Iterator[Events]:
    """Events of a recording as its writer flushes them, until the recording ends.

    ``path`` is the shard's final name or its ``.part``. Without ``recording`` the first one is
    followed. Ends too when nothing new has come for ``timeout_s``.
    """
    name = os.fspath(path)
    if not os.path.exists(name) and os.path.exists(name + ".part"):
        name += ".part"
    source = FileSource(name)
    try:
        yield from _follow(source, recording, timeout_s)
    finally:
        source.close()


def _follow(source: FileSource, wanted: str | None, timeout_s: float | None) -> Iterator[Events]:
    at, number, last = HEADER_SIZE, -1, time.monotonic()
    resolution: tuple[int, int] | None = None
    while source.size() < HEADER_SIZE:
        if timeout_s is not None and time.monotonic() - last > timeout_s:
            return
        time.sleep(POLL_S)
    check_header(source.read(0, HEADER_SIZE))
    while True:
        before = at
        for record in scan(source, at):
            at = record.offset + record.size
            if record.kind == BEGIN and number < 0:
                begin = Begin.parse(record)
                if wanted is None or begin.id == wanted:
                    number, resolution = begin.recording, begin.resolution
            elif record.kind == CHUNK:
                info, payload = parse_chunk(record)
                if info.recording == number:
                    words = np.frombuffer(payload, "<u2", len(payload) // 2)
                    events = decode_chunk(words, info.count, info.codec)
                    events.resolution = resolution
                    yield events
            elif record.kind == END and End.parse(record).recording == number:
                return
            elif record.kind == b"D":
                if number < 0:
                    raise ArgumentError(f"{source.name}: has no recording {wanted!r}")
                return
        if at != before:
            last = time.monotonic()
        elif timeout_s is not None and time.monotonic() - last > timeout_s:
            return
        time.sleep(POLL_S)
