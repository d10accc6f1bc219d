"""Events counted into frames: boundaries by search, then loops of increments.

Of time-ordered events a frame's are found by search. Where time steps back, the events up to
there are one run, those after it begin another, and each is treated so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.frames.column_kernels import PIECE as APART
from evstore.frames.column_kernels import unpack
from evstore.frames.spec import FIRST_TIME
from evstore.frames.vector_stage import show_counts
from evstore.jit import inlined, kernel

# What a pixel holds.
COUNTED, SIGNED, BINARY = 0, 1, 2

# What is found wrong with a batch, before anything is written.
RIGHT, OUTSIDE, NO_POLARITY = 0, 1, 2

# Indices into `state`.
CLEARED = 0  # so many frames have been set to 0
OVERFLOW = 1  # the first cell that could not hold a count; or -1
LAST = 2  # the last time
BACK = 3  # 1 if a time was before the one in front of it
STAGED = 4  # 1 while events are counted in the stage
FRAME = 5  # the frame that is in the stage, or -1
FULL = 6  # the frame that has more events at one pixel than the stage holds, or -1

#: The state of frames to which nothing was added.
EMPTY = (0, -1, FIRST_TIME, 0, 0, -1, -1)

PIECE = 8192  # events: what is looked at more than once stays in the cache
BLOCK = 512  # times compared in a row
SHORT = 16  # and before that
STAGE_HOLDS = 255


class Plan(NamedTuple):
    """What does not change from batch to batch."""

    cells: Any  # all frames, flat
    stage: Any  # uint8: a frame, all 0 unless `state` says that one is in it; empty if not used
    starts: Any  # of frames: int64 times or numbers of events
    stops: Any
    state: Any
    # What follows is the same for all recordings of a sensor.
    map_x: Any  # int32, as `Frames.maps` makes them
    map_y: Any
    by_time: int
    mapped: int  # whether the maps are used
    content: int  # COUNTED, SIGNED or BINARY
    width: int  # of the sensor
    height: int
    row: int  # cells a row of a frame, a frame, and from its OFF to its ON channel
    size: int
    plane: int
    least: int  # what a cell can hold
    greatest: int


@kernel
def fault(x: Any, y: Any, p: Any, width: int, height: int) -> Any:
    """What is wrong with a batch; one loop a column: LLVM vectorises each."""
    top_x = np.uint16(0)
    for k in range(x.size):
        top_x = max(top_x, x[k])
    top_y = np.uint16(0)
    for k in range(y.size):
        top_y = max(top_y, y[k])
    top_p = np.uint8(0)
    for k in range(p.size):
        top_p = max(top_p, p[k])
    if x.size and (np.int64(top_x) >= width or np.int64(top_y) >= height):
        return OUTSIDE
    return NO_POLARITY if top_p > 1 else RIGHT


@kernel
def run_stop(t: Any, start: int) -> Any:
    """Where the time-ordered run that begins at ``start`` ends."""
    k = start + 1
    near = min(k + SHORT, t.size)
    while k < near:
        if t[k] < t[k - 1]:
            return k
        k += 1
    while k + BLOCK <= t.size:
        some = t[k - 1 : k + BLOCK]
        back: Any = 0
        for j in range(BLOCK):
            back += np.int64(some[j + 1] < some[j])
        if back:
            break
        k += BLOCK
    while k < t.size and t[k - 1] <= t[k]:
        k += 1
    return k


@kernel
def search(t: Any, value: int, start: int, stop: int) -> Any:
    """The first of ``start..stop`` that is not before ``value``; quick where it is near."""
    high = start
    step = 1
    while high < stop and t[high] < value:
        start = high + 1
        high += step
        step *= 2
    high = min(high, stop)
    while start < high:
        middle = (start + high) // 2
        if t[middle] < value:
            start = middle + 1
        else:
            high = middle
    return start


@kernel
def first_after(stops: Any, value: int) -> Any:
    """The first frame that ends after ``value``."""
    low = 0
    high = stops.size
    while low < high:
        middle = (low + high) // 2
        if stops[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def count(x: Any, y: Any, p: Any, cells: Any, row: int, plane: int, greatest: int) -> Any:
    """One more for each event; the number of the first one that finds its cell full, or of all."""
    for k in range(x.size):
        i = np.uint64(y[k]) * np.uint64(row) + np.uint64(x[k]) + np.uint64(p[k]) * np.uint64(plane)
        value = cells[i]
        if value >= greatest:
            return k
        cells[i] = value + 1
    return x.size


@kernel
def count_mapped(x: Any, y: Any, p: Any, cells: Any, greatest: int, plan: Any) -> Any:
    """As `count`, at the places that the maps give."""
    for k in range(x.size):
        column = plan.map_x[np.uint64(x[k])]
        line = plan.map_y[np.uint64(y[k])]
        if (column | line) >= 0:
            i = np.uint64(line) * np.uint64(plan.row) + np.uint64(column)
            i += np.uint64(p[k]) * np.uint64(plan.plane)
            value = cells[i]
            if value >= greatest:
                return k
            cells[i] = value + 1
    return x.size


@kernel
def add_signs(x: Any, y: Any, p: Any, cells: Any, plan: Any) -> Any:
    """One more for ON, one less for OFF, at the places that the maps give; else as `count`."""
    for k in range(x.size):
        column = plan.map_x[np.uint64(x[k])]
        line = plan.map_y[np.uint64(y[k])]
        if (column | line) >= 0:
            i = np.uint64(line) * np.uint64(plan.row) + np.uint64(column)
            value = np.int64(cells[i]) + 2 * np.int64(p[k]) - 1
            if not plan.least <= value <= plan.greatest:
                return k
            cells[i] = value
    return x.size


@kernel
def mark(x: Any, y: Any, p: Any, cells: Any, plan: Any) -> Any:
    """1 where there is an event, at the places that the maps give."""
    for k in range(x.size):
        column = plan.map_x[np.uint64(x[k])]
        line = plan.map_y[np.uint64(y[k])]
        if (column | line) >= 0:
            i = np.uint64(line) * np.uint64(plan.row) + np.uint64(column)
            cells[i + np.uint64(p[k]) * np.uint64(plan.plane)] = 1
    return x.size


@inlined
def clear(plan: Any, n_frames: int) -> None:
    """Set the first ``n_frames`` to 0 that are not: just before use, they are then in the cache."""
    cleared = plan.state[CLEARED]
    if cleared < n_frames:
        some = plan.cells[cleared * plan.size : n_frames * plan.size]
        for k in range(some.size):
            some[k] = 0
        plan.state[CLEARED] = n_frames


@kernel
def note_full(plan: Any, cell: int) -> None:
    """Remember the first cell that could not hold a count."""
    if plan.state[OVERFLOW] < 0:
        plan.state[OVERFLOW] = cell


@kernel
def unstage_new(plan: Any, frame: int) -> None:
    """Write what is in the stage as a frame, past the cache, and clear the stage."""
    show_counts(plan.stage, plan.cells[frame * plan.size : (frame + 1) * plan.size])


@kernel
def unstage_more(plan: Any, frame: int) -> None:
    """Add what is in the stage to a frame that was written before, and clear the stage."""
    cells = plan.cells[frame * plan.size : (frame + 1) * plan.size]
    for k in range(plan.size):
        value = np.int64(cells[k]) + np.int64(plan.stage[k])
        if value > plan.greatest:
            note_full(plan, frame * plan.size + k)
            value = plan.greatest
        cells[k] = value
        plan.stage[k] = 0


@kernel
def unstage(plan: Any) -> None:
    """Move what is in the stage to its frame."""
    frame = plan.state[FRAME]
    if frame >= 0:
        if frame < plan.state[CLEARED]:
            unstage_more(plan, frame)
        else:
            clear(plan, frame)
            unstage_new(plan, frame)
            plan.state[CLEARED] = frame + 1
        plan.state[FRAME] = -1


@inlined
def into_frame(x: Any, y: Any, p: Any, frame: int, plan: Any) -> None:
    """Add events to a frame where it lies; one that finds its cell full adds nothing."""
    clear(plan, frame + 1)
    cells = plan.cells[frame * plan.size : (frame + 1) * plan.size]
    done = 0
    while done < x.size:
        some_x, some_y, some_p = x[done:], y[done:], p[done:]
        if plan.content == SIGNED:
            done += add_signs(some_x, some_y, some_p, cells, plan)
        elif plan.content == BINARY:
            done += mark(some_x, some_y, some_p, cells, plan)
        elif plan.mapped:
            done += count_mapped(some_x, some_y, some_p, cells, plan.greatest, plan)
        else:
            done += count(some_x, some_y, some_p, cells, plan.row, plan.plane, plan.greatest)
        if done < x.size:
            cell = np.int64(plan.map_y[y[done]]) * plan.row + np.int64(plan.map_x[x[done]])
            cell += np.int64(p[done]) * plan.plane
            note_full(plan, frame * plan.size + cell)
            done += 1


@kernel
def into_stage(x: Any, y: Any, p: Any, frame: int, plan: Any) -> None:
    """Count events of a frame in a byte each, which stay in the cache."""
    if plan.state[FRAME] != frame:
        unstage(plan)
        plan.state[FRAME] = frame
    if plan.mapped:
        done = count_mapped(x, y, p, plan.stage, STAGE_HOLDS, plan)
    else:
        done = count(x, y, p, plan.stage, plan.row, plan.plane, STAGE_HOLDS)
    if done < x.size:
        unstage(plan)
        plan.state[FULL] = frame
        into_frame(x[done:], y[done:], p[done:], frame, plan)


@inlined
def into(x: Any, y: Any, p: Any, frame: int, plan: Any) -> None:
    """Add events to a frame."""
    if plan.state[STAGED] and plan.state[FULL] != frame:
        into_stage(x, y, p, frame, plan)
    else:
        into_frame(x, y, p, frame, plan)


@kernel
def finish(plan: Any) -> None:
    """Once all is added: what is still to be written."""
    unstage(plan)
    clear(plan, plan.starts.size)


@kernel
def note_times(first: Any, last: Any, plan: Any) -> None:
    """What is to be known of the times of a run: whether it begins before the last one's end."""
    state = plan.state
    if first < state[LAST]:
        state[BACK] = 1
        unstage(plan)  # which takes time, and might now be needed at each event
        state[STAGED] = 0
    state[LAST] = last


