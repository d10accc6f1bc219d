"""Frames of many short recordings at once, where `straight` would take longer than its kernels.

All of a group's chunks are decoded first: of short recordings, events stay in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.frames.filler import convert, plan_of
from evstore.frames.spec import FIRST_TIME, LAST_TIME, Frames
from evstore.shard.gather import Gathered, Wanted, decode, gather
from evstore.shard.thread_memory import ThreadMemory

SHORT = 65_536  # events of a recording, and of those that are decoded together
ALL = (FIRST_TIME, LAST_TIME)
NONE = np.empty(0, np.int64)


class Part(NamedTuple):
    """How the events of some recordings are divided, and what becomes their frames.

    ``out[k]``: those of each, zeros behind them. It is of the spec's dtype, C-contiguous,
    (recordings, frames of the most, channels, height, width).
    """

    divisions: NDArray[np.int64]
    out: NDArray[Any]


class ReadShort(NamedTuple):
    """Chunks that were read, and how the frames of their events are made, a batch at a time."""

    chunks: Gathered
    batches: list[tuple[Any, ...]]  # arguments of fill_samples behind the events
    outs: list[NDArray[Any]]
    spec: Frames


def read_short(
    spec: Frames,
    resolution: tuple[int, int],
    wanted: Sequence[Wanted],
    parts: Sequence[Part],
    memory: ThreadMemory,
) -> ReadShort:
    """Read all that are wanted, each of the ``parts`` being of the next few of them.

    What the thread read before is overwritten: fill first. Where a window is given frames are by
    time, and only its events are in them. Raises FormatError and OSError for what cannot be read.
    """
    from evstore.frames.short_kernels import LIMITS

    chunks = gather(wanted, memory)
    limits = np.array(
        list(chain.from_iterable((*(within or ALL), info.n_events) for _, info, within in wanted)),
        np.int64,  # of one list of integers: numpy looks much longer at tuples
    )
    plan = plan_of(spec, resolution, parts[0].out, NONE, NONE)
    batches = []
    done = 0
    for divisions, out in parts:
        cells = out.reshape(-1).view(plan.cells.dtype)
        batches.append((
            chunks.bounds[done : done + len(out) + 1],
            divisions.ravel(), limits[LIMITS * done :], np.empty(2 * out.shape[1], np.int64),
            out[0].size, spec.overflow == "raise",
            plan._replace(cells=cells),
        ))  # fmt: skip
        done += len(out)
    return ReadShort(chunks, batches, [out for _, out in parts], spec)


def fill_short(read: ReadShort, memory: ThreadMemory) -> bool:
    """Make the frames of all that this thread has read; whether that could be done.

    What is in the arrays is of no use where an event is wrong or a number too large: who makes
    them one by one says which. Raises FormatError for what cannot be decoded.
    """
    from evstore.frames.short_kernels import fill_samples

    events = decode(read.chunks, memory)
    for batch, out in zip(read.batches, read.outs, strict=True):
        if fill_samples(events.t, events.x, events.y, events.p, *batch) < len(out):
            return False
        convert(read.spec, out)
    return True
