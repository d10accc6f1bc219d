"""Frames of many short recordings at once, where `straight` would take longer than its kernels.

All of a group's chunks are decoded first: of short recordings, events stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.frames.filler import convert, plan_of
from evstore.frames.spec import FIRST_TIME, LAST_TIME, Division, Frames
from evstore.shard.gather import Wanted, gather
from evstore.shard.thread_memory import ThreadMemory

SHORT = 65_536  # events of a recording, and of those that are decoded together
ALL = (FIRST_TIME, LAST_TIME)
NONE = np.empty(0, np.int64)


def fill_short(
    spec: Frames,
    resolution: tuple[int, int],
    wanted: Sequence[Wanted],
    parts: Sequence[tuple[Sequence[Division], NDArray[Any]]],
    memory: ThreadMemory,
) -> bool:
    """Make the frames of all that are wanted; whether that could be done.

    ``parts``: how the events of the next few of them are divided, and ``out``, whose ``out[k]``
    become the frames of each, zeros behind them: of the spec's dtype, C-contiguous, (recordings,
    frames of the most, channels, height, width). Where a window is given frames are by time, and
    only its events are in them. What is in ``out`` is of no use where an event is wrong or a
    number too large: who makes them one by one says which. Raises FormatError and OSError for
    what cannot be read.
    """
    from evstore.frames.short_kernels import LIMITS, fill_samples

    events, bounds = gather(wanted, memory)
    limits = _flat((*(one.within or ALL), one.info.n_events) for one in wanted)
    plan = plan_of(spec, resolution, parts[0][1], NONE, NONE)
    done = 0
    for divisions, out in parts:
        cells = out.reshape(-1).view(plan.cells.dtype)
        made = fill_samples(
            events.t, events.x, events.y, events.p, bounds[done : done + len(out) + 1],
            _flat(divisions), limits[LIMITS * done :], np.empty(2 * out.shape[1], np.int64),
            out[0].size, spec.overflow == "raise",
            plan._replace(cells=cells, bits=cells.view(plan.bits.dtype)),
        )  # fmt: skip
        if made < len(out):
            return False
        convert(spec, out)
        done += len(out)
    return True


def _flat(rows: Iterable[tuple[int, ...]]) -> NDArray[np.int64]:
    # Of one list of integers: numpy looks much longer at tuples.
    return np.array(list(chain.from_iterable(rows)), np.int64)
