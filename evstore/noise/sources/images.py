"""Images that say something of each pixel, from 0 to 1."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.errors import ArgumentError
from evstore.noise.batch import Sensor


class Image(NamedTuple):
    """(height, width) and the float32 numbers, which never change: what is made of them is kept."""

    shape: tuple[int, ...]
    octets: bytes

    def octets_for(self, sensor: Sensor, name: str) -> bytes:
        """The numbers, row by row; raises ArgumentError unless they are of the sensor's pixels."""
        if self.shape != (sensor.height, sensor.width):
            raise ArgumentError(
                f"{name} must be of the sensor's shape {(sensor.height, sensor.width)}, "
                f"got {self.shape}"
            )
        return self.octets


def image_of(name: str, values: Any) -> Image:
    """An image of numbers in 0..1; raises ArgumentError for what is none."""
    try:
        if np.iscomplexobj(values):
            raise TypeError
        with np.errstate(over="ignore"):  # what float32 does not hold is above 1
            image = np.ascontiguousarray(values, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise ArgumentError(
            f"{name} must be an image, (height, width) of numbers, got {type(values).__name__}"
        ) from None
    if image.ndim != 2 or not image.size or not ((image >= 0) & (image <= 1)).all():
        raise ArgumentError(
            f"{name} must be an image (height, width) of numbers in 0..1, got shape "
            f"{image.shape}" + (f", {image.min():g}..{image.max():g}" if image.size else "")
        )
    return Image(image.shape, image.tobytes())
