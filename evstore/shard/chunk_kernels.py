"""Where the payloads of CHUNK records lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.jit import kernel
from evstore.shard.chunks import CHECK_BYTES


@kernel
def find_payloads(data: NDArray[np.uint8], places: NDArray[np.int64], step: int) -> int:
    """Replace each record's start and size by its payload's start and stop, in 16-bit words.

    They are the first two of every ``step`` numbers of ``places``. The checks of the records
    have been found right; all the same, a length that runs out of its record is an error.
    Returns -1, or the number of the first record whose fields cannot be.
    """
    for k in range(places.size // step):
        at, size = places[k * step], places[k * step + 1]
        stop = at + size - CHECK_BYTES
        if at < 0 or size < CHECK_BYTES + 3 or at + size > data.size or (at | size) & 1:
            return k
        body = at + 2
        while body < stop and data[body - 1] & 0x80:
            body += 1
        start = body + 1 + np.int64(data[body])
        start += start & 1
        if start > stop:
            return k
        places[k * step], places[k * step + 1] = start >> 1, stop >> 1
    return -1
