"""Events added to voxel grids: each to the bins before and after its time.

Of time-ordered ones ``sign`` and ``sign * (t - start of the bin)`` are summed by bin and pixel,
both in one integer: exactly, and an addition for an event. The shares of both bins follow from it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.codec.vector_copy import copy_past
from evstore.frames.band_kernels import (
    BAND,
    INTERVAL,
    NEXT,
    OPEN,
    TIME,
    WITHIN,
    WRONG,
    run_end,
    run_next,
    sort_round,
    take,
)
from evstore.frames.histogram_kernels import RIGHT, fault, search
from evstore.frames.vector_shares import SIGNS, show_shares
from evstore.jit import kernel

PIECE = 1024  # events, and cells, at once
BLOCK = 64  # cells, most of which no event lies in: then there is nothing to calculate
MOST_SIGNS = (1 << (63 - SIGNS)) - 1
MOST_TIMES = (1 << (SIGNS - 1)) - 1

ADDED, CARRIED = 1, 2  # what a block has, in `used`


class Work(NamedTuple):
    """Of each pixel of a band, or of each band where there is more than one round."""

    sums: Any  # int64: of events of the bin that is written next
    carry: Any  # float64: what belongs to that bin beside them
    more: Any  # float64: what of those settled belongs to the bin after it
    used: Any  # uint8: of each block, whether any of its sums or carry may not be 0
    zeros: Any  # BLOCK values of the grid's dtype
    per_us: float  # bins
    offsets: Any  # float64: how far the first microsecond of each bin is past its place
    stride: int  # from one band to the next; 0: there is one band's room


@kernel
def add(entries: Any, sums: Any, used: Any) -> None:
    """Add events to the sums."""
    for k in range(entries.size):
        entry = np.uint64(entries[k])
        value = np.int64(entry >> np.uint64(TIME)) + (np.int64(1) << SIGNS)
        less = np.int64(entry >> np.uint64(WITHIN) & np.uint64(1)) - 1  # all bits of it, for OFF
        i = entry & np.uint64(BAND - 1)
        sums[i] += (value ^ less) - less
        used[i // np.uint64(BLOCK)] = ADDED


@kernel
def add_taken(n: int, start: int, bands: Any, sums: Any) -> None:
    """Add the events that `take` took: without entries, where there is one band."""
    some_t, some_p, places, made = bands.piece.t, bands.piece.p, bands.places, bands.made
    for k in range(n):
        value = np.int64(some_t[k]) - np.int64(start) + (np.int64(1) << SIGNS)
        less = np.int64(some_p[k]) - 1
        made[k] = (value ^ less) - less
    for k in range(n):
        sums[places[k]] += np.int64(made[k])


@kernel
def settle(sums: Any, carry: Any, more: Any, used: Any, per_us: float, offset: float) -> None:
    """Empty the sums, before they overflow."""
    for k in range(sums.size):
        times = (sums[k] << (64 - SIGNS)) >> (64 - SIGNS)
        signs = np.float64((sums[k] - times) >> SIGNS)
        sums[k] = 0
        carry[k] += signs
        more[k] += np.float64(times) * per_us + signs * offset
    for k in range(used.size):
        used[k] = ADDED


@kernel
def show(sums: Any, carry: Any, used: Any, work: Any, offset: float, out: Any) -> None:
    """Write a bin, past the cache."""
    for low in range(0, out.size, BLOCK):
        high = min(low + BLOCK, out.size)
        block = low // BLOCK
        if used[block]:
            show_shares(sums[low:high], carry[low:high], out[low:high], work.per_us, offset)
            used[block] = CARRIED if used[block] == ADDED else 0
        else:
            copy_past(work.zeros, out[low:high], np.uint64(high - low))


@kernel
def show_settled(
    sums: Any, carry: Any, more: Any, used: Any, work: Any, offset: float, out: Any
) -> None:
    """The same where some of the bin's events have been settled."""
    for k in range(sums.size):
        carry[k] -= more[k]
    show(sums, carry, used, work, offset, out)
    for k in range(sums.size):
        carry[k] += more[k]
        more[k] = 0.0


