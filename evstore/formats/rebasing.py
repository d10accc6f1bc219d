"""Time counted from the first event, for formats whose clock is short."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: What a message says where it would help.
HINT = "count from the first event with --rebase"


class Clock:
    """Times as they are, or with ``rebase`` less the first one met.

    >>> clock = Clock(rebase=True)
    >>> clock.shifted(np.array([1000, 1007])).tolist(), clock.origin
    ([0, 7], 1000)
    """

    def __init__(self, rebase: bool) -> None:
        self.origin: int | None = None if rebase else 0
        self.hint = None if rebase else HINT

    def shifted(self, t: NDArray[np.int64]) -> NDArray[np.int64]:
        """``t`` less the origin, which the first time of all sets. There is at least one."""
        if self.origin is None:
            self.origin = int(t[0])
        if self.origin == 0:
            return t
        # Only differences within int64 may be taken; what is further away cannot be held anyway.
        least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
        low, high = max(least, least + self.origin), min(most, most + self.origin)
        return np.clip(t, low, high) - self.origin
