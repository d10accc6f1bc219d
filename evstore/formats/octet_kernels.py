"""Whole numbers from bytes, wherever they begin."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel


@kernel
def u64(octets: Any, at: Any) -> Any:
    """Eight bytes at ``at``, the lowest first: LLVM makes one load of it."""
    value = np.uint64(0)
    for k in range(8):
        value |= np.uint64(octets[at + np.uint64(k)]) << np.uint64(8 * k)
    return value
