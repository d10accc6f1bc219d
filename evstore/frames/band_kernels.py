"""Time-ordered events brought together by bands of pixels, and by intervals of time within each.

What is made of them needs a number or two of 8 bytes for each pixel. Those of a large sensor do
not stay in the cache; those of a band do, while it goes through all intervals.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.frames.histogram_kernels import search
from evstore.jit import kernel

BAND = 1 << 15  # pixels, in the order of rows
WITHIN = 15  # bits of an entry: the place in the band; then the polarity
TIME = 16  # and from this bit on the time since the interval's start
LONGEST = 1 << 32  # microseconds of an interval at most
ROUND = 1 << 22  # events at once
RUN = 512  # entries of a band that lie together

WRONG = -1  # a time is before the one in front of it, or an event has no place

# Indices into `state`.
NEXT = 0  # the event that the next round begins with
INTERVAL = 1  # the interval that it lies in
OPEN = 2  # 1 if that interval has events of the round before as well
FRESH = 3  # the first run that is not used
STATE_SIZE = 4


class Bands(NamedTuple):
    """The events of a round: an entry each. Those of a band lie in runs of RUN."""

    entries: Any  # uint64
    after: Any  # of each run, where the next one of its band begins
    marks: Any  # of each interval and band, where its entries begin; and where the last ones end
    at: Any  # of each band, where its next entry goes
    starts: Any  # of the intervals, and where the last one ends: int64 times
    state: Any
    width: int
    height: int


@kernel
def sort_some(t: Any, x: Any, y: Any, p: Any, start: int, last: int, bands: Any) -> Any:
    """Make entries of the events of an interval; whether all have a place and are in order."""
    entries, at, after = bands.entries, bands.at, bands.after
    width, height = np.uint64(bands.width), np.uint64(bands.height)
    fresh = bands.state[FRESH]
    for k in range(t.size):
        column, line, polarity, time = np.uint64(x[k]), np.uint64(y[k]), np.uint64(p[k]), t[k]
        if (column >= width) | (line >= height) | (polarity > np.uint64(1)) | (time < last):
            return False
        last = time
        place = line * width + column
        since = np.uint64(time) - np.uint64(start)
        band = place // np.uint64(BAND)
        i = np.uint64(at[band])
        within = place % np.uint64(BAND) | polarity << np.uint64(WITHIN)
        entries[i] = since << np.uint64(TIME) | within
        i += np.uint64(1)
        if i % np.uint64(RUN) == np.uint64(0):
            after[i // np.uint64(RUN) - np.uint64(1)] = fresh * RUN
            i = np.uint64(fresh * RUN)
            fresh += 1
        at[band] = i
    bands.state[FRESH] = fresh
    return True


@kernel
def sort_round(t: Any, x: Any, y: Any, p: Any, bands: Any) -> Any:
    """Make entries of the next ROUND events, or of fewer: of how many intervals; or WRONG."""
    state, starts, n_bands = bands.state, bands.starts, bands.at.size
    for band in range(n_bands):
        bands.at[band] = band * RUN
        bands.marks[band] = band * RUN
    state[FRESH] = n_bands
    state[OPEN] = 0
    low = state[NEXT]
    last = starts[0] if low == 0 else t[low - 1]
    stop = min(low + ROUND, t.size)
    n = 0
    while state[INTERVAL] < starts.size - 1 and state[OPEN] == 0:
        start, end = starts[state[INTERVAL]], starts[state[INTERVAL] + 1]
        high = search(t, end, low, stop)
        if not sort_some(t[low:high], x[low:high], y[low:high], p[low:high], start, last, bands):
            return WRONG
        last = t[high - 1] if low < high else last
        if last >= end:
            return WRONG
        low = high
        n += 1
        for band in range(n_bands):
            bands.marks[n * n_bands + band] = bands.at[band]
        if high == stop and stop < t.size:
            state[OPEN] = 1
        else:
            state[INTERVAL] += 1
    state[NEXT] = low
    return n if low == stop else WRONG


@kernel
def run_end(i: int, end: int) -> Any:
    """Where the entries from i on cease to lie together, at the latest at ``end``."""
    stop = (i | (RUN - 1)) + 1
    return end if i <= end < stop else stop


@kernel
def run_next(bands: Any, stop: int, end: int) -> Any:
    """Where those of the same band after ``stop`` lie."""
    return bands.after[stop // RUN - 1] if stop % RUN == 0 and stop != end else stop
