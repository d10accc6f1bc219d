"""Times that count from a recording's first event on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError


def count_from(
    first: int, t: NDArray[np.int64], out: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """``t - first`` in microseconds, exact; a fresh array, or ``out``, which may be ``t``.

    Raises ArgumentError where a time is apart from ``first`` by more than an int64 holds; ``out``
    is as it was then.

    >>> count_from(-5, np.array([-5, 10])).tolist()
    [0, 15]
    """
    first = int(first)
    if t.size:
        least, most = int(t.min()) - first, int(t.max()) - first
        if least < -(1 << 63) or most >= 1 << 63:
            raise ArgumentError(
                f"times from {least + first} to {most + first} us cannot count from the first "
                f"event, at {first} us: they are apart by more than 64 bits hold. Use the times of "
                "the recording's own clock, relative=False"
            )
    found: NDArray[np.int64] = np.subtract(t, np.int64(first), out=out)
    return found
