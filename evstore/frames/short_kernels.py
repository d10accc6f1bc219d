"""Frames of many short recordings by one call: a call takes as long as a thousand events."""

from __future__ import annotations

from typing import Any

from evstore.frames.histogram_kernels import (
    EMPTY,
    OVERFLOW,
    RIGHT,
    Plan,
    fill,
    finish,
)
from evstore.jit import kernel

DIVISION = 4  # numbers that divide a sample's events: those of `spec.Division`
LIMITS = 3  # numbers that say which events a sample's are: see fill_samples


@kernel
def edges_of(division: Any, limits: Any, by_time: int, starts: Any, stops: Any) -> None:
    """What `Frames.edges` gives, within the limits of the sample."""
    for k in range(starts.size):
        start = division[0] + k * division[2]
        stop = start + division[1]
        if by_time:
            start = min(max(start, limits[0]), limits[1])
            stop = min(max(stop, limits[0]), limits[1])
        else:
            stop = min(stop, limits[2])
        starts[k], stops[k] = start, stop


@kernel
def fill_samples(
    t: Any, x: Any, y: Any, p: Any, bounds: Any, divisions: Any, limits: Any, edges: Any,
    slot: int, raises: bool, plan: Any,
) -> Any:  # fmt: skip
    """Make the frames of samples; how many could be made: of the next one, some event is wrong.

    The events ``bounds[s] : bounds[s + 1]`` are those of sample s, DIVISION numbers of
    ``divisions`` say how they are divided, and LIMITS numbers of ``limits`` between which times
    they are, and how many. Its frames begin at cell ``s * slot`` of the plan's, which has room for
    so many for each sample; those that are over become 0. ``edges`` has room for twice the most
    frames of one. ``raises``: a number that a cell does not hold is wrong too. The plan's own
    starts, stops and stage are not used.
    """
    samples = bounds.size - 1
    for s in range(samples):
        n_frames = divisions[DIVISION * s + 3]
        starts, stops = edges[:n_frames], edges[edges.size // 2 :][:n_frames]
        own = limits[LIMITS * s : LIMITS * (s + 1)]
        edges_of(divisions[DIVISION * s : DIVISION * (s + 1)], own, plan.by_time, starts, stops)
        cells = plan.cells[slot * s : slot * (s + 1)]
        sample = Plan(
            cells, plan.stage, starts, stops, plan.state, plan.map_x, plan.map_y, plan.by_time,
            plan.mapped, plan.content, plan.width, plan.height, plan.row, plan.size, plan.plane,
            plan.least, plan.greatest,
        )  # fmt: skip
        for k in range(len(EMPTY)):
            plan.state[k] = EMPTY[k]
        low, high = bounds[s], bounds[s + 1]
        if fill(t[low:high], x[low:high], y[low:high], p[low:high], 0, sample) != RIGHT:
            return s
        finish(sample)
        over = cells[n_frames * plan.size :]
        for k in range(over.size):
            over[k] = 0
        if raises and plan.state[OVERFLOW] >= 0:
            return s
    return samples
