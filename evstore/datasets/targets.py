"""What a sample is to be learnt: its label, its boxes, or the labelled times in it."""

from __future__ import annotations

import numpy as np

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


def boxes_of(shards: Shards, recording: int, window: Window | None, relative: bool) -> Boxes:
    """The boxes of a window by time, or of all the recording.

    ``relative``: their times count from the recording's first event.
    """
    found = boxes_from_side(shards.table(recording, "boxes"))
    if window is not None and window.by_time:
        found = within(found, window.start, window.stop)
    else:
        found = found[np.arange(len(found))]  # copies: what is kept is not the caller's
    if relative and len(found):
        by = shards.catalogue.t_first[recording]
        found = Boxes(**{**found.columns(), "t": found.t - by})
    return found


def intervals_of(
    shards: Shards, recording: int, window: Window | None, relative: bool
) -> Intervals:
    """The labelled times that meet a window by time, cut to it, or all of the recording's."""
    found = intervals_from_side(shards.table(recording, "labels"))
    if window is not None and window.by_time:
        found = within(found, window.start, window.stop, clip=True)
    else:
        found = found[np.arange(len(found))]
    if relative and len(found):
        by = shards.catalogue.t_first[recording]
        found = Intervals(found.t_start - by, found.t_stop - by, found.class_id)
    return found
