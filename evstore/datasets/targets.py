"""What a sample is to be learnt: its label, its boxes, or the labelled times in it."""

from __future__ import annotations

import numpy as np

from evstore.datasets.access import Shards
from evstore.datasets.labels import (
    Boxes,
    Intervals,
    boxes_from_side,
    intervals_from_side,
    within,
)
from evstore.datasets.relative import count_from
from evstore.datasets.sample_events import Window

TARGETS = ("auto", "label", "boxes", "intervals", "none")


def times_of(shards: Shards, recording: int, window: Window | None) -> tuple[int, int] | None:
    """The times [start, stop) of a window, by count those of its events; None without a window."""
    if window is None or window.by_time:
        return None if window is None else (window.start, window.stop)
    ends: list[int] = []
    for row in shards.catalogue.rows(recording):
        reader = shards.reader(row)
        low = max(0, window.start - reader.info.first_event)
        high = min(reader.info.n_events, window.stop - reader.info.first_event)
        if low < high:
            t = reader.read(low, high, ("t",))["t"]
            ends += int(t.min()), int(t.max())
    return (min(ends), max(ends) + 1) if ends else (0, 0)


def boxes_of(shards: Shards, recording: int, window: Window | None, relative: bool) -> Boxes:
    """The boxes of a window, or of all the recording; fresh arrays.

    ``relative``: their times count from the recording's first event.
    """
    found = boxes_from_side(shards.table(recording, "boxes"))
    if not len(found):
        return found
    # Without a window copies: what is kept is not the caller's.
    times = times_of(shards, recording, window)
    found = found[np.arange(len(found))] if times is None else within(found, *times)
    if relative:
        first = int(shards.catalogue.t_first[recording])
        found = Boxes(**{**found.columns(), "t": count_from(first, found.t)})
    return found


def intervals_of(
    shards: Shards, recording: int, window: Window | None, relative: bool
) -> Intervals:
    """The labelled times that meet a window, cut to it, or all of the recording's; fresh arrays."""
    found = intervals_from_side(shards.table(recording, "labels"))
    if not len(found):
        return found
    times = times_of(shards, recording, window)
    found = found[np.arange(len(found))] if times is None else within(found, *times, clip=True)
    if relative:
        first = int(shards.catalogue.t_first[recording])
        start, stop = count_from(first, found.t_start), count_from(first, found.t_stop)
        found = Intervals(start, stop, found.class_id)
    return found
