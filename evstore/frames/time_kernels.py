"""The extent of times, and whether they step back."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel


@kernel
def extent(t: Any) -> Any:
    """The least and the greatest of one time or more."""
    least = t[0]
    greatest = t[0]
    for k in range(1, t.size):
        least = min(least, t[k])
        greatest = max(greatest, t[k])
    return least, greatest


@kernel
def steps_back(t: Any) -> Any:
    """Whether a time is before the one in front of it."""
    found = 0
    for k in range(1, t.size):
        found += t[k] < t[k - 1]
    return found > 0
