"""Which events come after their pixel's dead time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel

U = np.uint64


class SinceKept(NamedTuple):
    """A pixel rests for ``period`` after each event that is kept."""

    width: int
    base: int  # of the times that the map has
    period: int
    last: Any  # a time of each pixel


class SinceAny(NamedTuple):
    """After each event."""

    width: int
    base: int
    period: int
    last: Any


@kernel
def since_kept(rule: SinceKept, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Without a branch, which would be guessed wrong."""
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    width, base, period, last = U(rule.width), rule.base, rule.period, rule.last
    for i in range(t.size):
        pixel = U(y[i]) * width + U(x[i])
        now, earlier = t[i] - base, np.int64(last[pixel])
        kept = earlier < now - period
        keep[i] = kept
        last[pixel] = now if kept else earlier


@kernel
def since_any(rule: SinceAny, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """The same, where all events count."""
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    width, base, period, last = U(rule.width), rule.base, rule.period, rule.last
    for i in range(t.size):
        pixel = U(y[i]) * width + U(x[i])
        now = t[i] - base
        keep[i] = last[pixel] < now - period
        last[pixel] = now
