"""What is said of events and arrays that do not fit, by every function that makes tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.errors import ArgumentError
from evstore.frames.spec import Frames


def wrong_events(x: Any, y: Any, p: Any, resolution: tuple[int, int]) -> ArgumentError:
    """Of events some of which lie outside the sensor, or have a polarity that is none."""
    width, height = resolution
    found = np.flatnonzero((x >= width) | (y >= height))
    if found.size:
        return outside(found.size, x[found[0]], y[found[0]], resolution)
    return ArgumentError(
        f"polarity must be 0 (OFF) or 1 (ON), got {p.max()}: map it first, as in (p > 0)"
    )


def outside(how_many: int, x: int, y: int, resolution: tuple[int, int]) -> ArgumentError:
    """Of events outside the sensor; ``x`` and ``y`` are the first one's."""
    return ArgumentError(
        f"{how_many:,} events lie outside the resolution {resolution[0]} x {resolution[1]}, the "
        f"first at x {x}, y {y}: give the sensor's resolution, or drop them"
    )


def full(spec: Frames, shape: tuple[int, ...], cell: int) -> ArgumentError:
    """Of a pixel that has more events than the dtype holds; ``cell`` counts through all frames."""
    frame, channel, y, x = map(int, np.unravel_index(cell, shape))
    return ArgumentError(
        f"pixel x {x}, y {y}, channel {channel} of frame {frame} has more events than {spec.dtype} "
        f"holds ({spec.holds.greatest:,}): take a larger dtype, shorter frames, or "
        "overflow='saturate'"
    )


def check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises ArgumentError where ``out`` is not an array that can be filled."""
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ArgumentError(
            f"out must be a C-contiguous array of {dtype} with shape {shape}, "
            f"got {out.dtype} with {out.shape}"
        )
    if not out.flags.writeable:
        raise ArgumentError("out cannot be written to")
