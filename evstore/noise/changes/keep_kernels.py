"""Events that are kept, brought together."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel
from evstore.noise.vector_kept import move_kept_on

AT_ONCE = 4096  # events: their flags stay in the first cache
SPARE = 64  # events that are written past those that are kept


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
    """Copy the events whose flag is 1. Out has room for `SPARE` more than these."""
    at = 0
    for i in range(0, t.size, AT_ONCE):
        some = keep[i : i + AT_ONCE]
        end = i + some.size
        move_kept_on(some, x[i:end], to_x[at:])
        move_kept_on(some, y[i:end], to_y[at:])
        move_kept_on(some, p[i:end], to_p[at:])
        move_kept_on(some, k[i:end], to_k[at:])
        at += move_kept_on(some, t[i:end], to_t[at:])
