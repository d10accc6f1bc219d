"""Each n-th event."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel

U = np.uint64


class OfPixels(NamedTuple):
    """Of each pixel."""

    width: int
    n: int
    left: Any  # of each pixel: how many are to come until one is kept, less 1


class OfStream(NamedTuple):
    """Of all."""

    n: int
    more: Any  # one value: how many are to come until one is kept


@kernel
def each_of_pixels(rule: OfPixels, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Counts down, pixel by pixel; without a branch, which would be guessed wrong."""
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    width, n, left = U(rule.width), rule.n, rule.left
    for i in range(t.size):
        pixel = U(y[i]) * width + U(x[i])
        more = np.int64(left[pixel]) - 1
        keep[i] = more < 0
        left[pixel] = more + (n & (more >> 63))


@kernel
def each_of_stream(rule: OfStream, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Wherever they are."""
    more = rule.more[0]
    for i in range(keep.size):
        keep[i] = 0
    for i in range(more, keep.size, rule.n):
        keep[i] = 1
    rule.more[0] = (more - keep.size) % rule.n
