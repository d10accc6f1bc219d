"""Labels beside points, none over another: each at the nearest place that is free."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Box(NamedTuple):
    left: float
    low: float
    right: float
    high: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.low < other.high
            and other.low < self.high
        )

    def within(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.low >= other.low
            and self.high <= other.high
        )


class Label(NamedTuple):
    """A point, and the size of its label."""

    x: float
    y: float
    width: float
    height: float


ANGLES = 24
DISTANCES = (1.0, 1.6, 2.4, 3.4, 4.6, 6.0, 8.0, 10.5, 13.5, 17.0)  # of the height of a label
GAPS = (0.55, 0.12)  # beside a label and above it, of its height

Line = tuple[float, float, float, float]


def placed(
    labels: Sequence[Label], frame: Box, taken: Sequence[Box], lines: Sequence[Line] = ()
) -> list[Box | None]:
    """A box for each label, the earlier ones first; None where there is no room.

    ``taken`` is not to be covered: the points' marks. Neither are ``lines``, nor those from labels
    to points; those may cross marks, and at worst labels, only where there is no other place.
    """
    boxes: list[Box | None] = []
    lines = list(lines)
    for label in labels:
        others = [*taken, *(box for box in boxes if box is not None)]
        found = None
        for crossed in (others, [box for box in boxes if box is not None], ()):
            free = (b for b in _places(label) if _free(label, b, frame, others, lines, crossed))
            found = found or next(free, None)
        boxes.append(found)
        if found is not None:
            lines.append((label.x, label.y, *nearest(found, label.x, label.y)))
    return boxes


def nearest(box: Box, x: float, y: float) -> tuple[float, float]:
    """The place of a box that is nearest to a point."""
    return min(max(x, box.left), box.right), min(max(y, box.low), box.high)


def _places(label: Label) -> Iterator[Box]:
    for distance in DISTANCES:
        for step in range(ANGLES):
            # To the right first, then up and down, then to the left.
            angle = math.pi * ((step + 1) // 2) / (ANGLES / 2) * (-1) ** step
            x = label.x + distance * label.height * math.cos(angle)
            y = label.y + distance * label.height * math.sin(angle)
            left = x - label.width * (1 - math.cos(angle)) / 2  # its near side, at the sides
            yield Box(left, y - label.height / 2, left + label.width, y + label.height / 2)


def _free(
    label: Label,
    box: Box,
    frame: Box,
    others: Sequence[Box],
    lines: Sequence[Line],
    crossed: Sequence[Box],
) -> bool:
    beside, above = (gap * label.height for gap in GAPS)
    wide = Box(box.left - beside, box.low - above, box.right + beside, box.high + above)
    line = (label.x, label.y, *nearest(box, label.x, label.y))
    return (
        box.within(frame)
        and not any(wide.overlaps(other) for other in others)
        and not any(_crosses(other, wide) for other in lines)
        and not any(_crosses(line, o) for o in crossed if not _holds(o, label.x, label.y))
    )


def _holds(box: Box, x: float, y: float) -> bool:
    return box.left <= x <= box.right and box.low <= y <= box.high


def _crosses(line: Line, box: Box) -> bool:
    """Whether a line touches a box, looked at in small steps."""
    x, y, to_x, to_y = line
    steps = max(2, int(math.hypot(to_x - x, to_y - y) / 2))
    return any(
        _holds(box, x + (to_x - x) * i / steps, y + (to_y - y) * i / steps)
        for i in range(steps + 1)
    )
