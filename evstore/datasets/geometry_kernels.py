"""Events to other coordinates by lookup tables of them, -1 where there are none."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from evstore.jit import kernel


@kernel
def count_kept(x: NDArray[Any], y: NDArray[Any], map_x: NDArray[Any], map_y: NDArray[Any]) -> int:
    """How many events have a place; those beyond the tables have none."""
    width, height = len(map_x), len(map_y)
    kept = 0
    for i in range(len(x)):
        if x[i] < width and y[i] < height:
            kept += (map_x[x[i]] >= 0) & (map_y[y[i]] >= 0)
    return kept


@kernel
def move(
    t: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    p: NDArray[Any],
    map_x: NDArray[Any],
    map_y: NDArray[Any],
    out_t: NDArray[Any],
    out_x: NDArray[Any],
    out_y: NDArray[Any],
    out_p: NDArray[Any],
) -> int:
    """Events that have a place, in order, until there is no more room; returns how many.

    What comes without a place is stored too, and the next event over it: nobody can foretell a
    branch on where events are. With room for as many as `count_kept` says, none of it is left.
    """
    width, height = len(map_x), len(map_y)
    room = min(len(out_t), len(out_x), len(out_y), len(out_p))
    at = 0
    for i in range(len(t)):
        if at >= room:
            break
        if x[i] >= width or y[i] >= height:
            continue
        to_x, to_y = map_x[x[i]], map_y[y[i]]
        out_t[at] = t[i]
        out_x[at] = to_x
        out_y[at] = to_y
        out_p[at] = p[i]
        at += (to_x >= 0) & (to_y >= 0)
    return at