@inlined
def fill_times(t: Any, x: Any, y: Any, p: Any, plan: Any) -> None:
    """Add events to frames of time."""
    start = 0
    while start < t.size:
        stop = run_stop(t, start)
        note_times(t[start], t[stop - 1], plan)
        frame = first_after(plan.stops, t[start])
        low = start
        while frame < plan.starts.size and plan.starts[frame] <= t[stop - 1]:
            low = search(t, plan.starts[frame], low, stop)
            high = search(t, plan.stops[frame], low, stop)
            if low < high:
                into(x[low:high], y[low:high], p[low:high], frame, plan)
            frame += 1
        start = stop


@kernel
def fill_numbers(x: Any, y: Any, p: Any, first: Any, plan: Any) -> None:
    """Add events to frames of so many events each; ``first`` is the number of the first."""
    frame = first_after(plan.stops, first)
    while frame < plan.starts.size and plan.starts[frame] < first + x.size:
        low = max(plan.starts[frame] - first, 0)
        high = min(plan.stops[frame] - first, x.size)
        if low < high:
            into(x[low:high], y[low:high], p[low:high], frame, plan)
        frame += 1


@kernel
def fill(t: Any, x: Any, y: Any, p: Any, first: int, plan: Any) -> Any:
    """Add events to the frames; RIGHT, or what is wrong with some, and they are not added.

    All columns have one length. Maps have one value for each of ``width`` and ``height``, below
    ``row`` and the rows of a channel.
    """
    for start in range(0, t.size, PIECE):
        stop = min(start + PIECE, t.size)
        some_x, some_y, some_p = x[start:stop], y[start:stop], p[start:stop]
        found = fault(some_x, some_y, some_p, plan.width, plan.height)
        if found != RIGHT:
            return found
        if plan.by_time:
            fill_times(t[start:stop], some_x, some_y, some_p, plan)
        else:
            fill_numbers(some_x, some_y, some_p, first + start, plan)
    return RIGHT


@kernel
def fill_apart(t: Any, x: Any, y: Any, p: Any, first: int, plan: Any, piece: Any) -> Any:
    """The same of columns that lie apart."""
    for start in range(0, t.size, APART):
        stop = min(start + APART, t.size)
        unpack(t[start:stop], x[start:stop], y[start:stop], p[start:stop], piece)
        n = stop - start
        found = fill(piece.t[:n], piece.x[:n], piece.y[:n], piece.p[:n], first + start, plan)
        if found != RIGHT:
            return found
    return RIGHT