@kernel
def most_held(bands: Any, b: int) -> Any:
    """So many events of a bin fit sums, whatever they are."""
    longest = max(1, bands.starts[b + 1] - bands.starts[b])
    return min(MOST_SIGNS, MOST_TIMES // longest)  # above PIECE: none is longer than LONGEST


@kernel
def show_band(bands: Any, work: Any, band: int, first: int, n: int, bins: int, out: Any) -> None:
    """Add the round's events of a band, and write its bins: those that are complete."""
    n_lists, plane = bands.at.size, bands.width * bands.height
    low, high = band * BAND, min(band * BAND + BAND, plane)
    at = band * work.stride
    sums, carry = work.sums[at : at + high - low], work.carry[at : at + high - low]
    more, used = work.more[at : at + high - low], work.used[at // BLOCK :][: BAND // BLOCK]
    if work.stride == 0:
        for k in range(carry.size):
            carry[k] = 0.0
        for k in range(used.size):
            used[k] = 0
    settled = work.stride > 0
    for b in range(first, min(first + n, bins)):
        offset = work.offsets[b]
        limit = most_held(bands, b)
        held = 0
        for k in range(band, n_lists, bands.n_bands):
            i = bands.marks[(b - first) * n_lists + k]
            end = bands.marks[(b - first + 1) * n_lists + k]
            while i != end:
                stop = run_end(i, end)
                if held + stop - i > limit:
                    settle(sums, carry, more, used, work.per_us, offset)
                    settled = True
                    held = 0
                add(bands.entries[i:stop], sums, used)
                held += stop - i
                i = run_next(bands, stop, end)
        to = out[b * plane + low : b * plane + high]
        if b == first + n - 1 and bands.state[OPEN]:
            settle(sums, carry, more, used, work.per_us, offset)
        elif settled:
            show_settled(sums, carry, more, used, work, offset, to)
            settled = False
        else:
            show(sums, carry, used, work, offset, to)


@kernel
def fill_one(t: Any, x: Any, y: Any, p: Any, bands: Any, work: Any, bins: int, out: Any) -> Any:
    """As `fill_bands`, where there is one band."""
    plane = bands.width * bands.height
    sums, carry, more, used = work.sums, work.carry, work.more, work.used
    low, last = 0, bands.starts[0]
    for b in range(bands.starts.size - 1):
        offset = work.offsets[b]
        limit = most_held(bands, b)
        high = search(t, bands.starts[b + 1], low, t.size)
        settled = False
        held = 0
        while low < high:
            stop = min(low + PIECE, high)
            some_t, some_x, some_y, some_p = t[low:stop], x[low:stop], y[low:stop], p[low:stop]
            if not take(some_t, some_x, some_y, some_p, last, bands):
                return WRONG
            if held + stop - low > limit:
                settle(sums, carry, more, used, work.per_us, offset)
                settled = True
                held = 0
            add_taken(stop - low, bands.starts[b], bands, sums)
            held += stop - low
            low, last = stop, t[stop - 1]
        if last >= bands.starts[b + 1]:
            return WRONG
        for k in range(used.size):
            used[k] = ADDED
        if b < bins:
            to = out[b * plane : (b + 1) * plane]
            if settled:
                show_settled(sums, carry, more, used, work, offset, to)
            else:
                show(sums, carry, used, work, offset, to)
    return RIGHT if low == t.size else WRONG


@kernel
def fill_bands(t: Any, x: Any, y: Any, p: Any, bands: Any, work: Any, bins: int, out: Any) -> Any:
    """Write a grid of time-ordered events; RIGHT, or WRONG, and then it is of no use."""
    if bands.n_bands == 1:
        return fill_one(t, x, y, p, bands, work, bins, out)
    while bands.state[NEXT] < t.size:
        first = bands.state[INTERVAL]
        n = sort_round(t, x, y, p, bands)
        if n == WRONG:
            return WRONG
        for band in range(bands.n_bands):
            show_band(bands, work, band, first, n, bins, out)
    return RIGHT


class Grid(NamedTuple):
    """What does not change from piece to piece; arrays of PIECE values to work in."""

    cells: Any  # all bins, flat
    parts: Any  # float64: how far an event is past the bin before it
    places: Any  # int64: its cell in that bin
    width: int
    height: int
    least: int  # no time is before it
    scale: float  # the bins that lie
    span: float  # in so many microseconds


@kernel
def place(t: Any, x: Any, y: Any, grid: Any) -> None:
    """Where events lie; no branches: LLVM makes vector code of it."""
    plane = np.int64(grid.width * grid.height)
    for k in range(t.size):
        # Of unsigned numbers: the difference of any two times fits.
        at = grid.scale * np.float64(np.uint64(t[k]) - np.uint64(grid.least)) / grid.span
        before = np.int64(at)
        grid.parts[k] = at - np.float64(before)
        grid.places[k] = before * plane + np.int64(y[k]) * grid.width + np.int64(x[k])


@kernel
def share(p: Any, grid: Any) -> None:
    """Add each event's sign to two bins, by its distance to each; those past the last get none."""
    cells = grid.cells
    plane = np.uint64(grid.width * grid.height)
    end = np.uint64(cells.size)
    for k in range(p.size):
        i = np.uint64(grid.places[k])
        sign = np.float64(2 * np.int64(p[k]) - 1)
        after = sign * grid.parts[k]
        if i + plane < end:
            cells[i] += sign - after
            cells[i + plane] += after
        elif i < end:
            cells[i] += sign - after


@kernel
def fill(t: Any, x: Any, y: Any, p: Any, grid: Any) -> Any:
    """Add events of any order to a grid; RIGHT, or what is wrong with some: they are not added."""
    for start in range(0, t.size, PIECE):
        stop = min(start + PIECE, t.size)
        some_x, some_y, some_p = x[start:stop], y[start:stop], p[start:stop]
        found = fault(some_x, some_y, some_p, grid.width, grid.height)
        if found != RIGHT:
            return found
        place(t[start:stop], some_x, some_y, grid)
        share(some_p, grid)
    return RIGHT
