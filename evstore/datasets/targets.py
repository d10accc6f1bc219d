"""What a sample is to be learnt: its label, its boxes, or the labelled times in it."""

from __future__ import annotations

from evstore.datasets.access import Shards
from evstore.datasets.delivery import Window
from evstore.datasets.labels import (
    Boxes,
    Intervals,
    boxes_from_side,
    intervals_from_side,
    within,
)

TARGETS = ("auto", "label", "boxes", "intervals", "none")


def boxes_of(shards: Shards, recording: int, window: Window | None) -> Boxes:
    """The boxes of a window by time, or of all the recording."""
    found = boxes_from_side(shards.table(recording, "boxes"))
    if window is None or not window.by_time:
        return found
    return within(found, window.start, window.stop)


def intervals_of(shards: Shards, recording: int, window: Window | None) -> Intervals:
    """The labelled times that meet a window by time, cut to it, or all of the recording's."""
    found = intervals_from_side(shards.table(recording, "labels"))
    if window is None or not window.by_time:
        return found
    return within(found, window.start, window.stop, clip=True)
