"""Events that are kept, brought together."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel


@kernel
def count(keep: Any) -> Any:
    """How many flags are 1; the others are 0."""
    found = 0
    for i in range(keep.size):
        found += keep[i]
    return found


@kernel
def compact(
    keep: Any, t: Any, x: Any, y: Any, p: Any, k: Any,
    to_t: Any, to_x: Any, to_y: Any, to_p: Any, to_k: Any,
) -> None:  # fmt: skip
    """Copy the events whose flag is 1. Out has room for one more than these.

    Each is written where the next one kept goes: nothing has to be guessed.
    """
    x, y, p, k, keep = x[: t.size], y[: t.size], p[: t.size], k[: t.size], keep[: t.size]
    at = np.uint64(0)
    for i in range(t.size):
        to_t[at] = t[i]
        to_x[at] = x[i]
        to_y[at] = y[i]
        to_p[at] = p[i]
        to_k[at] = k[i]
        at += np.uint64(keep[i])
