"""Where tensors are made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.frames.faults import check_out
from evstore.memory import room


def output(shape: tuple[int, ...], dtype: np.dtype[Any], out: Any = None) -> NDArray[Any]:
    """``out``, or fresh memory; its values are not set. Raises ArgumentError if it cannot be."""
    if out is None:
        return room(math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)
    check_out(out, shape, dtype)
    made: NDArray[Any] = out
    return made
