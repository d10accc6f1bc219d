"""Events of pixels that are not masked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel

U = np.uint64


class Good(NamedTuple):
    """Pixels that are not masked."""

    width: int
    good: Any  # of each pixel, 1 or 0


@kernel
def not_masked(rule: Good, t: Any, x: Any, y: Any, p: Any, keep: Any) -> None:
    """Events of those pixels."""
    x, y, keep = x[: t.size], y[: t.size], keep[: t.size]
    width, good = U(rule.width), rule.good
    for i in range(t.size):
        keep[i] = good[U(y[i]) * width + U(x[i])]
