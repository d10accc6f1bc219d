"""A share of events as random numbers are held against it."""

from __future__ import annotations

UNIT = 1 << 53


def share_of(fraction: float) -> int:
    """How many of 2**53 random numbers lie below it: none of 0, all of 1."""
    return int(fraction * UNIT)
