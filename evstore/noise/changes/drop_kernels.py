"""Which events are lost, or misread: decided by counted random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bits, within

_S11, _S16, _S32 = np.uint64(11), np.uint64(16), np.uint64(32)


@kernel
def keep_events(seed: int, first: int, share: int, keep: Any) -> None:
    """Lose a share (of 2**53) of the events; ``first`` is the number of the first of them."""
    for i in range(keep.size):
        keep[i] = np.int64(bits(seed, first + i) >> _S11) >= share


@kernel
def keep_pixels(x: Any, y: Any, seed: int, share: int, keep: Any) -> None:
    """Lose the events of a share of pixels: nothing is held of any of them."""
    y, keep = y[: x.size], keep[: x.size]
    for i in range(x.size):
        pixel = np.uint64(y[i]) << _S16 | np.uint64(x[i])
        keep[i] = np.int64(bits(seed, pixel) >> _S11) >= share


@kernel
def keep_unmarked(x: Any, y: Any, width: int, marked: Any, keep: Any) -> None:
    """Lose the events of the pixels that are marked, in the order of rows."""
    y, keep = y[: x.size], keep[: x.size]
    wide, size = np.uint64(width), np.uint64(marked.size)
    for i in range(x.size):
        pixel = np.uint64(y[i]) * wide + np.uint64(x[i])
        keep[i] = 1
        if pixel < size:
            keep[i] = 1 - marked[pixel]


@kernel
def mark(seed: int, count: int, marked: Any) -> None:
    """Mark just so many pixels, each set of them as likely as any other.

    Floyd's way (Bentley and Floyd, "A sample of brilliance", Communications of the ACM 30, 1987):
    as many steps as pixels are marked. There are at most 2**32 pixels.
    """
    for last in range(marked.size - count, marked.size):
        word = bits(seed, last) >> _S32
        pixel = (word * np.uint64(last + 1)) >> _S32
        if marked[pixel]:
            pixel = np.uint64(last)
        marked[pixel] = 1


@kernel
def keep_some_lines(line: Any, seed: int, share: int, keep: Any) -> None:
    """Lose the events of a share of lines, rows or columns, within one slot of time."""
    keep = keep[: line.size]
    for i in range(line.size):
        keep[i] = np.int64(bits(seed, line[i]) >> _S11) >= share


@kernel
def keep_lines(
    t: Any, line: Any, seed: int, start: int, duration: int, share: int, keep: Any
) -> None:
    """The same in each slot of ``duration`` us after ``start``; 0: there is one slot."""
    length, origin = np.uint64(duration), np.uint64(start)
    i = 0
    while i < t.size:
        j = i + 1
        slot = np.uint64(0)
        if duration == 0:
            j = t.size
        else:
            # Unsigned: from the least int64 to the greatest is no int64.
            slot = (np.uint64(max(t[i], start)) - origin) // length
            begin = origin + slot * length
            while j < t.size and np.uint64(t[j]) - begin < length:
                j += 1
        keep_some_lines(line[i:j], within(seed, slot), share, keep[i:j])
        i = j


@kernel
def flip(p: Any, seed: int, first: int, share: int, out: Any) -> None:
    """The other polarity for a share of the events."""
    out = out[: p.size]
    for i in range(p.size):
        out[i] = p[i] ^ np.uint8(np.int64(bits(seed, first + i) >> _S11) < share)
