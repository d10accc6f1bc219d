"""Averaged time surfaces: events by cell and polarity, then what lies around each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from evstore.frames.histogram_kernels import fault as fault
from evstore.frames.time_kernels import steps_back
from evstore.jit import kernel


@kernel
def group(x: Any, y: Any, p: Any, cell_size: int, across: int, ends: Any, order: Any) -> None:
    """The numbers of the events, those of a cell and polarity together, else as they come.

    ``ends`` holds 0 for each of them and one more; then group g is ``ends[g]..ends[g + 1]``.
    """
    for k in range(x.size):
        of = (np.int64(y[k]) // cell_size * across + np.int64(x[k]) // cell_size) * 2
        ends[of + np.int64(p[k]) + 1] += 1
    for g in range(1, ends.size):
        ends[g] += ends[g - 1]
    for k in range(x.size - 1, -1, -1):
        of = (np.int64(y[k]) // cell_size * across + np.int64(x[k]) // cell_size) * 2
        ends[of + np.int64(p[k]) + 1] -= 1
        order[ends[of + np.int64(p[k]) + 1]] = k
    for g in range(1, ends.size - 1):
        ends[g] = ends[g + 1]
    ends[ends.size - 1] = x.size


@kernel
def around(
    t: Any, x: Any, y: Any, members: Any, which: int, surface: Any, side: int, window: int,
    tau: float, exponential: bool, ordered: bool,
) -> None:  # fmt: skip
    """Add to the surface what lies around one event of a group."""
    rho = side // 2
    own = members[which]
    surface[rho * side + rho] += 1.0
    for j in range(which - 1, -1, -1):
        other = members[j]
        late = t[other] < t[own]
        age = np.uint64(t[own]) - np.uint64(t[other])
        if late and age > np.uint64(window):
            if ordered:
                break
            continue
        ahead = np.float64(age) if t[other] <= t[own] else -np.float64(-age)
        dx = np.int64(x[other]) - np.int64(x[own]) + rho
        dy = np.int64(y[other]) - np.int64(y[own]) + rho
        if 0 <= dx < side and 0 <= dy < side:
            value = math.exp(-ahead / tau) if exponential else 1.0 - ahead / (3.0 * tau)
            surface[dy * side + dx] += value


@kernel
def average(
    t: Any, x: Any, y: Any, order: Any, ends: Any, out: Any, side: int, window: int, tau: float,
    exponential: bool,
) -> None:  # fmt: skip
    """The mean surface of each group; ``out`` holds 0 for each of its ``side * side`` places."""
    ordered = not steps_back(t)
    area = side * side
    for g in range(ends.size - 1):
        members = order[ends[g] : ends[g + 1]]
        surface = out[g * area : (g + 1) * area]
        for k in range(members.size):
            around(t, x, y, members, k, surface, side, window, tau, exponential, ordered)
        for i in range(area):
            surface[i] /= max(1, members.size)
