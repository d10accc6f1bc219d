"""Pages of memory that are about to be decoded into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.jit import kernel


@kernel
def touch_pages(memory: NDArray[np.uint8]) -> None:
    """Write a byte of each page, so that the system hands all of them out now.

    It clears a page before, through the cache. Clearing many first, and storing past the cache
    then, keeps the two from getting into each other's way.
    """
    for i in range(0, memory.size, 4096):
        memory[i] = np.uint8(0)
