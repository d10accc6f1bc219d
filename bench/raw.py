"""Longer EVT2 and EVT3 files: the words of a real one again and again, in later time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evstore.formats import registry
from evstore.formats.reading import ReadOptions

TIME_HIGH = 8  # the type of both formats' words that hold the high bits of time
EVT2_HIGH = 0x0FFF_FFFF
EVT3_HIGH = 0x0FFF


def tile_raw(source: Path, target: Path, events: int) -> None:
    """Write at least ``events`` events: the header once, the words after the first time word."""
    content = source.read_bytes()
    module = registry.detect(content[:65_536], len(content), source.suffix)
    with open(source, "rb") as file:
        reading = module.read(file, ReadOptions())
        count = sum(len(batch.t) for batch in reading.batches)
    header = reading.header
    shift = shift_evt2 if module.NAME == "evt2" else shift_evt3
    copies = -(-events // count)
    with open(target, "wb") as file:
        file.write(header)
        for words in shift(content[len(header) :], copies):
            words.tofile(file)


def shift_evt2(body: bytes, copies: int):  # type: ignore[no-untyped-def]
    """The words of each copy; TIME_HIGH holds 28 bits of 64 us."""
    words = np.frombuffer(body[: len(body) // 4 * 4], "<u4")
    yield from shifted(words, words >> 28 == TIME_HIGH, EVT2_HIGH, copies)


def shift_evt3(body: bytes, copies: int):  # type: ignore[no-untyped-def]
    """The words of each copy; TIME_HIGH holds 12 bits of 4096 us, and turns over."""
    words = np.frombuffer(body[: len(body) // 2 * 2], "<u2")
    yield from shifted(words, words >> 12 == TIME_HIGH, EVT3_HIGH, copies)


def shifted(words: NDArray[np.integer], is_time: NDArray[np.bool_], mask: int, copies: int):  # type: ignore[no-untyped-def, type-arg]
    first = int(np.flatnonzero(is_time)[0])
    words, is_time = words[first:], is_time[first:]
    high = (words[is_time] & mask).astype(np.int64)
    turns = np.concatenate([[0], np.cumsum(np.diff(high) < -(mask // 2))])
    high += turns * (mask + 1)
    span = int(high.max() - high[0]) + 1
    for copy in range(copies):
        out = words.copy()
        kind = words[is_time] & ~words.dtype.type(mask)
        out[is_time] = kind | ((high + span * copy) & mask).astype(words.dtype)
        yield out
