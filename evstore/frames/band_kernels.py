"""Time-ordered events brought together by bands of pixels, and by intervals of time within each.

What is made of them needs a number or two of 8 bytes for each pixel. Those of a large sensor do
not stay in the cache; those of a band do, while it goes through all intervals.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.frames.column_kernels import PIECE, unpack
from evstore.frames.histogram_kernels import RIGHT, fault, search
from evstore.frames.time_kernels import steps_back
from evstore.jit import kernel

BAND = 1 << 15  # pixels, in the order of rows
WITHIN = 15  # bits of an entry: the place in the band; then the polarity
TIME = 16  # and from this bit on the time since the interval's start
LONGEST = 1 << 32  # microseconds of an interval at most
SHORTEST = 1 << 16  # and where an entry has 32 bits: half of what memory has to move
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

    entries: Any  # uint64, or uint32 where intervals are short
    after: Any  # of each run, where the next one of its band begins
    marks: Any  # of each interval and band, where its entries begin; and where the last ones end
    at: Any  # of each band, where its next entry goes
    starts: Any  # of the intervals, and where the last one ends: int64 times
    state: Any
    piece: Any  # room for PIECE events
    places: Any  # uint32: of so many pixels
    made: Any  # uint64: so many entries
    width: int
    height: int


@kernel
def take(t: Any, x: Any, y: Any, p: Any, last: int, bands: Any) -> Any:
    """Take apart PIECE events or fewer, and find their places; whether all are right.

    Right are those that have a place and are in order, from the time ``last`` on.
    """
    piece, places = bands.piece, bands.places
    n = t.size
    unpack(t, x, y, p, piece)
    if piece.t[0] < last or steps_back(piece.t[:n]):
        return False
    if fault(piece.x[:n], piece.y[:n], piece.p[:n], bands.width, bands.height) != RIGHT:
        return False
    some_x, some_y, width = piece.x, piece.y, np.uint32(bands.width)
    for k in range(n):
        places[k] = np.uint32(some_y[k]) * width + np.uint32(some_x[k])
    return True


@kernel
def make_entries(n: int, start: int, bands: Any) -> None:
    """Entries of the events taken; a loop by itself: LLVM makes vector code of it."""
    some_t, some_p, places, made = bands.piece.t, bands.piece.p, bands.places, bands.made
    for k in range(n):
        within = places[k] % np.uint32(BAND) | np.uint32(some_p[k]) << np.uint32(WITHIN)
        made[k] = (np.uint64(some_t[k]) - np.uint64(start)) << np.uint64(TIME) | np.uint64(within)


@kernel
def put(places: Any, made: Any, bands: Any) -> None:
    """Bring entries to those of their bands."""
    entries, at, after = bands.entries, bands.at, bands.after
    fresh = bands.state[FRESH]
    for k in range(places.size):
        band = np.uint64(places[k] // np.uint32(BAND))
        i = np.uint64(at[band])
        entries[i] = made[k]
        i += np.uint64(1)
        if i % np.uint64(RUN) == np.uint64(0):
            after[i // np.uint64(RUN) - np.uint64(1)] = fresh * RUN
            i = np.uint64(fresh * RUN)
            fresh += 1
        at[band] = i
    bands.state[FRESH] = fresh


@kernel
def sort_some(t: Any, x: Any, y: Any, p: Any, start: int, last: int, bands: Any) -> Any:
    """Make entries of the events of an interval; whether all have a place and are in order."""
    for low in range(0, t.size, PIECE):
        high = min(low + PIECE, t.size)
        some_t, some_x, some_y, some_p = t[low:high], x[low:high], y[low:high], p[low:high]
        if not take(some_t, some_x, some_y, some_p, last, bands):
            return False
        make_entries(high - low, start, bands)
        put(bands.places[: high - low], bands.made[: high - low], bands)
        last = t[high - 1]
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
