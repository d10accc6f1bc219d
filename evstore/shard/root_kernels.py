"""The canonical bytes of a leaf of the hash tree, as narrow as its values allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.jit import kernel

U = np.uint64


@kernel
def leaf_ranges(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16]
) -> tuple[np.uint64, np.uint64]:
    """Bits used by any time difference (modulo 2**64), and by any x or y (y shifted by 16)."""
    steps = U(0)
    for i in range(1, t.size):
        steps |= U(t[i]) - U(t[i - 1])
    columns = U(0)
    rows = U(0)
    for i in range(x.size):
        columns |= U(x[i])
    for i in range(y.size):
        rows |= U(y[i])
    return steps, columns | rows << U(16)


@kernel
def step_plane(t: NDArray[np.int64], shift: np.uint64, out: NDArray[np.uint8]) -> None:
    """Byte ``shift / 8`` of each time difference modulo 2**64; the first difference is 0."""
    out[0] = np.uint8(0)
    for i in range(1, t.size):
        out[i] = np.uint8(((U(t[i]) - U(t[i - 1])) >> shift) & U(0xFF))


@kernel
def value_plane(values: NDArray[np.uint16], shift: np.uint64, out: NDArray[np.uint8]) -> None:
    """Byte ``shift / 8`` of each value."""
    for i in range(values.size):
        out[i] = np.uint8((U(values[i]) >> shift) & U(0xFF))
