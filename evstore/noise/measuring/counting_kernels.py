"""Events counted by pixel, by block of pixels and by time: what noise is measured from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import inlined, kernel

#: Of the histogram of a block's events in a cell of time; the last bin holds all that are more.
LEVELS = 128
#: Bins of intervals an octave, and of all octaves of an int64 of microseconds.
AN_OCTAVE = 8
INTERVAL_BINS = 64 * AN_OCTAVE
#: Octaves that the intervals of each pixel are counted by; the first and last hold what is beyond.
LOWEST_OCTAVE, OCTAVES = 3, 20
FULL = np.uint16(65535)
MOST = 32767


class Quiet(NamedTuple):
    """What `quiet_cell` counts into: flat arrays by pixel, by block, and of intervals."""

    cell: Any  # events of each pixel in this cell of time, 0 between calls
    on: Any  # of each pixel, while the rest of its block was quiet
    off: Any
    exposed: Any  # cells in which it was quiet for the pixel, but not for its block, or minus that
    last: Any  # four times the time of each pixel's last event, 2 if ON, and 1 if it was quiet
    block: Any  # events of each block in this cell, 0 between calls
    limit: Any  # a block with no more events than that is quiet; -1: never
    levels: Any  # LEVELS bins a block
    quiet: Any  # cells in which the block was quiet
    intervals: Any  # of all pixels
    still: Any  # of pixels between two events in quiet surroundings
    every: Any  # one pixel of ``1 << every`` has
    gaps: Any  # all of its own by `OCTAVES`, for each without and with a change of polarity


@inlined
def interval_bin(interval: Any) -> Any:
    """Eight bins an octave: the place of the highest bit, and the three bits below it."""
    octave = 0
    rest = interval
    for step in (32, 16, 8, 4, 2, 1):
        if rest >> step:
            rest >>= step
            octave += step
    below = (interval << 3) >> octave if octave < 32 else interval >> (octave - 3)
    return octave * 8 + (below & 7)


@kernel
def count_pixels(x: Any, y: Any, p: Any, width: int, on: Any, off: Any) -> None:
    """Count ON and OFF events of each pixel; a count that is full stays so."""
    for i in range(x.size):
        pixel = np.int64(y[i]) * width + x[i]
        if p[i]:
            on[pixel] += on[pixel] != FULL
        else:
            off[pixel] += off[pixel] != FULL


@kernel
def add_pairs(counts: Any, pixels: int, slices: int) -> None:
    """Make one slice of each two, in place; what does not fit is the most that does."""
    for s in range(slices // 2):
        out = counts[s * pixels : (s + 1) * pixels]
        first = counts[2 * s * pixels : (2 * s + 1) * pixels]
        second = counts[(2 * s + 1) * pixels : (2 * s + 2) * pixels]
        for i in range(out.size):
            out[i] = min(np.int64(first[i]) + np.int64(second[i]), 65535)
    counts[(slices // 2) * pixels :] = 0


@kernel
def quiet_cell(
    t: Any, x: Any, y: Any, p: Any, width: int, shift: int, across: int, state: Quiet
) -> None:
    """Count the events of one cell of time, blocks of ``1 << shift`` pixels, ``across`` a row.

    Whether it is quiet around a pixel says the rest of its block, not the pixel: so the counts
    of a pixel in quiet cells are those of any time, and not too low.
    """
    cell, block, limit = state.cell, state.block, state.limit
    for i in range(x.size):
        cell[np.int64(y[i]) * width + x[i]] += 1
        block[(np.int64(y[i]) >> shift) * across + (np.int64(x[i]) >> shift)] += 1
    for i in range(x.size):
        pixel = np.int64(y[i]) * width + x[i]
        home = (np.int64(y[i]) >> shift) * across + (np.int64(x[i]) >> shift)
        still = block[home] - cell[pixel] <= limit[home]
        before = state.last[pixel]
        if before >= 0:
            gap = t[i] - (before >> 2)
            found = interval_bin(gap)
            state.intervals[found] += 1
            if still and before & 1:
                state.still[found] += 1
            if not pixel & ((1 << state.every) - 1):
                octave = min(max(found // AN_OCTAVE - LOWEST_OCTAVE, 0), OCTAVES - 1)
                flipped = (before >> 1 & 1) != p[i]
                at = ((pixel >> state.every) * OCTAVES + octave) * 2 + flipped
                state.gaps[at] += state.gaps[at] != FULL
        state.last[pixel] = (t[i] << 2) | (np.int64(p[i]) << 1) | still
        if still:
            state.on[pixel] += p[i]
            state.off[pixel] += 1 - p[i]
    for i in range(x.size):
        pixel = np.int64(y[i]) * width + x[i]
        if cell[pixel]:
            home = (np.int64(y[i]) >> shift) * across + (np.int64(x[i]) >> shift)
            alone = block[home] - cell[pixel] <= limit[home]
            state.exposed[pixel] += np.int32(alone) - np.int32(block[home] <= limit[home])
            cell[pixel] = 0
    for b in range(block.size):
        state.levels[b * LEVELS + min(block[b], LEVELS - 1)] += 1
        state.quiet[b] += block[b] <= limit[b]
        block[b] = 0


@kernel
def add_series(
    t: Any, x: Any, y: Any, p: Any, start: int, bin_us: int, shift: int, across: int, bins: int,
    series: Any,
) -> None:  # fmt: skip
    """Add ON events and subtract OFF events by quarter of a block and bin of time.

    All lie in ``bins``. A block's quarters follow each other, row by row. Sums, int16, end at MOST.
    """
    half = shift - 1
    for i in range(t.size):
        u, v = np.int64(x[i]) >> half, np.int64(y[i]) >> half
        quarter = ((v >> 1) * across + (u >> 1)) * 4 + 2 * (v & 1) + (u & 1)
        at = quarter * bins + (t[i] - start) // bin_us
        found = np.int64(series[at]) + 2 * np.int64(p[i]) - 1
        series[at] = min(max(found, -MOST), MOST)


@kernel
def stands_out(
    totals: Any, width: int, height: int, radius: int, room: Any, need: Any, out: Any
) -> None:
    """Which pixels have more events than those around them, by ``need`` events and by chance.

    ``need`` of each pixel. Of what is around, within ``radius``, a quarter may have as many: a
    cluster. ``room`` holds ``(2 * radius + 1) ** 2`` values.
    """
    for y in range(height):
        for x in range(width):
            own = totals[y * width + x]
            out[y * width + x] = 0
            if own < need[y * width + x]:
                continue
            size = 0
            for v in range(max(y - radius, 0), min(y + radius + 1, height)):
                for u in range(max(x - radius, 0), min(x + radius + 1, width)):
                    if u != x or v != y:
                        room[size] = totals[v * width + u]
                        size += 1
            if size < 8:
                continue
            rank = size // 4
            low = own - need[y * width + x]
            more = 0
            for i in range(size):
                more += room[i] > low
            if more > size // 2:
                continue
            for i in range(1, size):
                value = room[i]
                j = i
                while j > 0 and room[j - 1] < value:
                    room[j] = room[j - 1]
                    j -= 1
                room[j] = value
            upper, middle = room[rank], room[size // 2]
            chance = 5.0 * np.sqrt(np.float64(max(upper, 1))) + 0.1 * upper
            found = own - upper >= chance and own - middle >= need[y * width + x]
            out[y * width + x] = found
