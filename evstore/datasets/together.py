"""Frames of a batch of samples, made in the batch itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.access import Shards
from evstore.datasets.delivery import Delivery, Window, deliver, sensor, span_of
from evstore.errors import EvstoreError
from evstore.frames.faults import check_out
from evstore.frames.short import SHORT, fill_short
from evstore.frames.spec import Division, Frames
from evstore.shard.gather import Wanted

Place = tuple[int, Window | None]  # a recording, and which part of it


def frames_of(
    shards: Shards,
    places: Sequence[Place],
    how: Delivery,
    make: Callable[[tuple[int, ...], np.dtype[Any]], Any],
) -> tuple[Any, list[int]] | None:
    """The frames of samples in one array (B, T, P, H, W), and how many each has.

    ``make(shape, dtype)`` gives the array; zeros follow the frames of shorter samples. None where
    their shapes are not known before they are read, or differ. Raises as `deliver` does, and says
    of which recording an error is.
    """
    spec = how.frames
    if spec is None or any(w is not None and w.by_time != spec.by_time for _, w in places):
        return None
    sensors = {sensor(shards, recording) for recording, _ in places}
    if len({spec.shape(resolution, 1) for resolution in sensors}) != 1:
        return None
    divisions = [spec.division(*span_of(shards, *place, spec)) for place in places]
    lengths = [division.n_frames for division in divisions]
    resolution = sensors.pop()
    shape = (len(places), *spec.shape(resolution, max(lengths)))
    out = make(shape, np.dtype(spec.dtype))
    check_out(out, shape, np.dtype(spec.dtype))
    if sensors or not _short(shards, places, spec, resolution, divisions, out):
        _one_by_one(shards, places, how, lengths, out)
    return out, lengths


def _one_by_one(
    shards: Shards, places: Sequence[Place], how: Delivery, lengths: list[int], out: NDArray[Any]
) -> None:
    for row, place, length in zip(out, places, lengths, strict=True):
        try:
            deliver(shards, *place, how, row[:length])
        except (EvstoreError, OSError) as error:
            raise shards.named(error, place[0]) from None
        row[length:] = 0


def _short(
    shards: Shards,
    places: Sequence[Place],
    spec: Frames,
    resolution: tuple[int, int],
    divisions: Sequence[Division],
    out: NDArray[Any],
) -> bool:
    """The fast way, for short recordings; whether it was one. An error is met again on the other.

    There it is said which sample it is of.
    """
    catalogue = shards.catalogue
    events = [int(catalogue.events[recording]) for recording, _ in places]
    by_number = any(window is not None and not window.by_time for _, window in places)
    if max(events) > SHORT or by_number or any(len(catalogue.rows(r)) > 1 for r, _ in places):
        return False
    try:
        for low, high in _groups(events):
            wanted = [_wanted(shards, *place) for place in places[low:high]]
            if [one.info.n_events for one in wanted] != events[low:high]:
                return False
            some = out[low:high]
            if not fill_short(spec, resolution, wanted, divisions[low:high], some, shards.memory):
                return False
    except (EvstoreError, OSError, OverflowError):
        return False
    return True


def _wanted(shards: Shards, recording: int, window: Window | None) -> Wanted:
    shard, info = shards.found(int(shards.catalogue.first_row[recording]))
    return Wanted(shard, info, None if window is None else (window.start, window.stop))


def _groups(events: list[int]) -> Iterator[tuple[int, int]]:
    """Which follow each other and are decoded together: of SHORT events at most."""
    low = total = 0
    for k, count in enumerate(events):
        if total + count > SHORT:
            yield low, k
            low, total = k, 0
        total += count
    yield low, len(events)
