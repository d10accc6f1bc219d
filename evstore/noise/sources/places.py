"""Pixels of a sensor as sources have them: ``y << 16 | x``, in uint32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.batch import Sensor


def places_of(pixels: NDArray[np.int64], sensor: Sensor) -> NDArray[np.uint32]:
    """The places of pixels that are numbered row by row."""
    return ((pixels // sensor.width) << 16 | pixels % sensor.width).astype(np.uint32)


def all_places(sensor: Sensor) -> NDArray[np.uint32]:
    """The places of all pixels, row by row."""
    y, x = np.ogrid[: sensor.height, : sensor.width]
    return (y << 16 | x).astype(np.uint32).reshape(-1)
