"""Side streams selected by their times, and handed out beside events.

A stream is a table of columns; what belongs to a time has a column ``t``. The pixels of ``images``
lie in ``image_bytes``, one image after the other, and follow them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.formats.sides import Sides, rows_of
from evstore.selection import Selection

IMAGES, IMAGE_BYTES = "images", "image_bytes"


def selected(sides: Sides, selection: Selection) -> Sides:
    """Rows within the times of an absolute selection; streams without any are left out.

    By time only: they have no place, or it means another thing.
    """
    if selection.start is None and selection.stop is None:
        return {stream: table for stream, table in sides.items() if rows_of(table)}
    keep = {
        stream: _within(table["t"], selection) for stream, table in sides.items() if "t" in table
    }
    return picked(sides, keep)


def picked(sides: Sides, which: dict[str, NDArray[Any]]) -> Sides:
    """The rows that masks choose, and the pixels of the images among them."""
    found = {
        stream: {name: column[which[stream]] for name, column in table.items()}
        for stream, table in sides.items()
        if stream in which and which[stream].any()
    }
    if IMAGES in found and IMAGE_BYTES in sides:
        sizes = sides[IMAGES]["size"]
        octets = np.repeat(which[IMAGES], sizes)
        found[IMAGE_BYTES] = {"value": sides[IMAGE_BYTES]["value"][octets]}
    return found


def _within(t: NDArray[Any], selection: Selection) -> NDArray[Any]:
    keep = np.ones(len(t), np.bool_)
    if selection.start is not None:
        keep &= t >= selection.start
    if selection.stop is not None:
        keep &= t < selection.stop
    return keep


class InOrder:
    """Side streams handed out beside events: each row before the first event behind it."""

    def __init__(self, sides: Sides) -> None:
        self._sides = {stream: table for stream, table in sides.items() if "t" in table}
        if IMAGE_BYTES in sides and IMAGES in sides:
            self._sides[IMAGE_BYTES] = sides[IMAGE_BYTES]
        # Rows keep their order, too, where their times step back.
        self._times = {
            stream: np.maximum.accumulate(table["t"])
            for stream, table in self._sides.items()
            if stream != IMAGE_BYTES
        }
        self._at = dict.fromkeys(self._times, 0)

    def until(self, t: int | None) -> Sides:
        """The next rows, up to time ``t``; None: all that are left."""
        which = {}
        for stream, times in self._times.items():
            low = self._at[stream]
            high = len(times) if t is None else max(low, int(times.searchsorted(t, "right")))
            mask = np.zeros(len(times), np.bool_)
            mask[low:high] = True
            which[stream], self._at[stream] = mask, high
        return picked(self._sides, which)
