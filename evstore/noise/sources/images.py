"""Images that say something of each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError


def as_image(name: str, values: Any) -> NDArray[np.float32]:
    """As contiguous float32; raises ArgumentError for what are no numbers in rows."""
    try:
        return np.ascontiguousarray(values, np.float32)
    except (ValueError, TypeError):
        raise ArgumentError(
            f"{name} must be an image, (height, width) of numbers, got {type(values).__name__}"
        ) from None
