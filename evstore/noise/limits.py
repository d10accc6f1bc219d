"""Checks of parameters, and the times that there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evstore.errors import ArgumentError

if TYPE_CHECKING:
    from evstore.noise.batch import Sensor

LONGEST_US = 1 << 62
MAX_PIXELS = 1 << 28
#: The least and the greatest time: of events, and of where noise begins and ends.
TIMES = (-(1 << 63), (1 << 63) - 1)


def around(time: int) -> np.int64:
    """As an int64, around where it is none: what it is added to comes out right."""
    return np.int64((time + (1 << 63)) % (1 << 64) - (1 << 63))


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Raises ArgumentError unless ``value`` is a number in low..high."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer, np.floating))
        or not low <= value <= high  # nor is NaN
    ):
        raise ArgumentError(f"{name} must be a number in {low:g}..{high:g}, got {value!r}")


def check_integer(name: str, value: int, low: int, high: int) -> None:
    """Raises ArgumentError unless ``value`` is an integer in low..high."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, np.integer))
        or not low <= value <= high
    ):
        raise ArgumentError(f"{name} must be an integer in {low}..{high}, got {value!r}")


def check_choice(name: str, value: object, known: tuple[object, ...]) -> None:
    """Raises ArgumentError unless ``value`` is one of those known."""
    # An array would be compared element by element.
    if not isinstance(value, (str, int, float)) or value not in known:
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")


def check_pixels(sensor: Sensor) -> None:
    """Raises ArgumentError for a sensor of more pixels than are held in memory."""
    if sensor.pixels > MAX_PIXELS:
        raise ArgumentError(
            f"something is held of every pixel, of sensors of up to {MAX_PIXELS:,} pixels; "
            f"{sensor.width}x{sensor.height} has {sensor.pixels:,}"
        )
