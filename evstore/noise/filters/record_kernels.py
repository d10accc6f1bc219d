"""What is looked at of all records, before they are gone through."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel


@kernel
def sides(x: Any, y: Any) -> Any:
    """The width and height that have room for all of them, 1 and 1 at least."""
    width = height = np.int64(1)
    for i in range(x.size):
        width = max(width, np.int64(x[i]) + 1)
        height = max(height, np.int64(y[i]) + 1)
    return width, height


@kernel
def are_flags(p: Any) -> Any:
    """Whether all are 0 or 1."""
    found = np.int64(0)
    for i in range(p.size):
        found |= np.int64(p[i])
    return found >> 1 == 0
